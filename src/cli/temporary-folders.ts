/** Lessons and sandboxes on SQLite databases in new folders, which are taken away when they are done with. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../host/host.js";
import { nodeHost } from "../host/node-host.js";
import { systemProcesses } from "../host/processes.js";
import { runLesson, type LessonParts } from "../lesson/run-lesson.js";
import type { Sandboxes } from "../lesson/sandbox.js";
import { sandboxesOf } from "../lesson/sandboxes.js";
import { sqlite } from "../store/sqlite/index.js";
import type { StoreReader } from "../store/store.js";
import { openReader } from "../store/thread-reader.js";

/** A run of the lesson takes a second; whoever waits this long waits for something that will not come. */
const patienceMs = 10_000;

/** Gives a lesson its folders, and takes them away when it is done. */
export async function inTemporaryFolder<T>(use: (parts: LessonParts) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), "write-behind-trace-"));
  const host = nodeHost();
  let runs = 0;
  try {
    return await use({
      host,
      patienceMs,
      newFolder: async () => {
        const folder = join(root, `run-${(runs += 1)}`);
        await mkdir(folder);
        return folder;
      },
      ...databaseIn(host),
    });
  } finally {
    await removeFolder(root);
  }
}

/** Sandboxes whose engines are processes of this machine. */
export function openSandboxes(host: Host): Sandboxes {
  return sandboxesOf({
    clock: host.clock,
    random: host.random,
    processes: systemProcesses(),
    runLesson: () => inTemporaryFolder(runLesson),
    newFolder: () => mkdtemp(join(tmpdir(), "write-behind-sandbox-")),
    removeFolder,
    ...databaseIn(host),
  });
}

function databaseIn(host: Host): {
  storeIn(folder: string): ReturnType<typeof sqlite>;
  readerIn(folder: string): StoreReader;
} {
  const storeIn = (folder: string): ReturnType<typeof sqlite> => sqlite({ file: join(folder, "app.db") });
  return { storeIn, readerIn: (folder) => openReader(storeIn(folder), host) };
}

function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}
