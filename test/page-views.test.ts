/** Every view of the admin page in a real browser, on a real server with live data. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { Inspection, Status } from "../src/heart.js";
import { describeBrowser } from "./browser.js";
import { send, onMachine, storeState } from "./serve-machine.js";
import { describeRedis } from "./with-redis.js";
import {
  becomes,
  bigNumber,
  button,
  cellsOf,
  headline,
  notAnswered,
  onServer,
  openView,
  pill,
  press,
  says,
  sendAll,
} from "./page-kit.js";

/** Some records, named by their numbers. */
function* sets(from: number, to: number): Generator<string[]> {
  for (let index = from; index < to; index += 1) yield ["SET", `user:${index}`, `value ${index}`];
}

const statusOf = async (server: { ask(method: "GET", path: string): Promise<unknown> }): Promise<Status> =>
  (await server.ask("GET", "/api/status")) as Status;

describeBrowser("the views of the page", (onPage) => {
  test.concurrent(
    "numbers move while writes come, and end where the server's do",
    onServer(onPage, [], async ({ page, server }) => {
      await openView(page, server, "now");
      await says(headline(page), "All is well: the database has everything.");
      let written = 0;
      await becomes(async () => {
        await sendAll(server, sets(written, (written += 200)));
        const rates = [await bigNumber(page, "1 · Cache"), await bigNumber(page, "3 · Writer")];
        return rates.every((rate) => rate > 0);
      }, true);
      await server.ask("POST", "/api/flush");
      const rows = async (): Promise<string> =>
        page.locator(".station", { hasText: "4 · Database" }).locator("dd").first().innerText();
      await becomes(rows, (await statusOf(server)).writer.rows.toLocaleString("en-US"));
      expect(await page.title()).toBe("Now · write-behind");
      expect(await page.locator(".chart canvas").count()).toBe(5);
      await says(page, "If this process dies now nothing is lost and nothing is late");
    }),
  );

  test.concurrent(
    "a writer that was paused elsewhere: said, and its button lets it go on",
    onServer(onPage, [], async ({ page, server }) => {
      await openView(page, server, "now");
      await server.ask("POST", "/api/pause");
      await sendAll(server, sets(0, 7));
      await says(headline(page), "The writer is paused by a person; 7 changes waiting.");
      await says(page, /nothing is lost; 7 changes \(.*, the oldest .* old\) would reach the database late/);
      await becomes(() => bigNumber(page, "2 · Write queue"), 7);
      expect(await pill(page).innerText()).toBe("paused");
      await press(page, "Step one run");
      await says(page, "One run was written.");
      await says(headline(page), "The writer is paused by a person; 0 changes waiting.");
      await press(page, "Resume");
      await says(page, "The writer goes on.");
      await says(headline(page), "All is well: the database has everything.");
      expect(await pill(page).innerText()).toBe("running");
    }),
  );

  test.concurrent(
    "a database that is down: since when, what is safe and when it is tried again; then it is back",
    onServer(onPage, ["--delay", "0", "--retry-min-ms", "2s", "--retry-max-ms", "2s"], async (served) => {
      const { page, server, machine } = served;
      await openView(page, server, "now");
      const unlock = machine.lock();
      await sendAll(server, sets(0, 5));
      await says(headline(page), /^The database is unreachable for .+; 5 changes are safe on disk\. It says: .+locked/);
      await says(headline(page), /unreachable for \S+ m?s, (next try in|trying now)/);
      expect(await pill(page).innerText()).toBe("database down");
      await says(page.locator(".station", { hasText: "4 · Database" }), /unreachable for/);
      await press(page, "See the queue");
      await says(page, "5 changes of 5 records pending");
      await becomes(async () => (await cellsOf(page, "Pending changes")).length, 5);
      await page.goBack();
      unlock();
      await says(headline(page), "All is well: the database has everything.");
      expect(await storeState(server)).toBe("up");
    }),
  );

  test.concurrent(
    "a column that is gone: the database is not as it must be, and what it says",
    onServer(onPage, ["--delay", "0", "--retry-min-ms", "50ms", "--retry-max-ms", "100ms"], async (served) => {
      const { page, server, machine } = served;
      await openView(page, server, "now");
      machine.open().exec("ALTER TABLE write_behind_kv RENAME COLUMN value TO renamed");
      await sendAll(server, [["SET", "user:1", "Alice"]]);
      await says(
        headline(page),
        /^The database is not as it must be.*1 change is safe on disk\. It says: .*write_behind_kv/,
      );
      machine.open().exec("ALTER TABLE write_behind_kv RENAME COLUMN renamed TO value");
      await says(headline(page), "All is well: the database has everything.");
      expect(machine.open().prepare("SELECT key, value FROM write_behind_kv").all()).toEqual([
        { key: "user:1", value: "Alice" },
      ]);
    }),
  );

  test.concurrent(
    "Queue: empty, by change, by record, step",
    onServer(onPage, [], async ({ page, server }) => {
      await openView(page, server, "queue");
      await says(page, "Nothing is pending");
      await says(page, "The queue is empty: the database has everything.");
      await press(page, "Pause");
      await says(page, "The writer stands still; clients are served as before.");
      await sendAll(server, [
        ...sets(0, 2),
        ["SET", "user:1", "newer"],
        ["HSET", "cart:7", "apples", "3", "pears", "4"],
      ]);
      await says(page, "4 changes of 3 records pending");
      const pending = async (): Promise<string[][]> =>
        (await cellsOf(page, "Pending changes")).map(([position, , ...cells]) => [position as string, ...cells]);
      await becomes(pending, [
        ["1", "user:0", "replace value 0 "],
        ["2", "user:1", "replace value 1 "],
        ["3", "user:1", "replace newer "],
        ["4", "cart:7", "replace apples3pears4"],
      ]);
      await page.getByLabel("by record").check();
      const records = async (): Promise<string[][]> =>
        (await cellsOf(page, "Records of the changes shown")).map(([record, changes, , , newest]) => [
          record as string,
          changes as string,
          newest as string,
        ]);
      await becomes(records, [
        ["user:0", "1", "replace value 0 "],
        ["user:1", "2", "replace newer "],
        ["cart:7", "1", "replace apples3pears4"],
      ]);
      await page.getByLabel("by record").uncheck();
      expect(await button(page, "Flush").isDisabled()).toBe(true);
      await press(page, "Step one run");
      await says(page, /^4 changes became 3 rows, committed in/);
      await says(page, "The queue is empty: the database has everything.");
      await press(page, "Step one run");
      await says(page, "There was nothing to write.");
    }),
  );

  test.concurrent(
    "Queue: more of it, and flush",
    onServer(onPage, [], async ({ page, server, machine }) => {
      await server.ask("POST", "/api/pause");
      await sendAll(server, sets(0, 250));
      await openView(page, server, "queue");
      await says(page, "the oldest 100 of 250");
      await press(page, "Show more");
      await says(page, "the oldest 200 of 250");
      await press(page, "Show more");
      await becomes(async () => (await cellsOf(page, "Pending changes")).length, 250);
      await button(page, "Show more").waitFor({ state: "detached" });
      await press(page, "Resume");
      await says(page, "The queue is empty: the database has everything.");
      await press(page, "Flush");
      await says(page, "Everything that was pending is in the database.");
      expect(machine.open().prepare("SELECT count(*) AS rows FROM write_behind_kv").get()).toEqual({ rows: 250 });
    }),
  );

  const side = async (page: Page, name: string): Promise<string> =>
    (await page.locator(".side", { hasText: name }).innerText()).replace(/\s+/g, " ");

  test.concurrent(
    "Record: cache, queue and database, its journey; a key as text, as base64, as a link",
    onServer(onPage, [], async ({ page, server }) => {
      await sendAll(server, [["SET", "user:1:name", "Alice"]]);
      await server.ask("POST", "/api/flush");
      await server.ask("POST", "/api/pause");
      await sendAll(server, [
        ["SET", "user:1:name", "Bob"],
        ["SET", Buffer.from([0xff, 0x00, 0x80]), "no text"],
      ]);
      await openView(page, server, "record");
      await says(page, /^Type a key to see its record/);
      // The field has the focus already.
      await page.keyboard.type("user:1:name");
      await page.keyboard.press("Enter");
      expect(new URL(page.url()).hash).toBe("#/record?key=user%3A1%3Aname");
      await says(page, "Its recent journey");
      const seen = (await server.ask("GET", "/api/record?key=user:1:name")) as Inspection;
      expect(seen).toMatchObject({ cache: { value: { value: "Bob" } }, database: { value: { value: "Alice" } } });
      await becomes(() => side(page, "In the cache"), "In the cache Bob");
      expect(await side(page, "In the queue")).toMatch(/^In the queue position 2, [\d:.]+ replace Bob$/);
      expect(await side(page, "In the database")).toBe("In the database Alice");
      const journey = async (): Promise<string[]> =>
        (await page.locator(".journey li").allInnerTexts()).map((text) => text.replace(/\s+/g, " "));
      await becomes(journey, [
        expect.stringMatching(/position 2 replace Bob It waits in the queue\./) as string,
        expect.stringMatching(
          /position 1 replace Alice committed [\d:.]+, .+ later, with the run of 1 change and 1 row/,
        ) as string,
      ]);
      // A written record and one that nobody has: told apart.
      await page.getByLabel("Key", { exact: true }).fill("user:404");
      await press(page, "Look");
      await says(page, "Not in memory: the next read loads it.");
      await says(page, "The log holds no change of it any more");
      await page.getByLabel("Key", { exact: true }).fill("/wCA");
      await page.getByLabel("base64").check();
      await press(page, "Look");
      await says(page.locator(".side", { hasText: "In the cache" }), "no text");
      await says(page.locator(".side", { hasText: "In the database" }), "nothing");
      await page.goBack();
      await says(page, "Not in memory: the next read loads it.");
      await page.goBack();
      await says(page.locator(".side", { hasText: "In the cache" }), "Bob");
      await page.goForward();
      await says(page, "Not in memory: the next read loads it.");
      await server.ask("POST", "/api/resume");
      await openView(page, server, "record?key=user%3A1%3Aname");
      await page.reload();
      await says(page.locator(".side", { hasText: "In the queue" }), "Nothing: the database has all of it.");
      await says(page.locator(".side", { hasText: "In the database" }), "Bob");
    }),
  );

  const flags = ["--delay", "0", "--retry-min-ms", "1h", "--retry-max-ms", "1h"];

  test.concurrent(
    "Dead letters: why, what waits behind it, retried, kept, given up",
    onServer(onPage, flags, async ({ page, server, machine }) => {
      const database = machine.open();
      database.exec("CREATE UNIQUE INDEX one_of_each ON write_behind_kv (value)");
      await openView(page, server, "letters");
      await says(page, "There are none: the database has refused nothing.");
      expect(await send(server, ["SET", "user:1", "ann@example.org"], ["WAIT", "1", "0"])).toEqual(["OK", "1"]);
      await send(server, ["SET", "user:2", "ann@example.org"], ["WAIT", "1", "0"]);
      await send(server, ["SET", "user:3", "ann@example.org"], ["WAIT", "1", "0"]);
      await send(server, ["EXPIRE", "user:3", "100000"], ["WAIT", "1", "0"]);
      const letters = page.getByRole("article");
      await becomes(() => letters.count(), 2);
      const [second, third] = [letters.nth(0), letters.nth(1)];
      await says(second, /UNIQUE constraint failed: write_behind_kv\.value/);
      await says(second, "user:2");
      await says(third, "1 change waiting behind the group, 1 record of this letter");
      await says(page.getByRole("link", { name: /Dead letters/ }), "2");

      await second.getByRole("button", { name: "Retry" }).click();
      await says(page, /^1 letter refused again: .*UNIQUE constraint failed/);
      expect(await letters.count()).toBe(2);

      const dialog = page.getByRole("dialog");
      await third.getByRole("button", { name: "Discard …", exact: true }).click();
      await says(dialog, "The 1 change behind it are written.");
      await dialog.getByRole("button", { name: "Keep it" }).click();
      await dialog.waitFor({ state: "hidden" });
      await third.getByRole("button", { name: "Discard with what waits behind …" }).click();
      await says(dialog, "The 1 change behind it are given up, too.");
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      expect((await statusOf(server)).deadLetters.count).toBe(2);
      await third.getByRole("button", { name: "Discard with what waits behind …" }).click();
      await dialog.getByRole("button", { name: "Give it up" }).click();
      await says(page, "1 letter given up.");
      await becomes(() => letters.count(), 1);

      await page.keyboard.press("1");
      await says(headline(page), "The database refuses 1 dead letter; 0 changes behind it waiting.");
      await press(page, "See the dead letters");
      database.exec("DROP INDEX one_of_each");
      await press(page, "Retry all");
      await says(page, "1 letter stored.");
      await says(page, "There are none: the database has refused nothing.");
      expect(database.prepare("SELECT key, value FROM write_behind_kv ORDER BY key").all()).toEqual([
        { key: "user:1", value: "ann@example.org" },
        { key: "user:2", value: "ann@example.org" },
      ]);
    }),
  );

  test.concurrent(
    "Console: replies as redis-cli shows them, errors, and what was typed before by the arrows",
    onServer(
      onPage,
      [],
      async ({ page, server, machine }) => {
        await openView(page, server, "console");
        const typed: [string, string][] = [
          ["SET user:1:name Alice", "OK"],
          ["GET user:1:name", '"Alice"'],
          ["INCR hits", "(integer) 1"],
          ["GET absent", "(nil)"],
          ["MSET a \"two words\" b 'single'", "OK"],
          ["MGET a absent b", '1) "two words"\n2) (nil)\n3) "single"'],
          ["HSET cart:7 apples 3", "(integer) 1"],
          ["LPUSH hits 1", "(error) "],
          ["NOSUCH thing", "(error) ERR unknown command"],
          ['SET "unclosed', ""],
        ];
        const field = page.getByLabel("Command");
        for (const [index, [line, reply]] of typed.entries()) {
          await field.fill(line);
          await page.keyboard.press("Enter");
          const shown = page.getByRole("log").locator("pre").nth(index);
          await shown.waitFor();
          expect(await shown.innerText()).toContain(`> ${line}\n${reply}`);
        }
        expect(await page.getByRole("log").locator(".failed").count()).toBe(3);
        const recall = async (...keys: string[]): Promise<string> => {
          for (const key of keys) await page.keyboard.press(key);
          return field.inputValue();
        };
        expect(await recall("ArrowUp")).toBe('SET "unclosed');
        expect(await recall("ArrowUp", "ArrowUp", "ArrowUp")).toBe("HSET cart:7 apples 3");
        expect(await recall("ArrowDown")).toBe("LPUSH hits 1");
        expect(await recall("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown")).toBe("");
        // What was typed stays while the page does.
        await page.getByRole("link", { name: "Now" }).click();
        await page.goBack();
        expect(await page.getByRole("log").locator("pre").count()).toBe(typed.length);
        await server.ask("POST", "/api/flush");
        expect(machine.open().prepare("SELECT value FROM write_behind_kv WHERE key = 'user:1:name'").get()).toEqual({
          value: "Alice",
        });
      },
      { expected: [/Failed to load resource.* 400/] },
    ),
  );

  test.concurrent(
    "keys 1 to 7 and /, the address, back, a fleet of one, the other theme",
    onServer(onPage, [], async ({ page, server }) => {
      await page.goto(server.admin);
      await says(headline(page), "All is well: the database has everything.");
      const names = ["Now", "Queue", "Record", "Dead letters", "Console", "Fleet", "Walkthrough"];
      for (const [index, name] of names.entries()) {
        await page.locator("nav a[aria-current]").focus();
        await page.keyboard.press(String(index + 1));
        await becomes(() => page.title(), `${name} · write-behind`);
        expect(await page.locator('nav a[aria-current="page"]').innerText()).toContain(name);
        expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe(name);
      }
      await page.goBack();
      await says(page, "This server is alone: cache and queue are its own.");
      await page.keyboard.press("/");
      await page.getByLabel("Key", { exact: true }).waitFor();
      // In a field these keys are what is typed.
      await page.keyboard.type("1/7");
      expect(await page.getByLabel("Key", { exact: true }).inputValue()).toBe("1/7");

      const theme = (): Promise<string> => page.evaluate("document.documentElement.dataset.theme");
      expect(await theme()).toBe("light");
      await page.getByRole("button", { name: "Dark theme" }).click();
      expect(await theme()).toBe("dark");
      await page.reload();
      await page.getByRole("button", { name: "Light theme" }).waitFor();
      expect(await theme()).toBe("dark");
    }),
  );

  test.concurrent(
    "a system that is dark: the page is, too, and follows it",
    onServer(
      onPage,
      [],
      async ({ page, server }) => {
        await openView(page, server, "now");
        const theme = (): Promise<string> => page.evaluate("document.documentElement.dataset.theme");
        expect(await theme()).toBe("dark");
        await page.emulateMedia({ colorScheme: "light" });
        await becomes(theme, "light");
      },
      { colorScheme: "dark" },
    ),
  );

  test.concurrent(
    "a server with a token: the page asks for it, says when it is wrong, and goes on with the right one",
    onServer(
      onPage,
      ["--admin-token", "s3cret-token"],
      async ({ page, server }) => {
        await openView(page, server, "now");
        await says(page, "This server wants its admin token");
        const field = page.getByLabel("It is what the server was started with");
        await field.fill("wrong");
        await press(page, "Use it");
        await says(page, "The token that was given is not the server’s.");
        await field.fill("s3cret-token");
        await page.keyboard.press("Enter");
        await says(headline(page), "All is well: the database has everything.");
        await page.reload();
        await says(headline(page), "All is well: the database has everything.");
        await page.keyboard.press("5");
        await page.getByLabel("Command").fill("PING");
        await page.keyboard.press("Enter");
        await says(page.getByRole("log"), "PONG");
      },
      { expected: [/Failed to load resource.* 401/] },
    ),
  );

  test.concurrent(
    "a page of a server that is not there yet goes on by itself",
    onMachine(async (machine) => {
      const first = await machine.serve();
      const port = new URL(first.admin).port;
      await onPage(
        async (page) => {
          await openView(page, first, "now");
          await says(headline(page), "All is well: the database has everything.");
          await first.end("SIGKILL");
          await says(page, /^The server does not answer since \d\d:\d\d:\d\d: what you see is of then/);
          expect(await pill(page).innerText()).toBe("not connected");
          const second = await machine.serve("--admin-port", port);
          await sendAll(second, sets(0, 3));
          await second.ask("POST", "/api/flush");
          await becomes(() => pill(page).innerText(), "running");
          await becomes(
            () => page.locator(".station", { hasText: "4 · Database" }).locator("dd").first().innerText(),
            "3",
          );
        },
        { expected: [notAnswered] },
      )();
    }),
  );

  describeRedis("a fleet on a Redis", (redis) => {
    test.concurrent(
      "Fleet: the worker, its partitions, what is pending in each; Now says when nobody writes",
      onMachine(async (machine) => {
        const flags = ["--cache", `redis://127.0.0.1:${redis().port}`, "--store", `sqlite:${machine.data}-fleet.db`];
        const server = await machine.serve(...flags, "--durability", "memory", "--lease-ms", "1s");
        await onPage(async (page) => {
          await openView(page, server, "fleet");
          await says(page, /^Cache and queue are in redis:/);
          const workers = async (): Promise<string[]> =>
            (await cellsOf(page, "1 worker")).map((cells) => cells[2] ?? "");
          await becomes(workers, ["8 0 1 2 3 4 5 6 7"]);
          await server.ask("POST", "/api/pause");
          await sendAll(server, sets(0, 100));
          const pending = async (): Promise<number> =>
            (await cellsOf(page, "8 partitions")).reduce((sum, cells) => sum + Number(cells[2]), 0);
          await becomes(pending, 100);
          await server.ask("POST", "/api/resume");
          await becomes(pending, 0);
          await page.keyboard.press("1");
          await says(headline(page), "All is well: the database has everything.");
          await says(page, "If this process dies now nothing is lost, nothing is late: other processes go on.");
        })();
      }),
    );

    test.concurrent(
      "Now and Fleet where there is no worker",
      onMachine(async (machine) => {
        const url = `redis://127.0.0.1:${redis().port}/1`;
        const flags = ["--cache", url, "--store", `sqlite:${machine.data}-fleet.db`, "--no-worker"];
        const server = await machine.serve(...flags, "--durability", "memory", "--lease-ms", "1s");
        await onPage(async (page) => {
          await openView(page, server, "now");
          await says(
            headline(page),
            /^No worker writes 8 partitions: what is queued there does not reach the database\./,
          );
          await becomes(() => pill(page).innerText(), "stalled");
          await press(page, "See the fleet");
          await says(page, /^No worker lives: nothing reaches the database/);
          await becomes(() => page.getByText("nobody", { exact: true }).count(), 8);
        })();
      }),
    );
  });
});
