/** The data folder and what is in it beside the journal: who owns it, and whether its writer is paused. */
import { WriteBehindError } from "../errors.js";
import { DiskError, type Host, type Ownership } from "../host/host.js";
import { rest } from "../rest.js";
import { pauseNotKept } from "./failures.js";

const retryMs = 50;
const pauseFile = "paused";

/** A folder that this instance owns. */
export interface OwnedFolder {
  release(): Promise<void>;
  isPaused(): Promise<boolean>;
  /** Pause outlives a restart: it is a file in the folder. */
  rememberPause(paused: boolean): Promise<void>;
}

/** Makes and owns the folder, waiting for its old owner for a while. Rejects FOLDER_IN_USE. */
export async function ownFolder(host: Host, path: string, waitMs: number, signal?: AbortSignal): Promise<OwnedFolder> {
  await host.disk.makeFolder(path);
  const started = host.clock.monotonic();
  for (;;) {
    const ownership = await host.disk.own(path);
    if (ownership !== null) return ownedFolder(host, path, ownership);
    signal?.throwIfAborted();
    if (host.clock.monotonic() - started >= waitMs) break;
    await rest(host.clock, retryMs);
  }
  throw new WriteBehindError("FOLDER_IN_USE", `another process owns the folder ${path}`, {
    hint: `stop it, or use another folder; this start waited ${waitMs} ms for it (ownerWaitMs)`,
  });
}

function ownedFolder(host: Host, path: string, ownership: Ownership): OwnedFolder {
  const file = `${path}/${pauseFile}`;
  const remember = async (paused: boolean): Promise<void> => {
    try {
      if (paused) await (await host.disk.open(file, { write: true, create: true, dsync: false })).close();
      else await host.disk.remove(file);
    } catch (error) {
      // It is so already.
      if (!(error instanceof DiskError && (error.kind === "exists" || error.kind === "missing"))) throw error;
    }
    await host.disk.syncFolder(path);
  };
  let last: Promise<void> = Promise.resolve();
  return {
    release: () => ownership.release(),
    isPaused: async () => {
      // What a process that was killed has left may not be on disk yet, and status will show it.
      await host.disk.syncFolder(path);
      return (await host.disk.list(path)).includes(pauseFile);
    },
    // One after the other: the folder remembers the last word, as memory does.
    rememberPause: (paused) => {
      last = last.catch(() => {}).then(() => remember(paused));
      return last.catch((error: unknown) => {
        throw pauseNotKept(error, paused);
      });
    },
  };
}
