/** The writer on a real thread, between a real journal and a real SQLite file. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { PlainError } from "../src/errors.js";
import type { BatchReport } from "../src/events.js";
import { nodeHost } from "../src/host/node-host.js";
import { defaultOptions } from "../src/options.js";
import { Journal } from "../src/queue/journal/journal.js";
import { JournalReader } from "../src/queue/journal/reader.js";
import type { Position, Waiting } from "../src/queue/queue.js";
import { loadStore } from "../src/store/load-store.js";
import { sqlite } from "../src/store/sqlite/index.js";
import type { StoreDescriptor } from "../src/store/store.js";
import type { UnparkedReport } from "../src/writer/messages.js";
import { startWriter, type WriterHandle, type WriterReports } from "../src/writer/writer-link.js";
import { put } from "./writer-world.js";

const host = nodeHost();
const options = defaultOptions();
let folder = "";
let journal: Journal;
let writer: WriterHandle | null = null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "write-behind-writer-"));
  journal = await Journal.open(host, join(folder, "journal"), options);
});

afterEach(async () => {
  await writer?.stop();
  await journal.close();
  rmSync(folder, { recursive: true });
});

/** The heart's half, as small as it can be. */
class Owner implements WriterReports {
  readonly troubles: [PlainError, boolean][] = [];
  readonly retries: PlainError[] = [];
  readonly batches: BatchReport[] = [];
  readonly unparkedIds: string[] = [];
  stored = 0;
  #ask: { readonly sequence: number; readonly answer: (waiting: Waiting) => void } | null = null;
  #wake: () => void = () => {};

