/** Parts for runs of the lesson: SQLite in temporary folders, and stores that break what passes through them. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeHost } from "../src/host/node-host.js";
import type { LessonParts } from "../src/lesson/run-lesson.js";
import { sqlite } from "../src/store/sqlite/index.js";
import type { Batch, Store } from "../src/store/store.js";
import { openReader } from "../src/store/thread-reader.js";

/** Does something to a batch, or throws, before the database gets it. */
export type Breakage = (batch: Batch) => Batch;

/** Parts whose folders stay until `remove`. With a breakage the engine's store passes every batch through it. */
export async function lessonParts(
  breakage: Breakage | null = null,
  patienceMs = 1500,
): Promise<LessonParts & { readonly folders: readonly string[]; remove(): void }> {
  const root = mkdtempSync(join(tmpdir(), "write-behind-lesson-"));
  const folders: string[] = [];
  const host = nodeHost();
  const database = (folder: string): ReturnType<typeof sqlite> => sqlite({ file: join(folder, "app.db") });
  const { createStore } = (await import(database(root).module)) as { createStore(options: unknown): Store };
  return {
    host,
    patienceMs,
    folders,
    remove: () => rmSync(root, { recursive: true, force: true }),
    newFolder: async () => {
      const folder = join(root, `run-${folders.length}`);
      mkdirSync(folder);
      folders.push(folder);
      return folder;
    },
    storeIn: (folder) =>
      breakage === null ? database(folder) : broken(createStore(database(folder).options), breakage),
    readerIn: (folder) => openReader(database(folder), host),
  };
}

function broken(store: Store, breakage: Breakage): Store {
  return {
    kind: store.kind,
    place: store.place,
    limits: store.limits,
    open: (claim) => store.open(claim),
    commit: async (batch) => store.commit(breakage(batch)),
    read: (records) => store.read(records),
    scan: (...page) => store.scan(...page),
    close: () => store.close(),
  };
}
