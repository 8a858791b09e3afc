/** The admin page for everybody: axe-core on every view, light, dark, on a phone; the keyboard alone; its pictures. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessibilityViolations, describeBrowser, takePictures } from "./browser.js";
import {
  becomes,
  button,
  headline,
  notAnswered,
  onServer,
  openView,
  pill,
  press,
  says,
  sendAll,
  type Served,
} from "./page-kit.js";
import { onMachine, send } from "./serve-machine.js";
import { describeRedis } from "./with-redis.js";

const phone = { width: 400, height: 800 };
const desktop = { width: 1280, height: 800 };
const flags = ["--delay", "0", "--retry-min-ms", "1h", "--retry-max-ms", "1h"];

/** No violation in either theme, none on a phone, where nothing sticks out either; what is empty is alike there. */
async function expectAccessible(page: Page, what: string, isEmpty = false): Promise<void> {
  // Themes differ in colours, sizes of the screen in anything else.
  for (const [colorScheme, rules] of [["light", "all"] as const, ["dark", "colours"] as const]) {
    await page.emulateMedia({ colorScheme });
    await becomes(() => page.evaluate("document.documentElement.dataset.theme"), colorScheme);
    expect(await accessibilityViolations(page, rules), `${what}, ${colorScheme}`).toEqual([]);
  }
  await page.setViewportSize(phone);
  if (!isEmpty) expect(await accessibilityViolations(page, "all but colours"), `${what}, on a phone`).toEqual([]);
  const wide = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth");
  expect(wide, `${what} is wider than a phone`).toBe(0);
  await page.setViewportSize(desktop);
}

/** A change that the database refuses, and one that waits behind it. */
async function refuseOne({ server, machine }: Served): Promise<void> {
  machine.open().exec("CREATE UNIQUE INDEX one_of_each ON write_behind_kv (value)");
  await send(server, ["SET", "user:1:email", "ann@example.org"], ["WAIT", "1", "0"]);
  await send(server, ["SET", "user:2:email", "ann@example.org"], ["WAIT", "1", "0"]);
  await send(server, ["EXPIRE", "user:2:email", "100000"], ["WAIT", "1", "0"]);
}

function* orders(from: number, to: number): Generator<string[]> {
  for (let index = from; index < to; index += 1) {
    yield ["HSET", `order:${index % 700}`, "state", index % 3 === 0 ? "paid" : "sent", "total", `${index % 97}.90`];
    yield ["SET", `user:${index % 300}:seen`, `2026-11-25T10:${String(index % 60).padStart(2, "0")}:00Z ${index}`];
  }
}

/** For the eyes of whoever changes the page, into the folder PHONE_PICTURES; not kept. */
async function takePhonePicture(page: Page, name: string): Promise<void> {
  const folder = process.env["PHONE_PICTURES"];
  if (folder === undefined) return;
  await page.setViewportSize(phone);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true, animations: "disabled" });
  await page.setViewportSize(desktop);
}

