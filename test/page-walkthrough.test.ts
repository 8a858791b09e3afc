/** The walkthrough from its first click to its last, in a real browser: every cell compared to what was there. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { lessonHolds, type Lesson } from "../src/lesson/lesson.js";
import { executionTable, trackerTable } from "../src/lesson/tables.js";
import { describeBrowser, type PageLook } from "./browser.js";
import { inFolder } from "./cli-process.js";
import { ServerProcess } from "./crash/server-process.js";
import { becomes, button, cellsOf, notAnswered, openView, press, says } from "./page-kit.js";

/** The worked example, as it has always been told. */
const alice = '{"user:1:name": "Alice"}';
const nobody = '{"user:1:name": null}';
const queued = "[('user:1:name', 'Alice')]";
const workedExample = [
  ["1", 'Client issues SET user:1:name "Alice"', alice, queued, nobody, "OK"],
  ["2", "Write operation queued for DB", alice, queued, nobody, ""],
  ["3", "Background process writes to DB", alice, "[]", alice, ""],
  ["4", "Client issues GET user:1:name", alice, "[]", alice, '"Alice"'],
  ["5", "No more writes queued, process idle", alice, "[]", alice, ""],
];

/** A server whose temporary folders the test can look into. */
interface Lab {
  readonly server: ServerProcess;
  /** The same server again, on the same admin port. */
  again(): Promise<ServerProcess>;
  /** The database of the only sandbox, read by a connection of the test's own. */
  database(): DatabaseSyncInstance;
}

function inLab(work: (lab: Lab) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const servers: ServerProcess[] = [];
    const start = async (...flags: string[]): Promise<ServerProcess> => {
      const server = new ServerProcess(["--data", join(folder, "data"), ...flags], { variables: { TMPDIR: folder } });
      servers.push(server);
      expect(await server.ready()).toBe(true);
      return server;
    };
    const server = await start();
    const database = (): DatabaseSyncInstance => {
      const files = readdirSync(folder)
        .filter((name) => name.startsWith("write-behind-sandbox-"))
        .map((name) => join(folder, name, "app.db"))
        .filter((file) => existsSync(file));
      expect(files).toHaveLength(1);
      return new DatabaseSync(files[0], { readOnly: true, timeout: 10_000 });
    };
    try {
      await work({ server, again: () => start("--admin-port", new URL(server.admin).port), database });
    } finally {
      await Promise.all(servers.map((each) => each.end("SIGTERM")));
    }
  });
}

/** What the tables hold of these keys, as the cells of the walkthrough put it. */
function tablesHold(lab: Lab, keys: readonly string[]): string {
  const database = lab.database();
  try {
    const strings = database.prepare("SELECT value FROM write_behind_kv WHERE key = ? AND type = 'string'");
    const fields = database.prepare("SELECT field, value FROM write_behind_field WHERE key = ? ORDER BY field");
    const cells = keys.map((key) => {
      const row = strings.get(key) as { readonly value: string } | undefined;
      const hash = fields.all(key) as { readonly field: string; readonly value: string }[];
      const content =
        hash.length === 0
          ? JSON.stringify(row?.value ?? null)
          : `{${hash.map(({ field, value }) => `${JSON.stringify(field)}: ${JSON.stringify(value)}`).join(", ")}}`;
      return `${JSON.stringify(key)}: ${content}`;
    });
    return `{${cells.join(", ")}}`;
  } finally {
    database.close();
  }
}

/** What the actors of the picture hold: client, cache, queue, process, database. */
function picture(within: Page | Locator): Promise<string[]> {
  return within.locator(".stage").first().locator(".holds").allInnerTexts();
}

/** Each variable of the lesson up to a step, as the table over time shows it. */
function trackedUpTo(lesson: Lesson, step: number): string[][] {
  return trackerTable(lesson).rows.map((cells) => cells.slice(0, step + 2));
}