  waiting(sequence: number, answer: (waiting: Waiting) => void): void {
    this.#ask = { sequence, answer };
    this.accepted();
  }
  accepted(): void {
    if (this.#ask === null || journal.accepted <= this.#ask.sequence) return;
    const { sequence, answer } = this.#ask;
    this.#ask = null;
    answer(journal.waitingAfter(sequence));
  }
  durableMark(): Promise<number> {
    return journal.syncNow();
  }
  opened(position: Position): void {
    this.#reached(position);
  }
  committed(position: Position, report: BatchReport): void {
    this.batches.push(report);
    this.#reached(position);
  }
  retry(error: PlainError): void {
    this.retries.push(error);
    this.#wake();
  }
  unparked({ ids }: UnparkedReport): void {
    this.unparkedIds.push(...ids);
    this.#wake();
  }
  up(): void {}
  broken(error: PlainError, opening: boolean): void {
    this.troubles.push([error, opening]);
    this.#wake();
  }
  /** Resolves once something holds; looked at with everything that is told. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
  #reached(position: Position): void {
    this.stored = position.sequence;
    journal.acknowledge(position);
    this.#wake();
  }
}

function start(store: StoreDescriptor): Owner {
  const owner = new Owner();
  const path = join(folder, "journal");
  const { logId } = journal;
  const frames = () => JournalReader.open(host.disk, path, logId);
  writer = startWriter(host, { store, folder: path, frames, logId, paused: false, options }, owner);
  return owner;
}

function write(owner: Owner, ...changes: ReturnType<typeof put>[]): void {
  journal.append({ kind: "changes", changes }, host.clock.now());
  owner.accepted();
}

it("brings what the journal holds into SQLite, and goes on after a restart", async () => {
  const store = sqlite({ file: join(folder, "app.db") });
  let owner = start(store);
  for (let i = 0; i < 5000; i++) write(owner, put(`key${i % 1000}`, `value${i}`));
  await owner.until(() => owner.stored === 5000);
  expect(owner.batches.reduce((sum, batch) => sum + batch.changes, 0)).toBe(5000);
  await writer?.stop();

  owner = start(store);
  write(owner, put("key0", "later"), put("key1", "later"));
  writer?.hurry(journal.accepted);
  await owner.until(() => owner.stored === 5001);
  expect(owner.batches).toHaveLength(1);
  expect(owner.troubles).toEqual([]);

  const reading = await loadStore(store);
  const values = await reading.read(["key0", "key1", "key2", "key999"] as Bytes[]);
  expect(values.map((value) => value?.content)).toEqual(["later", "later", "value4002", "value4999"]);
  await reading.close();
});

it("a database that cannot be opened is told, and tried again until it can", async () => {
  const owner = start(sqlite({ file: join(folder, "no-such-folder", "app.db") }));
  await owner.until(() => owner.troubles.length > 0 || owner.retries.length > 0);
  expect(owner.stored).toBe(0);
});

it("what a user's own index and trigger refuse is parked, and stored once they let it", async () => {
  const file = join(folder, "app.db");
  let owner = start(sqlite({ file }));
  write(owner, put("email:1", "a@x"));
  await owner.until(() => owner.stored === 1);
  const shell = new DatabaseSync(file, { timeout: 10_000 });
  shell.exec(`CREATE UNIQUE INDEX one_email ON write_behind_kv (value) WHERE key LIKE 'email:%';
    CREATE TRIGGER no_bad BEFORE INSERT ON write_behind_kv WHEN new.value = 'bad'
      BEGIN SELECT RAISE(ABORT, 'no bad'); END`);
  for (let i = 0; i < 300; i++) write(owner, put(`key${i}`, i === 200 ? "bad" : "good"), put(`with${i}`, "1"));
  write(owner, put("email:2", "a@x"));
  write(owner, put("email:3", "b@x"));
  write(owner, put("key200", "good"), put("joined", "1"));
  await owner.until(() => owner.stored === 304);
  expect(owner.troubles).toEqual([]);
  const letters = async () =>
    ((await writer?.deadLetters(10, null))?.items ?? []).map(({ id, reason }) => [id, reason]);
  const rows = (sql: string): string[] =>
    shell
      .prepare(sql)
      .all()
      .map((row) => Object.values(row as object).join("|"));

  // The frame of key200 has healed or not yet: what came behind it has made it good.
  await owner.until(() => owner.unparkedIds.includes("202"));
  expect(
    rows("SELECT key, value FROM write_behind_kv WHERE key IN ('key200', 'with200', 'joined') ORDER BY key"),
  ).toEqual(["joined|1", "key200|good", "with200|1"]);
  expect(await letters()).toEqual([["302", expect.stringContaining("UNIQUE constraint failed")]]);
  expect(rows("SELECT kind, record, change, sequence FROM write_behind_dead_letters")).toEqual([
    'refused|email:2|{"kind":"replace","value":{"type":"string","value":"a@x","expiresAt":null},"afterRemove":false}|302',
  ]);
  expect(rows("SELECT value FROM write_behind_kv WHERE key LIKE 'email:%' ORDER BY key")).toEqual(["a@x", "b@x"]);

  // After a restart it is known still, and what it was in the way of is gone.
  await writer?.stop();
  owner = start(sqlite({ file }));
  await owner.until(() => owner.stored === 304);
  expect((await letters()).map(([id]) => id)).toEqual(["302"]);
  expect(await writer?.retryDeadLetters(["302"])).toMatchObject([{ became: "refused" }]);
  shell.exec("DROP INDEX one_email");
  await writer?.retryDeadLetters("all");
  expect(rows("SELECT value FROM write_behind_kv WHERE key LIKE 'email:%' ORDER BY key")).toEqual([
    "a@x",
    "a@x",
    "b@x",
  ]);
  expect(rows("SELECT count(*) FROM write_behind_dead_letters")).toEqual(["0"]);
  shell.close();
});

it("a thread that dies is started again", async () => {
  // The store of a user who ends the thread with his first commit: the worst that can happen in there.
  const module = join(folder, "deadly-store.mjs");
  const sqliteModule = new URL("../src/store/sqlite/index.js", import.meta.url).href;
  writeFileSync(
    module,
    `import { existsSync, writeFileSync } from "node:fs";
    import { createStore as createSqlite } from ${JSON.stringify(sqliteModule)};
    export function createStore({ file }) {
      const store = createSqlite({ file });
      const commit = store.commit.bind(store);
      store.commit = async (batch) => {
        await commit(batch);
        if (existsSync(file + ".died")) return;
        writeFileSync(file + ".died", "");
        process.exit(7);
      };
      return store;
    }`,
  );
  const file = join(folder, "app.db");
  const owner = start({ module: pathToFileURL(module).href, options: { file }, reads: "caller" });
  write(owner, put("a", "1"));
  await owner.until(() => owner.retries.length > 0);
  expect(owner.retries[0]?.message).toContain("the writer's thread ended");
  // Its COMMIT was done before it died: the position tells, and nothing is written twice.
  await owner.until(() => owner.stored === 1);
  expect(owner.batches).toEqual([]);
  write(owner, put("b", "1"));
  await owner.until(() => owner.stored === 2);
  expect(owner.batches).toHaveLength(1);
});
