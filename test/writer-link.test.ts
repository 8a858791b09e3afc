/** The writer as the heart holds it: on the caller's thread, and on one of its own that may die. */
import { describe, expect, it } from "vitest";
import { WriteBehindError, type PlainError } from "../src/errors.js";
import type { BatchReport } from "../src/events.js";
import type { Channel, Host, Thread } from "../src/host/host.js";
import type { Position, Waiting } from "../src/queue/queue.js";
import type { StoreDescriptor } from "../src/store/store.js";
import { LazyStore } from "../src/writer/lazy-store.js";
import type { FromWriter, ParkedReport, ToWriter, UnparkedReport, WriterThreadData } from "../src/writer/messages.js";
import { startWriter, type WriterHandle, type WriterReports } from "../src/writer/writer-link.js";
import { serveWriter } from "../src/writer/writer-service.js";
import { SimulatedThreads } from "../simulator/host/threads.js";
import { logId, optionsOfTests, put, World } from "./writer-world.js";

const descriptor: StoreDescriptor = { module: "test:store", options: null, reads: "caller" };

/** What the heart does, written down. */
class Owner implements WriterReports {
  readonly told: string[] = [];
  readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  waiting(sequence: number, answer: (waiting: Waiting) => void): void {
    void this.world.queue.waiting(sequence).then(answer);
  }
  durableMark(): Promise<number> {
    return this.world.queue.durableMark();
  }
  opened(position: Position, kind: string, place: string): void {
    this.told.push(`opened ${position.sequence} ${kind} ${place}`);
  }
  committed(position: Position, report: BatchReport, parked: ParkedReport | null): void {
    this.world.queue.acknowledge(position);
    const parks = parked === null ? "" : ` parks ${[...parked.records.keys()].join(" ")}`;
    this.told.push(`committed ${position.sequence} ${report.records}${parks}`);
  }
  unparked({ ids, how }: UnparkedReport): void {
    this.told.push(`unparked ${ids.join(" ")} ${how}`);
  }
  retry(error: PlainError, attempt: number, _delayMs: number, opening: boolean): void {
    this.told.push(`retry ${error.code} ${attempt} ${opening}`);
  }
  up(): void {
    this.told.push("up");
  }
  broken(error: PlainError, opening: boolean): void {
    this.told.push(`broken ${error.code} ${opening}`);
  }
}

/** A world with a link in it, on the caller's thread or on a simulated one. */
class LinkWorld extends World {
  readonly owner = new Owner(this);
  readonly threads: Pick<Thread<unknown, unknown>, "terminate">[] = [];
  /** Whether a thread dies when it is started. */
  stillborn = 0;
  storeFailure: Error | null = null;
  /** Times that a reader of the log was given back. */
  closedReaders = 0;

  link(where: "caller" | "thread", paused = false): WriterHandle {
    const url = new URL("../src/writer/writer-thread.js", import.meta.url).href;
    const main = (channel: Channel<unknown, unknown>, data: unknown): void => this.#main(channel, data);
    const simulated = new SimulatedThreads(this.loop, { alive: true }, new Map([[url, main]]));
    const threads: Host["threads"] = {
      start: <Out, In>(moduleUrl: string, data: unknown) => {
        const thread = simulated.start<Out, In>(moduleUrl, data);
        this.threads.push(thread);
        return thread;
      },
    };
    const host = { clock: this.clock, random: this.dice, threads, disk: null as never };
    const store = where === "caller" ? this.store : descriptor;
    const frames = () => this.#frames();
    return startWriter(host, { store, folder: "journal", frames, logId, paused, options: optionsOfTests }, this.owner);
  }