describeBrowser("the walkthrough", (onPage) => {
  const onLab = (work: (page: Page, lab: Lab) => Promise<void>, look?: PageLook): (() => Promise<void>) => {
    return () => inLab((lab) => onPage((page) => work(page, lab), look)());
  };

  /** Opens the lesson and gives the one that the API gave the page. */
  const openLesson = async (page: Page, server: ServerProcess): Promise<Lesson> => {
    const [response] = await Promise.all([
      page.waitForResponse("**/api/sandbox/lesson"),
      openView(page, server, "walkthrough"),
    ]);
    await button(page, "Begin").waitFor();
    return (await response.json()) as Lesson;
  };

  test.concurrent(
    "every step, forth and back: each cell is the run's, and the worked example's",
    onLab(async (page, { server }) => {
      const lesson = await openLesson(page, server);
      expect(lessonHolds(lesson)).toBe(true);
      const { rows } = executionTable(lesson);
      expect(rows).toEqual(workedExample);
      expect(await picture(page)).toEqual(["–", "{}", "[]", "–", nobody]);
      for (const [index, row] of rows.entries()) {
        const step = index + 1;
        // The button has the focus: the whole lesson goes by one key.
        await page.keyboard.press("Enter");
        await says(page, `step ${step} of ${rows.length}`);
        expect(await cellsOf(page, "Step by step")).toEqual(rows.slice(0, step));
        expect(await cellsOf(page, "Each variable over time")).toEqual(trackedUpTo(lesson, step));
        const [, , cache, queue, database, output] = row;
        const writer = lesson.rows[index]?.kind === "step" ? "writes a batch" : "–";
        expect(await picture(page)).toEqual([output === "" ? "–" : output, cache, queue, writer, database]);
      }
      expect(await button(page, "Next step").isDisabled()).toBe(true);
      await says(page, lesson.flow[0]?.shown as string);
      for (const line of lesson.snapshot) await says(page, line);
      await press(page, "Back");
      await says(page, "step 4 of 5");
      expect(await cellsOf(page, "Step by step")).toEqual(rows.slice(0, 4));
      // The place is kept while the page is.
      await page.goto(`${server.admin}/#/queue`);
      await page.goBack();
      await says(page, "step 4 of 5");
      await press(page, "Again, with a new run");
      await says(page, "step 0 of 5");
      await press(page, "Begin");
      expect(await cellsOf(page, "Step by step")).toEqual(workedExample.slice(0, 1));
    }),
  );

  test.concurrent(
    "key moments where they happen, and the database that fails at the press of a button",
    onLab(async (page, lab) => {
      const lesson = await openLesson(page, lab.server);
      await press(page, "Begin");
      expect(await page.locator(".moment").count()).toBe(0);
      await press(page, "Next step");
      const [early, fails, waits] = lesson.moments;
      for (const moment of [early, fails]) {
        for (const { text, shown } of moment?.proofs ?? []) await says(page, `${text}: ${shown}`);
      }
      const demo = page.locator(".demo");
      expect(await button(page, "Let it work again").isDisabled()).toBe(true);
      await press(page, "Make the database fail");
      await says(demo, /^The database is down\. The client was answered and reads its value/);
      expect(await picture(demo)).toEqual(['"Alice"', alice, queued, "–", nobody]);
      expect(tablesHold(lab, ["user:1:name"])).toBe(nobody);
      const done = demo.getByRole("list", { name: "What was done" });
      expect(await done.locator("li").allInnerTexts()).toEqual([
        "Database fails from now on",
        "Client issues SET user:1:name Alice",
        expect.stringMatching(/^Background process cannot write to DB: .*the database is down/),
        "Client issues GET user:1:name",
      ]);
      await press(page, "Let it work again");
      await says(demo, "The database works again and has the change; the queue has let go of it: []");
      expect(await picture(demo)).toEqual(["–", alice, "[]", "writes a batch", alice]);
      expect(tablesHold(lab, ["user:1:name"])).toBe(alice);
      await press(page, "Next step");
      for (const { text, shown } of waits?.proofs ?? []) await says(page, `${text}: ${shown}`);
      expect(await demo.count()).toBe(0);
    }),
  );

  test.concurrent(
    "the quiz: right answers and wrong ones, and how many were right",
    onLab(async (page, { server }) => {
      const lesson = await openLesson(page, server);
      for (const _ of lesson.rows) await page.keyboard.press("Enter");
      await says(page, "Quiz");
      const questions = page.locator("fieldset");
      expect(await questions.count()).toBe(lesson.quiz.length);
      for (const [index, { question, choices, answer, why }] of lesson.quiz.entries()) {
        const asked = questions.nth(index);
        expect(await asked.locator("legend").innerText()).toBe(`${index + 1}. ${question}`);
        expect(await asked.locator("label").allInnerTexts()).toEqual(choices);
        expect(await asked.getByRole("status").innerText()).toBe("");
        const isRight = index > 0;
        const choice = isRight ? answer : (choices.find((each) => each !== answer) as string);
        await asked.getByRole("radio").nth(choices.indexOf(choice)).check();
        await says(asked, `${isRight ? "Right. " : `No: ${answer}. `}${why}`);
        expect(await asked.getByRole("radio").first().isDisabled()).toBe(true);
      }
      await says(page, `${lesson.quiz.length - 1} of ${lesson.quiz.length} right.`);
      await press(page, "Now your own: type, break, kill, restart");
      await says(page, "Engine started, background process stands still");
    }),
  );

  test.concurrent(
    "a lesson whose server ends meanwhile: said, and tried again once it is back",
    onLab(
      async (page, { server, again }) => {
        await openLesson(page, server);
        await server.end("SIGKILL");
        await press(page, "Again, with a new run");
        await says(page, /^the server does not answer/);
        await again();
        await press(page, "Try again");
        await press(page, "Begin");
        expect(await cellsOf(page, "Step by step")).toEqual(workedExample.slice(0, 1));
      },
      { expected: [notAnswered] },
    ),
  );

  test.concurrent(
    "one's own: type, hold, fail, kill, restart; every cell of the database is what its tables hold",
    onLab(async (page, lab) => {
      await openView(page, lab.server, "walkthrough");
      await press(page, "Your own");
      const table = "What you did, and how everything was afterwards";
      let rows = 1;
      const keys: string[] = [];
      /** The last row once there is one more, its database compared. */
      const row = async (): Promise<Record<"action" | "cache" | "queue" | "database" | "output", string>> => {
        rows += 1;
        await becomes(async () => (await cellsOf(page, table)).length, rows);
        const [step, action, cache, queue, database, output] = (await cellsOf(page, table)).at(-1) as string[];
        expect(step).toBe(String(rows - 1));
        expect(database).toBe(tablesHold(lab, keys));
        expect((await picture(page))[4]).toBe(database);
        return { action, cache, queue, database, output } as Awaited<ReturnType<typeof row>>;
      };
      const type = async (line: string, ...named: string[]): ReturnType<typeof row> => {
        keys.push(...named);
        await page.getByLabel("Command").fill(line);
        await page.keyboard.press("Enter");
        return row();
      };
      const press1 = async (name: string): ReturnType<typeof row> => {
        await press(page, name);
        return row();
      };
      await says(page, "Engine started, background process stands still");
      expect(await type("SET user:1:name Alice", "user:1:name")).toEqual({
        action: "Client issues SET user:1:name Alice",
        cache: alice,
        queue: queued,
        database: nobody,
        output: "OK",
      });
      expect(await type('SET greeting "two <b>words</b>"', "greeting")).toMatchObject({
        queue: `[('user:1:name', 'Alice'), ('greeting', 'two <b>words</b>')]`,
        database: '{"user:1:name": null, "greeting": null}',
      });
      expect(await press1("Let the writer run once")).toMatchObject({
        queue: "[]",
        database: '{"user:1:name": "Alice", "greeting": "two <b>words</b>"}',
      });
      expect(await type("NOSUCH thing")).toMatchObject({ output: expect.stringMatching(/^\(error\) ERR/) as string });

      await type("HSET cart:7 apples 3 pears 4", "cart:7");
      await press1("Make the database fail");
      await type("SET user:1:name Bob");
      // What needs the database cannot be done, and says so.
      expect(await type("HSET cart:8 apples 3", "cart:8")).toMatchObject({
        output: expect.stringMatching(/^\(error\) WBSTORE/) as string,
      });
      const failed = await press1("Let the writer run once");
      expect(failed.queue).toBe(`[('cart:7', {'apples': '3', 'pears': '4'}), ('user:1:name', 'Bob')]`);
      expect(failed.database).toMatch(/"user:1:name": "Alice".*"cart:7": null/);
      await says(page.getByRole("status"), /database/);

      expect(await press1("Kill the engine (kill -9)")).toMatchObject({
        action: expect.stringMatching(/^Engine killed \(kill -9 \d+\): its cache is gone$/) as string,
        cache: "{}",
        queue: "in the journal on disk",
      });
      await says(page.getByRole("status"), /^The engine is dead: .*The journal on disk has everything/);
      expect(await button(page, "Send").isDisabled()).toBe(true);
      await press1("Let the database work again");
      expect(await press1("Start it again")).toMatchObject({
        action: "Engine started again: its journal had 2 changes queued",
        queue: failed.queue,
        database: failed.database,
      });
      expect(await type("GET user:1:name")).toMatchObject({ output: '"Bob"' });
      await press(page, "Let the writer run by itself");
      rows += 1;
      const wanted =
        '{"user:1:name": "Bob", "greeting": "two <b>words</b>", "cart:7": {"apples": "3", "pears": "4"}, "cart:8": null}';
      await becomes(async () => (await picture(page))[4], wanted);
      expect(tablesHold(lab, keys)).toBe(wanted);
      // Nothing that is pressed gets lost while the page looks by itself.
      for (const count of [1, 2, 3]) {
        await page.getByLabel("Command").fill(`SET count ${count}`);
        await page.keyboard.press("Enter");
      }
      rows += 3;
      await becomes(async () => (await cellsOf(page, table)).length, rows);
      await becomes(async () => (await picture(page))[4], wanted.replace(/}$/, ', "count": "3"}'));
      await press(page, "Hold the writer");
      await press(page, "A new one");
      await becomes(async () => (await cellsOf(page, table)).length, 1);
      expect(await picture(page)).toEqual(["–", "{}", "[]", "–", "{}"]);
    }),
  );
});