describeBrowser("the page for everybody", (onPage) => {
  test.concurrent(
    "axe-core finds nothing in views that have nothing to show",
    onServer(onPage, [], async ({ page, server }) => {
      for (const view of ["now", "queue", "record", "letters", "console", "fleet", "walkthrough"]) {
        await openView(page, server, view);
        await says(
          page.locator("main"),
          /All is well|queue is empty|Type a key|There are none|real data|is alone|Begin/,
        );
        await expectAccessible(page, view, true);
      }
    }),
  );

  test.concurrent(
    "axe-core finds nothing in views with data",
    onServer(onPage, flags, async (served) => {
      const { page, server } = served;
      await server.ask("POST", "/api/pause");
      await sendAll(server, [...orders(0, 20), ["SET", Buffer.from([0xff, 0]), "x".repeat(3000)]]);
      await openView(page, server, "now");
      await says(headline(page), /paused/);
      await expectAccessible(page, "now");
      await openView(page, server, "queue");
      await page.getByRole("table", { name: "Pending changes" }).waitFor();
      await press(page, "Step one run");
      await says(page, /committed in/);
      await sendAll(server, orders(0, 150));
      await button(page, "Show more").waitFor();
      await expectAccessible(page, "queue");
      await page.getByLabel("by record").check();
      await expectAccessible(page, "queue by record");
      await openView(page, server, "record?key=order%3A1");
      await says(page, "Its recent journey");
      await expectAccessible(page, "record");
    }),
  );

  test.concurrent(
    "axe-core finds nothing in dead letters, their record, and the question before one is given up",
    onServer(onPage, flags, async (served) => {
      const { page, server } = served;
      await refuseOne(served);
      await openView(page, server, "record?key=user%3A2%3Aemail");
      await says(page, /the database refuses it/);
      await expectAccessible(page, "record that is refused");
      await openView(page, server, "letters");
      await press(page, "Retry");
      await says(page, /refused again/);
      await page.getByText(/waiting behind the group/).click();
      await expectAccessible(page, "dead letters");
      await press(page, "Discard …");
      await page.getByRole("dialog").waitFor();
      await expectAccessible(page, "dead letters, asked");
    }),
  );

  test.concurrent(
    "axe-core finds nothing where things fail: database down, errors, a lost server",
    onServer(
      onPage,
      flags,
      async ({ page, server, machine }) => {
        await openView(page, server, "console");
        for (const line of ["SET a b", "NOSUCH", "GET a"]) {
          await page.getByLabel("Command").fill(line);
          await page.keyboard.press("Enter");
        }
        await says(page, /ERR unknown command/);
        await expectAccessible(page, "console");
        const unlock = machine.lock();
        await sendAll(server, orders(0, 5));
        await openView(page, server, "now");
        await says(headline(page), /The database is unreachable/);
        await expectAccessible(page, "now, database down");
        unlock();
        await server.end("SIGKILL");
        await says(page, /The server does not answer since/);
        await expectAccessible(page, "lost");
      },
      { expected: [notAnswered] },
    ),
  );

  test.concurrent(
    "axe-core finds nothing in the walkthrough, step by step, in the quiz and in one's own",
    onServer(onPage, [], async ({ page, server }) => {
      await openView(page, server, "walkthrough");
      await press(page, "Begin");
      await press(page, "Next step");
      await press(page, "Make the database fail");
      await says(page, /^The database is down\. The client was answered/);
      await expectAccessible(page, "the database that fails");
      for (let step = 3; step <= 5; step += 1) await press(page, "Next step");
      for (const question of await page.locator("fieldset").all()) await question.getByRole("radio").first().check();
      await expectAccessible(page, "the end of the lesson");
      await press(page, "Your own");
      await says(page, "Engine started, background process stands still");
      await page.getByLabel("Command").fill("SET cart:7 apples");
      await page.keyboard.press("Enter");
      await says(page.getByRole("table"), "Client issues SET cart:7 apples");
      await press(page, "Kill the engine (kill -9)");
      await says(page, /^The engine is dead/);
      await expectAccessible(page, "one's own, dead");
    }),
  );

  test.concurrent(
    "axe-core finds nothing where the token is asked for",
    onServer(
      onPage,
      ["--admin-token", "s3cret-token"],
      async ({ page, server }) => {
        await openView(page, server, "now");
        await page.getByLabel("It is what the server was started with").fill("wrong");
        await page.keyboard.press("Enter");
        await says(page, "The token that was given is not the server’s.");
        await expectAccessible(page, "token");
      },
      { expected: [/401/] },
    ),
  );

  test.concurrent(
    "the keyboard alone: past the views to the content, through the lesson, a failure and the quiz",
    onServer(onPage, [], async ({ page, server }) => {
      const focused = (): Promise<string> => page.evaluate("document.activeElement.textContent.trim()");
      const tabTo = async (name: string): Promise<void> => {
        for (let presses = 0; presses < 60; presses += 1) {
          if ((await focused()) === name) return;
          await page.keyboard.press("Tab");
        }
        throw new Error(`Tab does not lead to ${name}`);
      };
      await openView(page, server, "queue");
      await says(page, "Nothing is pending");
      await page.keyboard.press("Tab");
      expect(await focused()).toBe("To the content");
      await page.keyboard.press("Enter");
      expect(await page.evaluate("document.activeElement.id")).toBe("main");
      expect(page.url()).toMatch(/#\/queue$/);
      await page.keyboard.press("Tab");
      expect(await focused()).toBe("Pause");
      await page.keyboard.press("7");
      await button(page, "Begin").waitFor();
      await tabTo("Begin");
      await page.keyboard.press("Enter");
      await page.keyboard.press("Space");
      await says(page, "step 2 of 5");
      await tabTo("Make the database fail");
      await page.keyboard.press("Enter");
      await says(page, /^The database is down\. The client was answered/);
      await tabTo("Let it work again");
      await page.keyboard.press("Enter");
      await says(page, /^The database works again and has the change/);
      await page.keyboard.press("Shift+Tab");
      await page.locator("h2").first().scrollIntoViewIfNeeded();
      await button(page, "Next step").focus();
      for (let step = 3; step <= 5; step += 1) await page.keyboard.press("Enter");
      await says(page, "step 5 of 5");
      const questions = await page.locator("fieldset").count();
      for (let index = 0; index < questions; index += 1) {
        for (let presses = 0; presses < 60; presses += 1) {
          if ((await page.evaluate("document.activeElement.name ?? ''")) === `question-${index + 1}`) break;
          await page.keyboard.press("Tab");
        }
        await page.keyboard.press("Space");
        await says(page.locator("fieldset").nth(index), /^(Right|No: )/);
      }
      await says(page, new RegExp(`^\\d of ${questions} right\\.$`));
      await tabTo("Now your own: type, break, kill, restart");
      await page.keyboard.press("Enter");
      await says(page, "Engine started, background process stands still");
    }),
  );

  if (process.env["UPDATE_PICTURES"] === "1") {
    test(
      "pictures of every view",
      onServer(onPage, flags, async (served) => {
        const { page, server, machine } = served;
        /** A load that comes and goes, for so long. */
        const load = async (ms: number): Promise<void> => {
          const end = performance.now() + ms;
          for (let round = 0; performance.now() < end; round += 1) {
            const many = 60 + Math.round(50 * Math.sin(round / 9));
            await sendAll(server, orders(round * many, (round + 1) * many));
            await sendAll(
              server,
              Array.from({ length: 40 }, (_, index) => ["GET", `user:${index * 9}:seen`]),
            );
            await page.waitForTimeout(100);
          }
        };
        await openView(page, server, "now");
        await load(25_000);
        await takePictures(page, "now");
        await takePhonePicture(page, "now");

        await server.ask("POST", "/api/pause");
        await sendAll(server, orders(0, 60));
        await openView(page, server, "queue");
        await says(page, "120 changes of 120 records pending");
        await page.getByRole("table", { name: "Pending changes" }).waitFor();
        await takePictures(page, "queue");
        await takePhonePicture(page, "queue");
        await openView(page, server, "record?key=order%3A17");
        await says(page, "Its recent journey");
        await takePictures(page, "record");
        await takePhonePicture(page, "record");
        await server.ask("POST", "/api/resume");
        await server.ask("POST", "/api/flush");

        const unlock = machine.lock();
        await openView(page, server, "now");
        await load(8000);
        await says(headline(page), /The database is unreachable/);
        await takePictures(page, "now-database-down");
        await takePhonePicture(page, "now-database-down");
        unlock();
        await server.ask("POST", "/api/flush");

        await refuseOne(served);
        await openView(page, server, "letters");
        await page.getByText(/waiting behind the group/).click();
        await becomes(() => pill(page).innerText(), "running");
        await takePictures(page, "dead-letters");
        await takePhonePicture(page, "dead-letters");
        await openView(page, server, "console");
        const lines = [
          'SET user:1:name "Alice"',
          "GET user:1:name",
          "INCR visits",
          "HSET cart:7 apples 3 pears 4",
          "HGETALL cart:7",
        ];
        for (const [index, line] of [...lines, "LPUSH visits 1"].entries()) {
          await page.getByLabel("Command").fill(line);
          await page.keyboard.press("Enter");
          await page.getByRole("log").locator("pre").nth(index).waitFor();
        }
        await takePictures(page, "console");
        await takePhonePicture(page, "console");
        await openView(page, server, "walkthrough");
        for (const name of ["Begin", "Next step", "Next step"]) await press(page, name);
        await takePictures(page, "walkthrough");
        await takePhonePicture(page, "walkthrough");
        await press(page, "Your own");
        await says(page, "Engine started, background process stands still");
        for (const line of ["SET user:1:name Alice", "SET user:2:name Bob"]) {
          await page.getByLabel("Command").fill(line);
          await page.keyboard.press("Enter");
          await says(page.getByRole("table"), `Client issues ${line}`);
        }
        await press(page, "Let the writer run once");
        await press(page, "Make the database fail");
        await says(page.getByRole("table"), "Database fails from now on");
        await takePictures(page, "walkthrough-own");
        await takePhonePicture(page, "walkthrough-own");
      }),
    );
  }

  describeRedis("a fleet on a Redis", (redis) => {
    test.concurrent(
      "axe-core finds nothing in a fleet of two",
      onMachine(async (machine) => {
        const url = `redis://127.0.0.1:${redis().port}`;
        const all = ["--cache", url, "--store", `sqlite:${machine.data}-fleet.db`, "--durability", "memory"];
        const [server] = await Promise.all([machine.serve(...all), machine.serve(...all)]);
        await onPage(async (page) => {
          await openView(page, server, "fleet");
          await says(page, "2 workers");
          await server.ask("POST", "/api/pause");
          await sendAll(server, orders(0, 500));
          await becomes(() => page.getByText("nobody", { exact: true }).count(), 0);
          await says(page.getByRole("table").nth(1), /^[1-9]\d*\.\d KB$/);
          await expectAccessible(page, "fleet");
          await takePictures(page, "fleet");
          await takePhonePicture(page, "fleet");
        })();
      }),
    );
  });
});
