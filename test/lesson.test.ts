/** The lesson is what the engine does: on a sound engine the specified table, on a broken one the breakage. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { drawMarkdown, tableOf } from "../src/lesson/draw-markdown.js";
import { drawTerminal } from "../src/lesson/draw-terminal.js";
import { lessonHolds, type Lesson, type LessonAction } from "../src/lesson/lesson.js";
import { askQuiz } from "../src/lesson/quiz.js";
import { runLesson, runOwnCommands } from "../src/lesson/run-lesson.js";
import { executionTable, trackerTable } from "../src/lesson/tables.js";
import { StoreError } from "../src/store/store.js";
import { lessonParts, type Breakage } from "./lesson-setup.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

const specified = `
| Step | Action | Cache State | Write Queue | DB State | Output |
|---|---|---|---|---|---|
| 1 | Client issues SET user:1:name "Alice" | {"user:1:name": "Alice"} | [('user:1:name', 'Alice')] | {"user:1:name": null} | OK |
| 2 | Write operation queued for DB | {"user:1:name": "Alice"} | [('user:1:name', 'Alice')] | {"user:1:name": null} | |
| 3 | Background process writes to DB | {"user:1:name": "Alice"} | [] | {"user:1:name": "Alice"} | |
| 4 | Client issues GET user:1:name | {"user:1:name": "Alice"} | [] | {"user:1:name": "Alice"} | "Alice" |
| 5 | No more writes queued, process idle | {"user:1:name": "Alice"} | [] | {"user:1:name": "Alice"} | |
`.trim();

let parts: Awaited<ReturnType<typeof lessonParts>>;
let lesson: Lesson;
beforeAll(async () => {
  parts = await lessonParts();
  lesson = await runLesson(parts);
});
afterAll(() => parts.remove());

describe("the worked example", () => {
  it("is the table of the specification, cell by cell", () => {
    expect(tableOf(executionTable(lesson))).toBe(specified);
  });

  it("is on README's first screen", () => {
    const firstScreen = readFileSync(join(root, "README.md"), "utf8").split("\n").slice(0, 40).join("\n");
    expect(firstScreen).toContain(tableOf(executionTable(lesson)));
  });

  it("left in the SQLite file what the table says", () => {
    const database = new DatabaseSync(join(parts.folders[0] ?? "", "app.db"), { readOnly: true });
    const rows = database.prepare("select key, value from write_behind_kv").all();
    database.close();
    expect(rows).toEqual([{ key: "user:1:name", value: "Alice" }]);
  });

  it("follows each variable from the start to the end", () => {
    const { heads, rows } = trackerTable(lesson);
    expect(heads).toEqual([
      "Variable",
      "Start",
      "After Step 1",
      "After Step 2",
      "After Step 3",
      "After Step 4",
      "Final",
    ]);
    const [set, queued, none] = ['{"user:1:name": "Alice"}', "[('user:1:name', 'Alice')]", '{"user:1:name": null}'];
    expect(rows).toEqual([
      ["Cache", "{}", set, set, set, set, set],
      ["Write Queue", "[]", queued, queued, "[]", "[]", "[]"],
      ["DB", none, none, none, set, set, set],
      ["Output", "", "OK", "", "", '"Alice"', ""],
    ]);
  });

  it("bears out the flow and proves the three key moments", () => {
    expect(lesson.flow.map((stage) => stage.text)).toEqual([
      "client writes data to cache",
      "cache stores it immediately",
      "write operation queued",
      "background process writes to the database",
      "database updated asynchronously",
      "client reads the latest from the cache",
    ]);
    expect(lesson.moments.map((moment) => moment.proofs.filter((proof) => !proof.holds))).toEqual([[], [], []]);
    expect(lessonHolds(lesson)).toBe(true);
    const [answered, stored] = lesson.moments[2]?.measured ?? [];
    expect(answered?.ms).toBeGreaterThan(0);
    expect(stored?.ms).toBeGreaterThan(answered?.ms ?? 0);
  });

  it("answers the quiz from the run, and ends in five lines", () => {
    expect(lesson.quiz.map((one) => one.answer)).toEqual(["[]", "step 3", '"Alice"']);
    for (const { choices, answer } of lesson.quiz) expect(choices).toContain(answer);
    expect(lesson.snapshot).toHaveLength(5);
  });

  it("is docs/lesson.md, and every run makes the same page (UPDATE_DOCS=1 writes it anew)", async () => {
    const path = join(root, "docs", "lesson.md");
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(path, drawMarkdown(lesson));
    expect(readFileSync(path, "utf8")).toBe(drawMarkdown(lesson));
    expect(drawMarkdown(await runLesson(parts))).toBe(drawMarkdown(lesson));
  });

  it("is drawn for a terminal with every cell, proof and time", () => {
    const text = drawTerminal(lesson);
    for (const row of lesson.rows) for (const cell of Object.values(row.cells)) expect(text).toContain(cell);
    for (const { proofs } of lesson.moments) for (const { shown } of proofs) expect(text).toContain(shown);
    expect(text).toMatch(/measured: answered by cache and queue .*: [\d.]+ ms/);
    expect(text).not.toContain("NOT SO");
  });

  it("goes through JSON unchanged", () => {
    expect(JSON.parse(JSON.stringify(lesson))).toEqual(lesson);
  });
});

describe("on a broken engine the lesson shows the breakage", () => {
  async function brokenLesson(breakage: Breakage): Promise<Lesson> {
    const one = await lessonParts(breakage, 300);
    try {
      return await runLesson(one);
    } finally {
      one.remove();
    }
  }

  const databaseColumn = (one: Lesson): string[] => one.rows.map((row) => row.cells.database);

  it("a store that says committed and loses the rows", async () => {
    const broken = await brokenLesson((batch) => ({ ...batch, rows: new Map() }));
    expect(databaseColumn(broken)).toEqual(Array.from({ length: 5 }, () => '{"user:1:name": null}'));
    expect(broken.quiz[1]?.answer).toBe("at none of them");
    expect(broken.flow.filter((stage) => !stage.holds).map((stage) => stage.text)).toEqual([
      "database updated asynchronously",
    ]);
    expect(broken.moments[1]?.proofs.filter((proof) => !proof.holds)).toHaveLength(1);
    expect(lessonHolds(broken)).toBe(false);
    expect(drawTerminal(broken)).toContain("NOT SO IN THIS RUN");
    expect(drawMarkdown(broken)).not.toBe(drawMarkdown(lesson));
  });

  it("a store that writes another value", async () => {
    const other = { content: "Bob" as Bytes, expiresAt: null, kind: "replace", afterRemove: false } as const;
    const broken = await brokenLesson((batch) => ({
      ...batch,
      rows: new Map([...batch.rows.keys()].map((record) => [record, other])),
    }));
    expect(databaseColumn(broken).slice(2)).toEqual(Array.from({ length: 3 }, () => '{"user:1:name": "Bob"}'));
    expect(lessonHolds(broken)).toBe(false);
  });

  it("a store that never takes anything: the queue keeps it, and the table says so", async () => {
    const broken = await brokenLesson((batch) => {
      if (batch.rows.size > 0) throw new StoreError("retryable", "no");
      return batch;
    });
    expect(broken.rows.at(-1)?.cells.queue).toBe("[('user:1:name', 'Alice')]");
    expect(broken.rows[2]?.action).not.toBe("Background process writes to DB");
    expect(broken.rows.at(-1)?.action).toBe("1 write still queued, process paused");
    expect(broken.quiz[0]?.answer).toBe("[('user:1:name', 'Alice')]");
    expect(lessonHolds(broken)).toBe(false);
  });
});

describe("own commands", () => {
  const command = (text: string): LessonAction => ({ kind: "command", text, args: text.split(" ").map(bytesOfText) });
  const step: LessonAction = { kind: "step" };
  const run = (actions: LessonAction[]): Promise<Lesson> => runOwnCommands(parts, actions);
  const shown = (one: Lesson): string[][] =>
    one.rows.map(({ action, cells }) => [action, cells.queue, cells.database, cells.output]);

  it("show two changes become one row", async () => {
    const own = await run([command("SET a 1"), command("INCR a"), step, command("GET a")]);
    expect(shown(own)).toEqual([
      ["Client issues SET a 1", "[('a', '1')]", '{"a": null}', "OK"],
      ["Write operation queued for DB", "[('a', '1')]", '{"a": null}', ""],
      ["Client issues INCR a", "[('a', '1'), ('a', '2')]", '{"a": null}', "(integer) 2"],
      ["Write operation queued for DB", "[('a', '1'), ('a', '2')]", '{"a": null}', ""],
      ["Background process writes to DB: 2 changes become 1 row", "[]", '{"a": "2"}', ""],
      ["Client issues GET a", "[]", '{"a": "2"}', '"2"'],
      ["No more writes queued, process idle", "[]", '{"a": "2"}', ""],
    ]);
    expect([own.flow, own.moments, own.quiz]).toEqual([[], [], []]);
  });

  it("show hashes, deletes, errors and what nobody has written yet", async () => {
    const own = await run([
      step,
      command("HSET h f 1 g it's"),
      command("HDEL h f"),
      command("GET h"),
      command("DEL nothing"),
      command("NONSENSE"),
      command("DEL h"),
    ]);
    expect(shown(own).map(([action, queue, , output]) => [action, queue, output])).toEqual([
      ["Background process finds nothing to write", "[]", ""],
      ["Client issues HSET h f 1 g it's", "[('h', {'f': '1', 'g': 'it\\'s'})]", "(integer) 2"],
      ["Write operation queued for DB", "[('h', {'f': '1', 'g': 'it\\'s'})]", ""],
      ["Client issues HDEL h f", "[('h', {'f': '1', 'g': 'it\\'s'}), ('h', {'f': null})]", "(integer) 1"],
      ["Write operation queued for DB", "[('h', {'f': '1', 'g': 'it\\'s'}), ('h', {'f': null})]", ""],
      ["Client issues GET h", expect.any(String), expect.stringContaining("(error) WRONGTYPE")],
      ["Client issues DEL nothing", expect.any(String), "(integer) 0"],
      ["Client issues NONSENSE", expect.any(String), expect.stringContaining("(error) ERR unknown command")],
      ["Client issues DEL h", expect.stringMatching(/\('h', null\)\]$/), "(integer) 1"],
      ["Write operation queued for DB", expect.stringMatching(/\('h', null\)\]$/), ""],
      ["3 writes still queued, process paused", expect.any(String), ""],
    ]);
  });
});

describe("the quiz", () => {
  it("takes a letter or the answer, and says what is right", async () => {
    const said: string[] = [];
    const typed = ["nonsense", "STEP 3", "b"];
    const result = await askQuiz(
      lesson.quiz,
      async (text) => (said.push(text), typed.shift() ?? null),
      (text) => said.push(text),
    );
    expect(result).toEqual({ right: 2, asked: 3 });
    expect(said[1]).toMatch(/^No: \[\]/);
    expect(said[3]).toMatch(/^Right\./);
    expect(lesson.quiz[2]?.choices[1]).toBe('"Alice"');
  });

  it("ends when the person leaves", async () => {
    expect(
      await askQuiz(
        lesson.quiz,
        async () => null,
        () => {},
      ),
    ).toEqual({ right: 0, asked: 0 });
  });
});

it("keeps its runs in the folders that it was given", () => {
  for (const folder of parts.folders) expect(existsSync(join(folder, "app.db"))).toBe(true);
});
