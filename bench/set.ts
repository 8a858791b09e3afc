/** The library's `set`, durability disk, many callers at once: the side that three questions share. */
import { join } from "node:path";
import { sqlite, writeBehind, type WriteBehind, type WriteBehindOptions } from "../src/index.js";
import { manyCallers, uniformWrites, type Write } from "./load.js";
import { secondsOf, type Setting } from "./question.js";

/** Callers that write at the same time. */
export const callers = 1000;

/** How many rounds each side gets. */
export const rounds = 5;

/** Writes of one round. */
export function writesOf(setting: Setting): number {
  return setting.quick ? 40_000 : 400_000;
}

/** Opens the library as its users do, with every option at its default but those given. */
export function open(folder: string, options: Partial<WriteBehindOptions> = {}): Promise<WriteBehind> {
  return writeBehind({ data: join(folder, "data"), store: sqlite({ file: join(folder, "app.db") }), ...options });
}

/** Answered writes a second of `call`, from many callers. */
export async function rateOf(seed: number, total: number, call: (write: Write) => Promise<unknown>): Promise<number> {
  const next = uniformWrites(seed);
  return total / (await secondsOf(() => manyCallers(callers, total, () => call(next()))));
}

/** An open library under measurement. */
export interface OpenedSet {
  readonly rate: (round: number) => Promise<number>;
  readonly close: () => Promise<unknown>;
}

/** Opens the library, warms it up, and gives what measures one round, and what closes it. */
export async function openedSet(setting: Setting): Promise<OpenedSet> {
  const wb = await open(setting.folder);
  const total = writesOf(setting);
  await rateOf(0, total / 4, ({ key, value }) => wb.set(key, value));
  return {
    rate: async (round) => {
      const rate = await rateOf(round + 1, total, ({ key, value }) => wb.set(key, value));
      // The writer works beside the callers as it always does; what it has not finished must not slow the rival.
      await wb.flush();
      return rate;
    },
    close: () => wb.close(),
  };
}
