/** The writer's loop, in virtual time, against a store that fails as it is told. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { WriteBehindError } from "../src/errors.js";
import { StoreError } from "../src/store/store.js";
import { hurriedRetryMaxMs } from "../src/writer/retry.js";
import { beatEveryMs, sweepsMax } from "../src/writer/beat.js";
import type { Writer } from "../src/writer/writer.js";
import { base, down, logId, modelAt, optionsOfTests, put, World } from "./writer-world.js";

const { delayMs, retryMaxMs } = optionsOfTests;

function text(position: number): string {
  return `${logId}:${position}:`;
}

/** The store holds exactly what the log says up to the position that it has. */
function expectPastMoment(world: World): void {
  expect(world.store.rows).toEqual(modelAt(world.queue.frames, world.store.position?.sequence ?? 0));
}

async function stop(world: World, writer: Writer): Promise<void> {
  await world.over(writer.stop());
  expect(world.store.closed).toBe(true);
}

describe("batches", () => {
  it("brings a change to the store, acknowledges it, reports it", async () => {
    const world = new World();
    const writer = world.start();
    const position = world.write(put("user:1:name", "Alice"));
    await world.stored();
    expect(world.store.value("user:1:name")).toBe("Alice");
    expect(world.store.position).toEqual(position);
    const [opened, committed] = world.reports;
    expect(opened).toEqual({
      type: "opened",
      position: base,
      kind: "test",
      place: "nowhere",
      parked: { records: new Map(), letters: 0, letterBytes: 0, waitingBehind: 0, behindBytes: 0 },
    });
    expect(committed).toMatchObject({ type: "committed", position, report: { changes: 1, records: 1, commitMs: 1 } });
    await stop(world, writer);
  });

  it("writes a hot record once, and reports what coalescing saved", async () => {
    const world = new World();
    const writer = world.start();
    for (let i = 0; i < 50; i++) world.write(put("hot", String(i)), put(`cold${i % 2}`, String(i)));
    await world.stored();
    expect(world.store.batches).toHaveLength(1);
    expect(world.told("committed")[0]?.report).toMatchObject({ changes: 100, records: 3 });
    expect(world.told("committed")[0]?.report.from).toContain(text(0));
    expect(world.told("committed")[0]?.report.to).toContain(text(50));
    expectPastMoment(world);
    await stop(world, writer);
  });

  it("takes a backlog in runs of the size that is allowed, and every commit is a past moment", async () => {
    const world = new World();
    for (let i = 0; i < 95; i++) world.write(put(`k${i}`, "v"), put("same", String(i)));
    const writer = world.start({ batchRecords: 21 });
    await world.until(() => {
      expectPastMoment(world);
      return world.queue.acknowledged === 95;
    });
    expect(world.store.batches.map(({ to }) => to.sequence)).toEqual([20, 40, 60, 80, 95]);
    await stop(world, writer);
  });

  it("reads only up to the durable mark, also where more has come in since", async () => {
    const world = new World();
    const writer = world.start();
    await world.advance(10);
    const { marks } = world.queue;
    world.write(put("a", "1"));
    await world.until(() => world.queue.marks > marks);
    world.write(put("a", "2"));
    await world.until(() => world.queue.acknowledged > 0);
    expect(world.queue.acknowledged).toBe(1);
    await world.stored();
    expect(world.store.batches.map(({ to }) => to.sequence)).toEqual([1, 2]);
    await stop(world, writer);
  });

  it("clears in a run of its own", async () => {
    const world = new World();
    world.write(put("a", "1"));
    world.queue.append({ kind: "clear" });
    world.write(put("b", "2"));
    const writer = world.start();
    await world.stored();
    expect(world.store.batches.map(({ clear }) => clear)).toEqual([false, true, false]);
    expect([...world.store.rows.keys()]).toEqual(["b"]);
    await stop(world, writer);
  });

  it("put and delete in one window, and delete then put, are one row each", async () => {
    const world = new World();
    const remove = (record: string) => ({ record: record as Bytes, change: { kind: "remove" } as const });
    world.write(put("gone", "1"));
    world.write(remove("gone"));
    world.write(remove("back"));
    world.write(put("back", "2"));
    const writer = world.start();
    await world.stored();
    const { rows } = world.store.batches[0] ?? { rows: new Map() };
    expect(rows.get("gone" as Bytes)).toEqual({ kind: "remove" });
    expect(rows.get("back" as Bytes)).toMatchObject({ kind: "replace", content: "2", afterRemove: true });
    await stop(world, writer);
  });
});