  async #frames() {
    const { queue } = this;
    return {
      check: (position: Position) => queue.check(position),
      base: () => queue.base(),
      read: (sequence: number, upTo: number) => queue.read(sequence, upTo),
      close: async () => void this.closedReaders++,
    };
  }

  #main(channel: Channel<unknown, unknown>, data: unknown): void {
    if (this.stillborn-- > 0) throw new Error("out of memory");
    const { paused, options } = data as WriterThreadData;
    const { clock, dice: random } = this;
    const store = new LazyStore("test:store", async () => {
      if (this.storeFailure !== null) throw this.storeFailure;
      return this.store;
    });
    const parts = { store, frames: () => this.#frames(), logId, paused, options, clock, random };
    void serveWriter(channel as Channel<FromWriter, ToWriter>, parts);
  }

  /** The writer's thread dies. */
  async kill(): Promise<void> {
    await this.over(this.threads.at(-1)?.terminate() ?? Promise.resolve());
    await this.advance(0);
  }
}

describe.each(["caller", "thread"] as const)("a writer on the %s's thread", (where) => {
  it("reports, hurries, pauses, steps, resumes and stops", async () => {
    const world = new LinkWorld();
    const writer = world.link(where);
    world.write(put("a", "1"));
    await world.stored();
    expect(world.owner.told).toEqual(["opened 0 test nowhere", "committed 1 1"]);
    await world.over(writer.pause());
    world.write(put("b", "1"));
    writer.hurry(2);
    await world.advance(1000);
    expect(world.store.value("b")).toBeUndefined();
    expect(await world.over(writer.step())).toMatchObject({ changes: 1, records: 1 });
    expect(world.store.value("b")).toBe("1");
    expect(await world.over(writer.step())).toBeNull();
    writer.resume();
    world.write(put("c", "1"));
    writer.hurry(3);
    await world.advance(20);
    expect(world.store.value("c")).toBe("1");
    await world.over(writer.stop());
    expect(world.store.closed).toBe(true);
    expect(world.closedReaders).toBe(1);
    await expect(world.over(writer.step())).rejects.toBeInstanceOf(WriteBehindError);
  });

  it("starts paused where it was", async () => {
    const world = new LinkWorld();
    const writer = world.link(where, true);
    world.write(put("a", "1"));
    await world.advance(1000);
    expect(world.store.tries).toBe(0);
    writer.resume();
    await world.stored();
    await world.over(writer.stop());
  });

  it("a failed journal reaches it", async () => {
    const world = new LinkWorld();
    world.queue.failure = new WriteBehindError("JOURNAL_FAILED", "EIO");
    const writer = world.link(where, true);
    world.write(put("a", "1"));
    await expect(world.over(writer.step())).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
    await world.over(writer.stop());
  });

  it("stopping ends at its deadline, whatever the store does, and nothing is told after it", async () => {
    const world = new LinkWorld();
    const writer = world.link(where);
    world.store.commitMs = 100_000_000;
    world.write(put("a", "1"));
    await world.until(() => world.store.tries === 1);
    const since = world.loop.nowMs;
    await world.over(writer.stop(500));
    expect(world.loop.nowMs - since).toBeLessThan(510);
    const { length } = world.owner.told;
    await world.advance(200_000_000);
    expect(world.owner.told).toHaveLength(length);
  });
});

describe.each(["caller", "thread"] as const)("dead letters of a writer on the %s's thread", (where) => {
  it("are told, listed, retried and discarded", async () => {
    const world = new LinkWorld();
    world.store.refuses = (_record, row) => (row?.content === "bad" ? "no bad" : null);
    const writer = world.link(where);
    for (const record of ["a", "b", "c"]) world.write(put(record, "bad"));
    await world.stored();
    await world.over(writer.pause());
    expect(world.owner.told).toContain("committed 3 0 parks c");
    expect((await world.over(writer.deadLetters(2, null))).items.map(({ id, changes }) => [id, changes])).toEqual([
      ["1", [put("a", "bad")]],
      ["2", [put("b", "bad")]],
    ]);
    await expect(world.over(writer.retryDeadLetters(["9"]))).rejects.toMatchObject({ code: "BAD_VALUE" });
    expect(await world.over(writer.retryDeadLetters(["1"]))).toMatchObject([{ became: "refused", reason: "no bad" }]);
    world.store.refuses = () => null;
    expect(await world.over(writer.retryDeadLetters(["1"]))).toMatchObject([{ id: "1", became: "stored" }]);
    expect(await world.over(writer.discardDeadLetters(["2"], false))).toMatchObject([{ became: "discarded" }]);
    expect(await world.over(writer.discardDeadLetters("all", true))).toMatchObject([{ id: "3", became: "discarded" }]);
    expect(world.owner.told.slice(-3)).toEqual(["unparked 1 retried", "unparked 2 discarded", "unparked 3 discarded"]);
    expect([world.store.value("a"), world.store.value("b")]).toEqual(["bad", undefined]);
    await world.over(writer.stop());
    await expect(world.over(writer.retryDeadLetters("all"))).rejects.toBeInstanceOf(WriteBehindError);
  });
});

