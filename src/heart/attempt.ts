/** Doing work on a workspace, the small pieces: what it makes, why it could not be done yet, waiting with a signal. */
import type { Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import { Conflict, type Watch } from "../heart.js";
import type { FrameBody } from "../queue/queue.js";
import type { Workspace, Written } from "../workspace.js";

/** Why a try could not be finished: records are missing, or (`bytes` > 0) there is no room for that many bytes. */
export class NotYet {
  readonly workspace: Workspace;
  readonly bytes: number;

  constructor(workspace: Workspace, bytes: number) {
    this.workspace = workspace;
    this.bytes = bytes;
  }
}

/** The frame that changes make; null where there is nothing to queue. */
export function bodyOf(changes: readonly Written[], cleared: boolean): FrameBody | null {
  if (cleared) return { kind: "clear" };
  return changes.length === 0 ? null : { kind: "changes", changes };
}

/** The work, with a look at what is watched before it: all in one step. */
export function ifUnchanged<T>(
  work: (workspace: Workspace) => T,
  watches: readonly Watch[],
): (workspace: Workspace) => T {
  return (workspace) => {
    if (watches.some((watch) => watch.changed(workspace.now))) throw new Conflict();
    return work(workspace);
  };
}

/** The promise, or the rejection that a signal brings first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason as Error);
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

/** What one command has pinned: it is let go of all at once. */
export class Pins {
  readonly #cache: MemoryCache;
  readonly #records = new Set<Bytes>();

  constructor(cache: MemoryCache) {
    this.#cache = cache;
  }

  add(records: Iterable<Bytes>): void {
    for (const record of records) {
      if (!this.#records.has(record)) this.#cache.pin(record);
      this.#records.add(record);
    }
  }

  release(): void {
    for (const record of this.#records) this.#cache.unpin(record);
    this.#records.clear();
  }
}