describe("delay", () => {
  it("gives changes company for the delay, and no longer", async () => {
    const world = new World();
    const writer = world.start();
    await world.advance(10);
    const since = world.loop.nowMs;
    world.write(put("a", "1"));
    await world.advance(delayMs - 20);
    world.write(put("b", "1"));
    expect(world.store.tries).toBe(0);
    await world.stored();
    expect(world.loop.nowMs - since).toBeGreaterThanOrEqual(delayMs);
    expect(world.loop.nowMs - since).toBeLessThan(delayMs + 5);
    expect(world.store.batches).toHaveLength(1);
    await stop(world, writer);
  });

  it("a record updated without pause is stored within the delay", async () => {
    const world = new World();
    const writer = world.start();
    await world.advance(10);
    const ages: number[] = [];
    const writtenAt: number[] = [];
    for (let i = 0; i < 400; i++) {
      writtenAt.push(world.loop.nowMs);
      world.write(put("hot", String(i)));
      await world.advance(3);
      const oldest = writtenAt[world.queue.acknowledged];
      if (oldest !== undefined) ages.push(world.loop.nowMs - oldest);
    }
    expect(Math.max(...ages)).toBeLessThan(delayMs + 10);
    expect(world.store.batches.length).toBeLessThanOrEqual(13);
    await stop(world, writer);
  });

  it("a clock that jumped back makes nothing wait longer", async () => {
    const world = new World();
    // By such a clock the change comes from the future, and looks new at every look.
    const waiting = world.queue.waiting.bind(world.queue);
    world.queue.waiting = async (sequence) => ({ ...(await waiting(sequence)), oldestAgeMs: 0 });
    const writer = world.start({ delayMs: 1000 });
    await world.advance(10);
    world.write(put("a", "1"));
    await world.advance(1500);
    expect(world.store.batches).toHaveLength(1);
    await stop(world, writer);
  });

  it("after a commit it rests as long as that took, at most a delay: then what came in meanwhile is written", async () => {
    const world = new World();
    const writer = world.start({ delayMs: 50 });
    world.store.commitMs = 500;
    world.write(put("a", "1"));
    await world.until(() => world.store.tries === 1);
    world.write(put("b", "1"));
    await world.until(() => world.store.batches.length === 1);
    const since = world.loop.nowMs;
    await world.until(() => world.store.tries === 2);
    expect(world.loop.nowMs - since).toBeGreaterThanOrEqual(50);
    expect(world.loop.nowMs - since).toBeLessThan(55);
    await stop(world, writer);
  });

  it("rests for nobody who waits", async () => {
    const world = new World();
    const writer = world.start({ delayMs: 50 });
    world.store.commitMs = 500;
    world.write(put("a", "1"));
    await world.until(() => world.store.tries === 1);
    world.write(put("b", "1"));
    writer.hurry(2);
    await world.until(() => world.store.batches.length === 1);
    const since = world.loop.nowMs;
    await world.until(() => world.store.tries === 2);
    expect(world.loop.nowMs - since).toBeLessThan(5);
    await stop(world, writer);
  });

  it("waits for no company where somebody waits", async () => {
    const world = new World();
    const writer = world.start({ delayMs: 3_600_000 });
    world.write(put("a", "1"));
    await world.advance(1000);
    expect(world.store.tries).toBe(0);
    writer.hurry(1);
    await world.advance(5);
    expect(world.store.value("a")).toBe("1");
    world.write(put("b", "1"));
    await world.advance(5000);
    expect(world.store.value("b")).toBeUndefined();
    await stop(world, writer);
  });

  it("waits for no company where a run is full", async () => {
    const world = new World();
    const writer = world.start({ delayMs: 3_600_000, batchBytes: 1000 });
    world.write(put("a", "1"));
    await world.advance(10_000);
    expect(world.store.tries).toBe(0);
    for (let i = 0; i < 9; i++) world.write(put("a", String(i)));
    await world.advance(300);
    expect(world.store.value("a")).toBe("8");
    await stop(world, writer);
  });
});

