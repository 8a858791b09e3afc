/** Stopping: parts that do not end are given up, and what is left is said as it is (promise 9). */
import type { WriteBehindError } from "../errors.js";
import type { Clock, Disk } from "../host/host.js";

/** Resolves with true with the promise, or after the deadline with false; rejects where the promise does so before. */
export function withinDeadline(clock: Clock, deadlineMs: number, promise: Promise<void>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(deadlineMs, () => resolve(false), true);
    promise.then(() => resolve(true), reject).finally(() => timer.cancel());
  });
}

/** Waiting until all is stored: for so long at the most, and no longer than until `end` is called. */
export class Drain {
  readonly #clock: Clock;
  readonly #whenStored: (done: () => void) => void;
  #end: () => void = () => {};

  constructor(clock: Clock, whenStored: (done: () => void) => void) {
    this.#clock = clock;
    this.#whenStored = whenStored;
  }

  async begin(deadlineMs: number): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#end = resolve;
      this.#whenStored(() => resolve());
    });
    await withinDeadline(this.#clock, deadlineMs, drained);
  }

  end(): void {
    this.#end();
  }
}

/** Waits for every end, whatever another one fails of, and gives the first failure; null where there is none. */
export async function firstFailure(ends: readonly Promise<unknown>[]): Promise<PromiseRejectedResult | null> {
  const results = await Promise.allSettled(ends);
  return results.find((result) => result.status === "rejected") ?? null;
}

/** What is known of the changes that are not in the database. */
export interface Left {
  readonly changes: number;
  readonly data: string;
  /** Up to this frame all is on disk. */
  readonly durable: number;
  readonly failure: WriteBehindError | null;
  /** Whether a call into the database's driver does not return. */
  readonly hangs: boolean;
}

/** Promise 9, for whoever wonders why the process does not end. */
const hanging = "; a call into the database's driver does not return, so this process cannot exit: killing it is safe";

/** Where they are, in a sentence; null where there are none. */
export async function whereLeft(disk: Disk, left: Left): Promise<string | null> {
  if (left.changes === 0) return null;
  return `${await placeOf(disk, left)}${left.hangs ? hanging : ""}`;
}

async function placeOf(disk: Disk, { changes, data, durable, failure }: Left): Promise<string> {
  const these = `${changes} change${changes === 1 ? "" : "s"}`;
  const verb = changes === 1 ? ["is", "goes"] : ["are", "go"];
  const names = await disk.list(`${data}/journal`).catch(() => null);
  if (names?.length === 0) {
    return `${these} ${verb[0]} lost unless the folder is brought back: the journal in ${data} is not there any more`;
  }
  if (failure !== null) {
    return `the journal failed: of ${these}, those up to frame ${durable} are in the journal in ${data} and go on at the next start; of the others nobody knows`;
  }
  return `${these} ${verb[0]} in the journal in ${data} and ${verb[1]} on at the next start`;
}
