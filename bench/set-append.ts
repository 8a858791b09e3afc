/** Question: how near is the library's durable `set` to the physical limit, a plain append with group fdatasync? */
import { open as openFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { openedSet, rateOf, rounds, writesOf } from "./set.js";
import { perSecond, sideBySide, type Question } from "./question.js";

/** Appends bytes to a file; every append that waits goes with the next write and fdatasync. Nothing else. */
class RawLog {
  readonly #file: FileHandle;
  #pieces: string[] = [];
  #waiting: (() => void)[] = [];
  #busy = false;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  append(bytes: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pieces.push(bytes);
      this.#waiting.push(resolve);
      if (!this.#busy) this.#write().catch(reject);
    });
  }

  async #write(): Promise<void> {
    this.#busy = true;
    // What is called in this turn of the event loop travels together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#pieces.length > 0) {
      const buffer = Buffer.from(this.#pieces.join(""), "latin1");
      const waiting = this.#waiting;
      this.#pieces = [];
      this.#waiting = [];
      await this.#file.write(buffer);
      await this.#file.datasync();
      for (const resolve of waiting) resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#busy = false;
  }
}

export const setAppend: Question = {
  name: "set-append",
  ask: async (setting) => {
    const ours = await openedSet(setting);
    const file = await openFile(join(setting.folder, "raw.log"), "w");
    const log = new RawLog(file);
    const total = writesOf(setting);
    const pair = await sideBySide(rounds, ours.rate, (round) =>
      rateOf(round + 1, total, ({ key, value }) => log.append(key + value)),
    );
    await file.close();
    await ours.close();
    return [
      {
        what: "library set, durability disk, 1,000 callers",
        rival: "raw append + group fdatasync of the same bytes",
        ours: perSecond(pair.ours),
        theirs: perSecond(pair.theirs),
        ratio: pair.ratio,
        goal: { atLeast: 0.5 },
      },
    ];
  },
};