describe("pause, resume, step, stop", () => {
  it("stands still while paused, and says so only when the run in hand is over", async () => {
    const world = new World();
    const writer = world.start();
    world.store.commitMs = 50;
    world.write(put("a", "1"));
    await world.until(() => world.store.tries === 1);
    const paused = writer.pause();
    world.write(put("b", "1"));
    await world.over(paused);
    expect(world.store.value("a")).toBe("1");
    await world.advance(10_000);
    expect([world.store.tries, world.store.value("b")]).toEqual([1, undefined]);
    writer.resume();
    await world.stored();
    expect(world.store.value("b")).toBe("1");
    await stop(world, writer);
  });

  it("a pause that comes between the decision and the run: what was told to stand still does", async () => {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const world = new World();
      const writer = world.start();
      world.write(put("a", "1"));
      await world.advance(10);
      writer.hurry(1);
      for (let n = 0; n < microtasks; n++) await Promise.resolve();
      await world.over(writer.pause());
      const { length } = world.store.batches;
      await world.advance(1000);
      expect(world.store.batches).toHaveLength(length);
      await stop(world, writer);
    }
  });

  it("one step is one run, also while paused; null where nothing is pending", async () => {
    const world = new World();
    const writer = world.start({ batchRecords: 2 }, true);
    for (let i = 0; i < 5; i++) world.write(put(`k${i}`, "v"));
    const steps = [];
    for (let i = 0; i < 4; i++) steps.push(await world.over(writer.step()));
    expect(steps.map((step) => step?.changes ?? null)).toEqual([2, 2, 1, null]);
    world.write(put("more", "v"));
    await world.advance(1000);
    expect(world.store.value("more")).toBeUndefined();
    await stop(world, writer);
  });

  it("a step that fails says why, stays in hand, and the next one writes it", async () => {
    const world = new World();
    const writer = world.start({}, true);
    world.write(put("a", "1"));
    world.store.fates = [down];
    await expect(world.over(writer.step())).rejects.toMatchObject({ code: "STORE_DOWN" });
    await world.advance(100_000);
    expect(world.store.tries).toBe(1);
    expect(await world.over(writer.step())).toMatchObject({ changes: 1 });
    expect(world.store.value("a")).toBe("1");
    await stop(world, writer);
  });

  it("pausing ends the tries of a store that is down; resuming tries at once", async () => {
    const world = new World();
    const writer = world.start();
    world.store.always = down;
    world.write(put("a", "1"));
    await world.advance(60_000);
    await world.over(writer.pause());
    const { tries } = world.store;
    await world.advance(600_000);
    expect(world.store.tries).toBe(tries);
    world.store.always = "done";
    writer.resume();
    await world.advance(2);
    expect(world.store.value("a")).toBe("1");
    await stop(world, writer);
  });

  it("stopping finishes the run in hand and takes no other", async () => {
    const world = new World();
    const writer = world.start({ batchRecords: 1 });
    world.store.commitMs = 50;
    world.write(put("a", "1"));
    world.write(put("b", "1"));
    await world.until(() => world.store.tries === 1);
    await stop(world, writer);
    expect([world.store.value("a"), world.store.value("b")]).toEqual(["1", undefined]);
    expect(world.queue.acknowledged).toBe(1);
    await expect(writer.step()).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("stopping does not wait for a store that is down", async () => {
    const world = new World();
    const writer = world.start();
    world.store.openFates = Array.from({ length: 100 }, () => down);
    await world.advance(60_000);
    const since = world.loop.nowMs;
    const step = writer.step().catch((error: unknown) => error);
    await stop(world, writer);
    expect(world.loop.nowMs - since).toBeLessThan(5);
    expect(await step).toBeInstanceOf(WriteBehindError);
  });
});

describe("a store that fails", () => {
  it("is tried again for ever with growing pauses, and picked up without a person, in order", async () => {
    const world = new World(7);
    const writer = world.start();
    world.write(put("a", "1"));
    await world.stored();
    world.store.always = down;
    world.write(put("a", "2"), put("b", "2"));
    for (let i = 0; i < 200; i++) {
      await world.advance(10_000);
      if (i % 20 === 0) world.write(put("a", `later${i}`));
    }
    const retries = world.told("retry");
    expect(retries.length).toBeGreaterThan(60);
    expect(Math.max(...retries.map((retry) => retry.delayMs))).toBeLessThanOrEqual(retryMaxMs);
    expect(retries.map((retry) => retry.attempt)).toEqual(retries.map((_, index) => index + 1));
    expect(retries[0]).toMatchObject({ error: { code: "STORE_DOWN" }, opening: false });
    expect(world.queue.acknowledged).toBe(1);
    world.store.always = "done";
    await world.stored();
    expect(world.told("up")).toHaveLength(1);
    expect(world.told("up")[0]?.downMs).toBeGreaterThan(1_900_000);
    expect(world.store.batches.map(({ to }) => to.sequence)).toEqual([1, 2, 12]);
    expectPastMoment(world);
    await stop(world, writer);
  });

  it("that is down at the start is opened when it comes up, also where nothing is pending", async () => {
    const world = new World();
    world.store.openFates = [down, down, down];
    const writer = world.start();
    await world.until(() => world.told("up").length === 1);
    expect(world.told("retry").map((retry) => retry.opening)).toEqual([true, true, true]);
    world.write(put("a", "1"));
    await world.stored();
    expect(world.reports.map(({ type }) => type)).toEqual(["retry", "retry", "retry", "opened", "up", "committed"]);
    await stop(world, writer);
  });

  it("a failed batch, then a newer write: the older never lands after the newer", async () => {
    const world = new World();
    const writer = world.start();
    world.store.fates = [down, down];
    world.write(put("a", "old"));
    await world.until(() => world.store.tries === 1);
    world.write(put("a", "new"));
    const seen: (string | undefined)[] = [];
    await world.until(() => {
      if (seen.at(-1) !== world.store.value("a")) seen.push(world.store.value("a"));
      return world.queue.acknowledged === 2;
    });
    expect(seen).toEqual([undefined, "old", "new"].slice(seen.length === 3 ? 0 : 1));
    expect(world.store.value("a")).toBe("new");
    await stop(world, writer);
  });

  it("a write of a record while its older version is being committed is not lost", async () => {
    const world = new World();
    const writer = world.start();
    world.store.commitMs = 200;
    world.write(put("a", "old"));
    await world.until(() => world.store.tries === 1);
    await world.advance(100);
    world.write(put("a", "new"));
    await world.until(() => world.queue.acknowledged === 1);
    expect(world.store.value("a")).toBe("old");
    await world.stored();
    expect(world.store.value("a")).toBe("new");
    await stop(world, writer);
  });

  it("hurrying shortens the pause to a second, and no further", async () => {
    const world = new World();
    const writer = world.start();
    world.store.always = down;
    world.write(put("a", "1"));
    await world.advance(600_000);
    const tries = world.store.tries;
    for (let i = 0; i < 1000; i++) {
      writer.hurry(1);
      await world.advance(10);
    }
    const more = world.store.tries - tries;
    expect(more).toBeGreaterThanOrEqual(10_000 / hurriedRetryMaxMs - 1);
    expect(more).toBeLessThan(100);
    world.store.always = "done";
    await world.advance(hurriedRetryMaxMs + 10);
    expect(world.store.value("a")).toBe("1");
    await stop(world, writer);
  });

  it("a store that throws anything else is broken, loudly, and not the end of the writer", async () => {
    const world = new World();
    const writer = world.start();
    world.store.fates = [new TypeError("cannot read properties of undefined")];
    world.write(put("a", "1"));
    await world.stored();
    expect(world.told("broken")[0]?.error).toMatchObject({ code: "UNKNOWN" });
    expect(world.told("broken")[0]?.error.message).toContain("cannot read properties");
    await stop(world, writer);
  });

  it("a failed journal is broken: nothing is written that may not be durable", async () => {
    const world = new World();
    const writer = world.start();
    world.queue.failure = new WriteBehindError("JOURNAL_FAILED", "EIO");
    world.write(put("a", "1"));
    await world.advance(1000);
    expect(world.told("broken")[0]?.error.code).toBe("JOURNAL_FAILED");
    expect(world.store.tries).toBe(0);
    await stop(world, writer);
  });
});

describe("the position", () => {
  it("a lost COMMIT that succeeded is acknowledged and not applied twice", async () => {
    const world = new World();
    const writer = world.start();
    world.store.fates = ["lost"];
    world.write(put("a", "1"));
    await world.until(() => world.told("retry").length === 1);
    world.write(put("a", "2"));
    await world.stored();
    expect(world.store.batches.map(({ to }) => to.sequence)).toEqual([1, 2]);
    expect(world.told("committed").map(({ position }) => position.sequence)).toEqual([1, 2]);
    expect(world.told("broken")).toEqual([]);
    expectPastMoment(world);
    await stop(world, writer);
  });

  it("a writer that starts again goes on where the store is", async () => {
    const world = new World();
    const first = world.start({ batchRecords: 1 });
    for (let i = 0; i < 4; i++) world.write(put(`k${i}`, "v"));
    await world.until(() => world.store.batches.length === 2);
    await stop(world, first);
    world.queue.oldest = world.store.position?.sequence ?? 0;
    const second = world.start({ batchRecords: 1 });
    await world.stored();
    expect(world.store.batches.map(({ to }) => to.sequence)).toEqual([1, 2, 3, 4]);
    await stop(world, second);
  });

  it("a store that went back is healed from the queue, loudly", async () => {
    const world = new World();
    const writer = world.start();
    world.write(put("a", "1"));
    await world.stored();
    const backup = { rows: world.store.rows, position: world.store.position };
    const copy = new Map(backup.rows);
    world.write(put("a", "2"), put("b", "2"));
    await world.stored();
    world.store.restore(copy, backup.position);
    world.write(put("c", "3"));
    await world.until(() => world.store.value("c") !== undefined);
    expect(world.told("opened").map(({ position }) => position.sequence)).toEqual([0, 1]);
    expect(world.told("warning")[0]?.text).toContain("went back");
    expectPastMoment(world);
    await stop(world, writer);
  });

  it("a store that lost everything is healed where the queue still holds all", async () => {
    const world = new World();
    const writer = world.start();
    world.write(put("a", "1"));
    await world.stored();
    world.store.restore(new Map(), null);
    world.write(put("b", "2"));
    await world.until(() => world.store.value("b") !== undefined);
    expect(world.store.batches.at(-1)?.expected).toBeNull();
    expectPastMoment(world);
    await stop(world, writer);
  });

  it("a store that went back further than the queue reaches is QUEUE_MISMATCH, and nothing is skipped", async () => {
    const world = new World();
    const writer = world.start();
    for (let i = 0; i < 3; i++) {
      world.write(put("a", String(i)));
      await world.stored();
    }
    world.queue.oldest = 3;
    world.store.restore(new Map(), null);
    world.write(put("b", "2"));
    await world.until(() => world.told("broken").length > 0);
    expect(world.told("broken")[0]).toMatchObject({ error: { code: "QUEUE_MISMATCH" }, opening: false });
    await world.advance(200_000);
    expect(world.store.position).toBeNull();
    await stop(world, writer);
  });

  it("an empty store and a queue that has been trimmed do not belong together", async () => {
    const world = new World();
    for (let i = 0; i < 3; i++) world.write(put("a", String(i)));
    world.queue.oldest = 2;
    const writer = world.start();
    await world.until(() => world.told("broken").length > 0);
    expect(world.told("broken")[0]).toMatchObject({ error: { code: "QUEUE_MISMATCH" }, opening: true });
    expect(world.store.tries).toBe(0);
    await stop(world, writer);
  });

  it("a store that is ahead of the queue, or at a foreign frame, does not belong to it", async () => {
    for (const position of [
      { logId, sequence: 9, tag: 1 },
      { logId, sequence: 1, tag: 1 },
      { logId: logId.replace("0", "f"), sequence: 0, tag: 0 },
    ]) {
      const world = new World();
      world.write(put("a", "1"));
      world.store.position = position;
      const writer = world.start();
      await world.until(() => world.told("broken").length > 0);
      expect(world.told("broken")[0]).toMatchObject({ error: { code: "QUEUE_MISMATCH" }, opening: true });
      await stop(world, writer);
    }
  });

  it("a queue that was exchanged while running is found before a frame of it is written", async () => {
    const world = new World();
    const writer = world.start();
    world.write(put("a", "1"));
    await world.stored();
    const [first] = world.queue.frames;
    if (first === undefined) throw new Error("no frame");
    world.queue.frames[0] = { ...first, frame: { ...first.frame, position: { ...first.frame.position, tag: 1 } } };
    world.write(put("a", "2"));
    await world.until(() => world.told("broken").length > 0);
    expect(world.told("broken")[0]?.error.code).toBe("QUEUE_MISMATCH");
    expect(world.store.batches).toHaveLength(1);
    await stop(world, writer);
  });

  it("another writer that has moved the position is TABLES_IN_USE, loudly", async () => {
    const world = new World();
    const writer = world.start({}, true);
    await world.advance(10);
    world.write(put("a", "1"));
    const position = world.write(put("a", "2"));
    world.store.restore(modelAt(world.queue.frames, 2), position);
    world.store.generation++;
    world.write(put("a", "3"));
    writer.resume();
    // This writer's run would end at 3; the other one's ended at 2.
    await world.until(() => world.told("broken").length > 0);
    expect(world.told("broken")[0]).toMatchObject({ error: { code: "TABLES_IN_USE" }, opening: false });
    expect(world.store.batches).toEqual([]);
    await world.stored();
    expectPastMoment(world);
    await stop(world, writer);
  });

  it("another claim at the same position is taken over once, and fought about slowly", async () => {
    const world = new World();
    const writer = world.start();
    await world.advance(10);
    world.store.generation++;
    world.write(put("a", "1"));
    await world.stored();
    expect(world.told("retry")).toEqual([]);
    expect(world.told("broken")).toEqual([]);
    world.store.always = new StoreError("moved", "the claim is another's");
    const { tries } = world.store;
    world.write(put("a", "2"));
    await world.advance(300_000);
    expect(world.store.tries - tries).toBeLessThan(60);
    expect(world.told("retry").length).toBeGreaterThan(5);
    await stop(world, writer);
  });

  it("tables of another queue are said at the opening, and tried again", async () => {
    const world = new World();
    world.store.openFates = [new WriteBehindError("TABLES_IN_USE", "another queue writes here")];
    const writer = world.start();
    await world.until(() => world.told("broken").length === 1);
    expect(world.told("broken")[0]).toMatchObject({ error: { code: "TABLES_IN_USE" }, opening: true });
    world.write(put("a", "1"));
    await world.stored();
    await stop(world, writer);
  });
});

describe("beats and sweeps", () => {
  it("goes up to the log's time, never to the clock's, with every run and for a while after", async () => {
    const world = new World();
    const writer = world.start();
    const now = world.clock.now();
    world.write(put("session", "x", now + 2000));
    await world.stored();
    await world.advance(10_000);
    // It has expired by the clock, but nothing in the log says so: a frame that prolongs it might be under way.
    expect(world.store.value("session")).toBe("x");
    expect(new Set(world.store.beats.map(({ sweepUpTo }) => sweepUpTo))).toEqual(new Set([now]));
    world.write(put("other", "y"));
    await world.until(() => world.store.value("other") !== undefined);
    expect(world.store.value("session")).toBeUndefined();
    await stop(world, writer);
  });

  it("gets slower some time after the last run, keeps the claim fresh for ever, and does not move the position", async () => {
    const world = new World();
    const writer = world.start();
    world.write(put("a", "1"));
    await world.stored();
    await world.advance(60_000);
    expect(world.store.beats.length).toBeGreaterThanOrEqual(sweepsMax - 1);
    const before = world.store.beats.length;
    await world.advance(100 * beatEveryMs);
    expect(world.store.beats.length - before).toBeLessThanOrEqual(100);
    expect(world.store.beats.length - before).toBeGreaterThanOrEqual(98);
    expect(new Set(world.store.beats.map(({ to }) => to.sequence))).toEqual(new Set([1]));
    expect(world.told("committed")).toHaveLength(1);
    await stop(world, writer);
  });

  it("a claim is kept fresh where nothing was ever written, while paused, and while changes wait for company", async () => {
    for (const setting of ["idle", "paused", "waiting"]) {
      const world = new World();
      const writer = world.start({ delayMs: 3_600_000 }, setting === "paused");
      if (setting !== "idle") world.write(put("a", "1"));
      await world.advance(10 * beatEveryMs + 1000);
      expect(world.store.beats.length).toBeGreaterThanOrEqual(9);
      expect(world.store.beats.length).toBeLessThanOrEqual(10);
      expect(world.store.beats.every(({ to, sweepUpTo }) => to.sequence === 0 && sweepUpTo === null)).toBe(true);
      expect(world.reports.map(({ type }) => type)).toEqual(["opened"]);
      writer.resume();
      if (setting !== "idle") writer.hurry(1);
      await world.stored();
      expectPastMoment(world);
      await stop(world, writer);
    }
  });

  it("that fails is a store that is down, until it succeeds", async () => {
    const world = new World();
    const writer = world.start();
    world.write(put("a", "1"));
    await world.stored();
    world.store.fates = [down, down];
    await world.until(() => world.told("up").length === 1);
    expect(world.told("retry")).toHaveLength(2);
    await stop(world, writer);
  });

  it("stops loudly where the clock has jumped ahead", async () => {
    const world = new World();
    const writer = world.start();
    await world.advance(10);
    world.write(put("session", "x", world.clock.now() + 3_600_000));
    await world.stored();
    world.loop.wallSkewMs = 365 * 24 * 3_600_000;
    world.write(put("a", "1"));
    await world.until(() => world.store.value("a") !== undefined);
    world.write(put("a", "2"));
    await world.until(() => world.store.value("a") === "2");
    expect(world.store.value("session")).toBe("x");
    expect(world.told("warning")).toHaveLength(1);
    await stop(world, writer);
  });
});

describe("everything at once", () => {
  it("whatever fails, the store is at a past moment after every commit, and in the end has it all", async () => {
    for (let seed = 1; seed <= 150; seed++) await trouble(seed);
  });

  async function trouble(seed: number): Promise<void> {
    const world = new World(seed);
    const { dice, store, queue } = world;
    const options = { delayMs: dice.below(50), batchRecords: 1 + dice.below(5), batchBytes: 100 + dice.below(1000) };
    let writer = world.start(options);
    let committed = 0;
    const backups = [{ rows: new Map(store.rows), position: store.position }];
    const happenings: (() => void | Promise<void>)[] = [
      () => void world.write(put(`k${dice.below(6)}`, String(dice.below(1000))), put("last", String(queue.accepted))),
      () => void world.write({ record: "k1" as Bytes, change: { kind: "remove" } }),
      () => void queue.append({ kind: "clear" }),
      () => void (store.fates = dice.pick([[down], ["lost"], ["lost", down], [new Error("fault")]])),
      () => void (store.openFates = [down, down]),
      () => void (store.commitMs = dice.below(40)),
      () => void store.generation++,
      () => writer.hurry(queue.accepted),
      () => void writer.step().catch(() => {}),
      () => void writer.pause(),
      () => writer.resume(),
      () => {
        const backup = dice.pick(backups);
        store.restore(backup.rows, backup.position);
      },
      () => void backups.push({ rows: new Map(store.rows), position: store.position }),
      async () => {
        await world.over(writer.stop());
        writer = world.start(options, dice.chance(0.3));
      },
    ];
    for (let i = 0; i < 60; i++) {
      await dice.pick([...happenings, ...Array.from({ length: 14 }, () => happenings[0] as () => void)])();
      await world.advance(dice.below(200));
      expectPastMoment(world);
      expect(store.batches.length).toBeGreaterThanOrEqual(committed);
      committed = store.batches.length;
    }
    store.fates = [];
    store.openFates = [];
    writer.resume();
    await world.until(() => store.position?.sequence === queue.accepted || queue.accepted === 0);
    await world.advance(2 * retryMaxMs);
    expectPastMoment(world);
    expect(store.position?.sequence ?? 0, `seed ${seed}`).toBe(queue.accepted);
    await stop(world, writer);
  }
});