describe("a writer's thread that dies", () => {
  it("knows what is parked when it is started again; orders that it had are not left waiting", async () => {
    const world = new LinkWorld();
    world.store.refuses = (_record, row) => (row?.content === "bad" ? "no bad" : null);
    const writer = world.link("thread");
    world.write(put("a", "bad"));
    await world.stored();
    world.store.commitMs = 5000;
    const order = writer.retryDeadLetters("all").catch((error: unknown) => error);
    await world.advance(10);
    await world.kill();
    expect(await world.over(order)).toMatchObject({ code: "UNKNOWN" });
    world.store.commitMs = 1;
    world.write(put("b", "1"));
    await world.stored();
    expect((await world.over(writer.deadLetters(9, null))).items.map(({ id }) => id)).toEqual(["1"]);
    await world.over(writer.stop());
  });

  it("is started again and goes on from the position, with what it was told before", async () => {
    const world = new LinkWorld();
    const writer = world.link("thread");
    world.write(put("a", "1"));
    await world.stored();
    world.store.commitMs = 50;
    world.write(put("b", "1"));
    await world.until(() => world.store.tries === 2);
    await world.kill();
    expect(world.owner.told.at(-1)).toBe("retry UNKNOWN 1 false");
    world.write(put("c", "1"));
    await world.stored();
    expect(world.threads).toHaveLength(2);
    expect(world.owner.told).toContain("up");
    expect(["a", "b", "c"].map((key) => world.store.value(key))).toEqual(["1", "1", "1"]);
    await world.over(writer.pause());
    await world.kill();
    await world.advance(1000);
    world.write(put("d", "1"));
    await world.advance(10_000);
    expect(world.store.value("d")).toBeUndefined();
    writer.resume();
    await world.stored();
    await world.over(writer.stop());
  });

  it("ends the steps that were asked of it, and the waits for it to stand still", async () => {
    const world = new LinkWorld();
    const writer = world.link("thread");
    world.store.commitMs = 5000;
    world.write(put("a", "1"));
    await world.until(() => world.store.tries === 1);
    const step = writer.step().catch((error: unknown) => error);
    const paused = writer.pause();
    await world.kill();
    await world.over(paused);
    expect(await step).toMatchObject({ code: "UNKNOWN" });
    await world.over(writer.stop());
  });

  it("again and again is started again with growing pauses, and stopping ends that", async () => {
    const world = new LinkWorld();
    world.stillborn = 6;
    const writer = world.link("thread");
    world.write(put("a", "1"));
    await world.stored();
    expect(world.threads).toHaveLength(7);
    expect(world.owner.told.slice(0, 6)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `retry UNKNOWN ${n} true`));
    world.stillborn = Infinity;
    await world.kill();
    await world.advance(10_000);
    await world.over(writer.stop());
    const { length } = world.threads;
    await world.advance(1_000_000);
    expect(world.threads).toHaveLength(length);
  });

  it("a store module that cannot be loaded is a store that cannot be opened", async () => {
    const world = new LinkWorld();
    world.storeFailure = new WriteBehindError("DRIVER_MISSING", "no driver");
    const writer = world.link("thread");
    await world.advance(100);
    expect(world.owner.told).toEqual(["broken DRIVER_MISSING true"]);
    world.storeFailure = null;
    world.write(put("a", "1"));
    await world.stored();
    await world.over(writer.stop());
  });
});
