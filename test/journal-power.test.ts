/**
 * The journal alone on a simulated machine: killed and cut off from power at random moments, also while it recovers,
 * on a disk that tears, loses and reorders what was not synced and sometimes fails. What was kept must be there again.
 */
import { expect, test } from "vitest";
import { Dice } from "../simulator/host/random.js";
import { Machine, type Process } from "../simulator/machine.js";
import { Trace } from "../simulator/trace.js";
import { Journal } from "../src/queue/journal/journal.js";
import { JournalReader } from "../src/queue/journal/reader.js";
import type { Durability } from "../src/queue/queue.js";
import { rest } from "../src/rest.js";
import { folder, kb, options, set } from "./journal-kit.js";

const seeds = 250;
const lives = 6;

/** What must be true of a journal after a crash. */
class Truth {
  /** The value of each frame, by sequence - 1. */
  readonly values: string[] = [];
  kept = 0;
  durable = 0;
  acknowledged = 0;
}

class Life {
  readonly #process: Process;
  readonly #dice: Dice;
  readonly #truth: Truth;
  readonly #durability: Durability;
  /** An error that ends the test, not only the life. */
  failure: Error | null = null;

  constructor(process: Process, dice: Dice, truth: Truth, durability: Durability) {
    this.#process = process;
    this.#dice = dice;
    this.#truth = truth;
    this.#durability = durability;
  }

  start(): void {
    this.#run().catch((error: unknown) => {
      const { name, code } = error as Error & { code?: unknown };
      // A disk that fails ends a life; what it loses is checked in the next one.
      if (name !== "DiskError" && code !== "JOURNAL_FAILED") this.failure ??= error as Error;
    });
  }

  async #run(): Promise<void> {
    const [truth, dice, durability] = [this.#truth, this.#dice, this.#durability];
    const size = { segmentBytes: 16 * kb, retainBytes: dice.pick([0, 20 * kb]), retainMs: 1e9 };
    const journal = await Journal.open(this.#process.host, folder, options({ durability, ...size }));
    const { accepted } = journal;
    expect(accepted).toBeGreaterThanOrEqual(truth.kept);
    expect(accepted).toBeLessThanOrEqual(truth.values.length);
    truth.values.length = accepted;
    await this.#compare(journal);
    truth.kept = truth.durable = accepted;
    const note = (): void => {
      truth.kept = durability === "memory" ? journal.durable : journal.kept;
      truth.durable = journal.durable;
    };
    journal.onKept = journal.onDurable = note;
    for (;;) await this.#step(journal);
  }

  async #step(journal: Journal): Promise<void> {
    const [truth, dice] = [this.#truth, this.#dice];
    for (let count = dice.between(1, 12); count > 0; count--) {
      const value = dice.hex(1).repeat(dice.pick([1, 40, 400, 1500, dice.chance(0.02) ? 12_000 : 10]));
      if (!journal.hasRoom(value.length + 100)) await journal.whenRoom(value.length + 100, { waitMs: 1e6 });
      if (!journal.hasRoom(value.length + 100)) break;
      truth.values.push(value);
      journal.append(set("k", value), this.#process.host.clock.now());
    }
    if (dice.chance(0.4)) await journal.syncNow();
    if (dice.chance(0.3)) {
      const sequence = dice.between(Math.min(truth.acknowledged, journal.durable), journal.durable);
      // What is acknowledged is committed: it must be durable, whatever the level is.
      truth.acknowledged = sequence;
      journal.acknowledge({ logId: journal.logId, sequence, tag: 0 });
    }
    if (dice.chance(0.5)) await rest(this.#process.host.clock, dice.number() * 5);
  }

  /** Everything from the acknowledged frame on can be read, and is what was taken. */
  async #compare(journal: Journal): Promise<void> {
    const { disk } = this.#process.host;
    const reader = await JournalReader.open(disk, folder, journal.logId);
    expect(journal.oldest()).toBeLessThanOrEqual(Math.max(1, this.#truth.acknowledged));
    let sequence = journal.oldest();
    for await (const piece of reader.read(sequence - 1, journal.accepted)) {
      for (const { frame } of piece) {
        expect(frame.position.sequence).toBe(sequence);
        expect(frame.body).toEqual(set("k", this.#truth.values[sequence - 1] as string));
        sequence++;
      }
    }
    expect(sequence).toBe(journal.accepted + 1);
    await reader.close();
  }
}

async function world(seed: number): Promise<number> {
  const dice = new Dice(seed);
  const machine = new Machine(dice, new Trace(false));
  const durability = dice.pick<Durability>(["memory", "os", "disk"]);
  const { temper } = machine.disk;
  temper.writeBack = dice.pick([0, 0.1, 0.5]);
  const truth = new Truth();
  for (let life = 0; life < lives; life++) {
    const last = life === lives - 1;
    const faults = last || dice.chance(0.7) ? 0 : dice.pick([0.002, 0.02]);
    temper.writeFails = temper.syncFails = faults;
    const process = machine.start();
    const running = new Life(process, dice, truth, durability);
    running.start();
    let events = Math.floor(dice.number() ** 2 * 600) + (last ? 600 : 0);
    await machine.loop.run(() => running.failure !== null || events-- <= 0);
    if (running.failure !== null) throw running.failure;
    if (dice.chance(0.5)) machine.kill(process);
    else {
      machine.losePower();
      truth.kept = truth.durable;
    }
  }
  return truth.values.length;
}

test(`${seeds} worlds of ${lives} lives lose nothing that was kept`, async () => {
  let frames = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      frames += await world(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  expect(frames).toBeGreaterThan(seeds * 10);
}, 120_000);
