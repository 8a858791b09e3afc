/** Dead letters: one bad change is found, parked, and blocks nothing but itself. In virtual time. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { StoreError } from "../src/store/store.js";
import { groupRetryFactor } from "../src/writer/retry.js";
import {
  expectSound,
  expectToldTruth,
  expectWhole,
  isBad,
  merge,
  parkedIds,
  parkOne,
  refusingWorld,
  removal,
  stop,
  tooSlow,
} from "./dead-letters-kit.js";
import { down, optionsOfTests, put, World } from "./writer-world.js";

const { retryMaxMs } = optionsOfTests;

describe("a change that the database refuses", () => {
  it("is found among ten thousand with few commits, and the others are stored", async () => {
    for (const bad of [1, 2, 4711, 5000, 5001, 9999, 10_000]) {
      const world = refusingWorld(bad);
      for (let n = 1; n <= 10_000; n++) world.write(put(`k${n}`, n === bad ? "bad" : "good"));
      const writer = world.start({ batchRecords: 20_000 });
      await world.stored();
      expect(parkedIds(world)).toEqual([[String(bad)]]);
      // Halving is 14 tries, parking one more, and what is behind grows again from one frame; the letter is tried, too.
      expect(world.store.tries, `frame ${bad}`).toBeLessThanOrEqual(14 + 1 + 14 + 3);
      expect(world.store.rows.size).toBe(9999);
      expectWhole(world);
      await stop(world, writer);
    }
  });

  it("is told: the letter with its reason, its frame, and what its record lacks; nothing is down or broken", async () => {
    const world = refusingWorld();
    const writer = world.start();
    world.write(put("a", "1"), put("b", "1"));
    await world.stored();
    const position = world.write(put("a", "bad"), put("b", "2"));
    await world.stored();
    const { parked } = world.told("committed").at(-1) ?? {};
    expect(parked).toMatchObject({
      frames: [2],
      letter: { id: "2", position, records: ["a", "b"], reason: "CHECK constraint failed: no bad" },
      letters: 1,
      waitingBehind: 0,
    });
    expect([...(parked?.records ?? [])].map(([record, { letter }]) => [record, letter])).toEqual([
      ["a", "2"],
      ["b", "2"],
    ]);
    expect(world.told("committed")[0]?.parked).toBeNull();
    expect(world.reports.map(({ type }) => type)).toEqual(["opened", "committed", "committed"]);
    expect(world.store.value("b")).toBe("1");
    expectToldTruth(world);
    await stop(world, writer);
  });

  it("is parked with its whole frame, also where the database takes the other records of it", async () => {
    const world = refusingWorld();
    world.write(put("before", "1"));
    world.write(put("x", "1"), put("y", "bad"), removal("before"));
    world.write(put("after", "1"));
    const writer = world.start();
    await world.stored();
    expect([...world.store.rows.keys()]).toEqual(["before", "after"]);
    expect(parkedIds(world)).toEqual([["2"]]);
    expectWhole(world);
    await stop(world, writer);
  });

  it("many of them are many letters, each by itself", async () => {
    const world = refusingWorld();
    for (let n = 1; n <= 200; n++) world.write(put(`k${n}`, n % 10 === 3 ? "bad" : "good"));
    const writer = world.start();
    await world.stored();
    expect(parkedIds(world)).toEqual(Array.from({ length: 20 }, (_, n) => [String(10 * n + 3)]));
    expect(world.store.rows.size).toBe(180);
    expectSound(world.store.parked.values());
    expectToldTruth(world);
    await stop(world, writer);
  });

  it("a run that is refused as a whole and passes frame by frame parks nothing", async () => {
    const world = new World();
    world.store.refuses = (_record, _row, rows) =>
      rows.has("a" as Bytes) && rows.has("b" as Bytes) ? "one of a, b" : null;
    world.write(put("a", "1"));
    world.write(removal("a"));
    world.write(put("b", "1"));
    world.write(put("a", "2"), removal("b"));
    world.write(put("b", "3"), removal("a"));
    const writer = world.start();
    await world.stored();
    expect(world.store.parked.size).toBe(0);
    expectWhole(world);
    await stop(world, writer);
  });

  it("one step finds it, too: it is one commit, also while paused", async () => {
    const world = refusingWorld();
    const writer = world.start({}, true);
    for (let n = 1; n <= 8; n++) world.write(put(`k${n}`, n === 5 ? "bad" : "good"));
    const steps = [];
    for (let n = 0; n < 6; n++) steps.push((await world.over(writer.step()))?.changes ?? null);
    expect(steps.filter((changes) => changes !== null).reduce((sum, changes) => sum + changes, 0)).toBe(8);
    expect(parkedIds(world)).toEqual([["5"]]);
    await world.advance(600_000);
    expect(world.store.parked.get(5)?.letters[0]?.tries).toBe(1);
    await stop(world, writer);
  });

  it("stopping in the midst of the search ends it; the next writer finds it again", async () => {
    const world = refusingWorld();
    for (let n = 1; n <= 1000; n++) world.write(put(`k${n}`, n === 777 ? "bad" : "good"));
    const first = world.start();
    await world.until(() => world.store.tries === 3);
    const step = first.step().catch((error: unknown) => error);
    await stop(world, first);
    expect(await step).toMatchObject({ code: "CLOSED" });
    const second = world.start();
    await world.stored();
    expect(parkedIds(world)).toEqual([["777"]]);
    expectWhole(world);
    await stop(world, second);
  });
});

describe("what comes behind", () => {
  it("waits, composed, while other records go on", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    for (let n = 0; n < 50; n++) world.write(merge("a", { [`f${n % 3}`]: String(n) }), put("free", "x"));
    for (let n = 0; n < 50; n++) world.write(put("other", String(n)));
    await world.stored();
    expect(world.store.value("other")).toBe("49");
    const group = world.store.parked.get(1);
    expect(group?.behind.get("a" as Bytes)).toMatchObject({ frames: 50, position: world.queue.positionAt(51) });
    // The frame is parked whole: its other record waits as well.
    expect(world.store.value("free")).toBeUndefined();
    expect(group?.behind.get("free" as Bytes)?.frames).toBe(50);
    expect(world.told("committed").find(({ parked }) => parked?.frames.length === 50)?.parked).toMatchObject({
      letter: null,
      letters: 1,
      waitingBehind: 100,
    });
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });

  it("a frame that touches two groups makes them one, and its records join", async () => {
    const world = refusingWorld();
    const writer = world.start();
    for (const record of ["a", "b", "c"]) await parkOne(world, record);
    world.write(merge("b", { x: "bad" }));
    await world.stored();
    world.write(merge("c", { x: "bad" }), put("d", "1"));
    world.write(merge("b", { y: "1" }), merge("d", { z: "1" }));
    await world.stored();
    expect(parkedIds(world)).toEqual([["1"], ["2", "3"]]);
    expect([...(world.store.parked.get(2)?.behind.keys() ?? [])].toSorted()).toEqual(["b", "c", "d"]);
    world.write(merge("a", { q: "bad" }), merge("d", { q: "1" }));
    await world.stored();
    expect(parkedIds(world)).toEqual([["1", "2", "3"]]);
    expectSound(world.store.parked.values());
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });

  it("rows of the same run that are older than the joining stay rows", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    world.write(put("late", "older"));
    world.write(merge("a", { x: "bad" }), put("late", "newer"));
    world.write(put("late", "newest"));
    await world.stored();
    expect(world.store.batches.at(-1)?.to.sequence).toBe(4);
    expect(world.store.value("late")).toBe("older");
    expect(world.store.parked.get(1)?.behind.get("late" as Bytes)).toMatchObject({ frames: 2 });
    expectWhole(world);
    await stop(world, writer);
  });

  it("a run of such frames alone moves the position, in a batch without rows", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    world.write(merge("a", { x: "bad" }));
    await world.stored();
    expect(
      world.store.batches
        .filter(({ parking }) => parking !== null && parking.put.length > 0)
        .map(({ rows }) => rows.size),
    ).toEqual([0, 0]);
    expect(world.store.position?.sequence).toBe(2);
    await stop(world, writer);
  });

  it("a clear gives up everything that is parked, in its own transaction", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    await parkOne(world, "b");
    world.write(merge("b", { x: "bad" }), put("c", "1"));
    world.queue.append({ kind: "clear" });
    world.write(put("c", "2"));
    await world.stored();
    expect(world.store.parked.size).toBe(0);
    expect(world.told("unparked")).toEqual([
      {
        type: "unparked",
        ids: ["1", "2"],
        records: ["a", "b", "c"],
        how: "superseded",
        gaveUpBehind: false,
        letters: 0,
        letterBytes: 0,
        waitingBehind: 0,
        behindBytes: 0,
      },
    ]);
    expect(world.reports.map(({ type }) => type).slice(-3)).toEqual(["unparked", "committed", "committed"]);
    expectToldTruth(world);
    expectWhole(world);
    await world.advance(20 * retryMaxMs);
    expectWhole(world);
    await stop(world, writer);
  });
});

describe("a suspect", () => {
  it("is tried alone, with growing pauses, for ever, and costs the others nothing", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    const { tries } = world.store;
    await world.advance(3_600_000);
    const more = world.store.tries - tries;
    expect(more).toBeGreaterThan(3_600_000 / (groupRetryFactor * retryMaxMs));
    expect(more).toBeLessThan(60);
    expect(world.told("retry")).toEqual([]);
    expect(world.told("broken")).toEqual([]);
    await stop(world, writer);
  });

  it("heals by itself: a row that refers to another one is stored once that one is there", async () => {
    const world = new World();
    world.store.refuses = (record, row, rows) =>
      record.startsWith("child:") && row !== null && !rows.has("parent" as Bytes)
        ? "FOREIGN KEY constraint failed"
        : null;
    const writer = world.start();
    world.write(put("child:1", "x"));
    await world.stored();
    expect(world.store.value("child:1")).toBeUndefined();
    world.write(put("parent", "1"));
    await world.until(() => world.store.parked.size === 0);
    expect(world.store.value("child:1")).toBe("x");
    expect(world.told("unparked")).toEqual([
      {
        type: "unparked",
        ids: ["1"],
        records: ["child:1"],
        how: "retried",
        gaveUpBehind: false,
        letters: 0,
        letterBytes: 0,
        waitingBehind: 0,
        behindBytes: 0,
      },
    ]);
    expectWhole(world);
    await stop(world, writer);
  });

  it("is superseded by a later write of the whole record, at once", async () => {
    for (const later of [put("a", "good"), removal("a")]) {
      const world = refusingWorld();
      const writer = world.start();
      await parkOne(world, "a");
      await world.advance(600_000);
      world.write(later);
      await world.stored();
      await world.advance(2);
      expect(world.told("unparked")[0]).toMatchObject({ ids: ["1"], how: "superseded" });
      expect(world.store.value("a")).toBe(later.change.kind === "remove" ? undefined : "good");
      expectWhole(world);
      await stop(world, writer);
    }
  });

  it("is not superseded by a merge: letter and merge are stored together", async () => {
    const world = refusingWorld();
    const writer = world.start();
    world.write(merge("a", { x: "1", y: "bad" }));
    await world.stored();
    world.write(merge("a", { y: "good" }));
    await world.until(() => world.told("unparked").length > 0);
    expect(world.told("unparked")[0]).toMatchObject({ how: "retried" });
    expect(world.store.rows.get("a" as Bytes)?.content).toEqual(
      new Map([
        ["x", "1"],
        ["y", "good"],
      ]),
    );
    expectWhole(world);
    await stop(world, writer);
  });

  it("of several records heals by a later write of the bad one, whole, and is not superseded", async () => {
    const world = refusingWorld();
    const writer = world.start();
    world.write(put("a", "bad"), put("b", "1"));
    await world.stored();
    world.write(put("a", "good"));
    await world.until(() => world.told("unparked").length > 0);
    expect(world.told("unparked")[0]).toMatchObject({ ids: ["1"], records: ["a", "b"], how: "retried" });
    expect([world.store.value("a"), world.store.value("b")]).toEqual(["good", "1"]);
    expect(world.store.batches.at(-1)?.rows.size).toBe(2);
    await stop(world, writer);
  });

  it("many of them delay the others by no more than a few transactions a run", async () => {
    const world = refusingWorld();
    const writer = world.start({ delayMs: 0 });
    for (let n = 0; n < 100; n++) world.write(put(`bad${n}`, "bad"));
    await world.stored();
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 100; n++) world.write(merge(`bad${n}`, { x: "bad" }));
      const { sequence } = world.write(put("free", String(round)));
      const { tries } = world.store;
      await world.until(() => (world.store.position?.sequence ?? 0) >= sequence);
      expect(world.store.tries - tries).toBeLessThanOrEqual(4);
    }
    await stop(world, writer);
  });

  it("its tries and its last reason are written with a later run", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    world.store.refuses = (_record, row) => (isBad(row) ? "another reason" : null);
    await world.advance(1000);
    world.write(put("b", "1"));
    await world.stored();
    const [letter] = world.store.parked.get(1)?.letters ?? [];
    expect(letter?.reason).toBe("another reason");
    expect(letter?.tries).toBeGreaterThan(1);
    expectToldTruth(world);
    await stop(world, writer);
  });

  it("is left alone while paused", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    await world.over(writer.pause());
    const { tries } = world.store;
    world.store.refuses = () => null;
    await world.advance(20 * retryMaxMs);
    expect([world.store.tries, world.store.parked.size]).toEqual([tries, 1]);
    writer.resume();
    await world.until(() => world.store.parked.size === 0);
    await stop(world, writer);
  });
});

describe("too many letters", () => {
  it("nothing more is parked: the writer is broken, says why, and goes on when the schema is mended", async () => {
    const world = refusingWorld();
    const writer = world.start({ deadLettersMax: 2 });
    for (const record of ["a", "b", "c"]) world.write(put(record, "bad"));
    world.write(put("d", "good"));
    await world.until(() => world.told("broken").length > 0);
    const { error } = world.told("broken")[0] ?? {};
    expect(error).toMatchObject({ code: "REFUSED" });
    expect(error?.message).toMatch(/2 dead letters.*schema.*CHECK constraint failed: no bad/);
    expect(parkedIds(world)).toEqual([["1"], ["2"]]);
    await world.advance(5 * retryMaxMs);
    expect([world.store.position?.sequence, world.store.parked.size]).toEqual([2, 2]);
    expect(world.told("broken").length).toBeGreaterThan(3);
    world.store.refuses = () => null;
    await world.stored();
    await world.until(() => world.store.parked.size === 0);
    expect(world.told("up")).toHaveLength(1);
    expectWhole(world);
    expectToldTruth(world);
    await stop(world, writer);
  });

  it("letters that take as much as the cache are too many, but the first is parked, however large", async () => {
    const world = refusingWorld();
    const writer = world.start({ cacheBytes: 1000 });
    for (const record of ["a", "b"]) world.write(put(record, `bad${"x".repeat(2000)}`));
    await world.until(() => world.told("broken").length > 0);
    expect(world.told("broken")[0]?.error).toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/1 dead letter takes .*room for 1000.*CHECK constraint failed: no bad/) as string,
      hint: expect.stringContaining("discard letters") as string,
    });
    expect(parkedIds(world)).toEqual([["1"]]);
    await world.over(writer.settleLetters("discard", ["1"]));
    await world.stored();
    expect(parkedIds(world)).toEqual([["2"]]);
    expectToldTruth(world);
    await stop(world, writer);
  });

  it("with room for none, a refused change stops everything; the queue keeps it, and a later success heals", async () => {
    const world = refusingWorld();
    const writer = world.start({ deadLettersMax: 0 });
    world.write(put("a", "bad"));
    await world.advance(1000);
    world.write(put("b", "1"));
    expect(world.told("broken")[0]).toMatchObject({ error: { code: "REFUSED" }, opening: false });
    await world.advance(retryMaxMs * 10);
    expect([world.store.tries, world.queue.acknowledged]).toEqual([11, 0]);
    expect(world.store.opens).toBe(11);
    expect(world.told("opened")).toHaveLength(1);
    world.store.refuses = () => null;
    await world.stored();
    expect(world.told("up")).toHaveLength(1);
    expectWhole(world);
    await stop(world, writer);
  });

  it("a store that keeps no dead letters is treated so, whatever the option says", async () => {
    const world = refusingWorld();
    const open = world.store.open.bind(world.store);
    world.store.open = async (claim) => {
      const { position, generation } = await open(claim);
      return { position, generation };
    };
    const writer = world.start();
    world.write(put("a", "bad"));
    await world.until(() => world.told("broken").length > 0);
    expect(world.told("broken")[0]?.error.message).toContain("keeps no dead letters");
    expect(world.store.position).toBeNull();
    await stop(world, writer);
  });

  it("a clear that is refused is broken, and never skipped", async () => {
    const world = new World();
    world.store.fails = ({ clear }) => (clear ? new StoreError("refused", "the trigger says no") : null);
    const writer = world.start();
    world.write(put("a", "1"));
    world.queue.append({ kind: "clear" });
    world.write(put("b", "1"));
    await world.until(() => world.told("broken").length > 2);
    expect(world.store.position?.sequence).toBe(1);
    expect(world.told("broken")[0]?.error).toMatchObject({ code: "REFUSED" });
    world.store.fails = () => null;
    await world.stored();
    expect(world.store.parked.size).toBe(0);
    await stop(world, writer);
  });
});

describe("a failure that may be the batch's fault", () => {
  it("is: three times in a row while the store answers count as refused, down to the one frame", async () => {
    const world = new World();
    for (let n = 1; n <= 16; n++) world.write(put(`k${n}`, n === 11 ? "huge" : "small"));
    world.store.fails = ({ rows }) => (rows.has("k11" as Bytes) ? tooSlow : null);
    const writer = world.start();
    await world.stored();
    expect(parkedIds(world)).toEqual([["11"]]);
    expect(world.store.parked.get(11)?.letters[0]?.reason).toBe("statement timed out");
    expect(world.store.rows.size).toBe(15);
    expect(world.told("broken")).toEqual([]);
    expect(world.told("retry").length).toBeGreaterThanOrEqual(2);
    expectWhole(world);
    await world.advance(60_000);
    world.write(put("free", "1"));
    await world.until(() => world.store.value("free") === "1");
    await stop(world, writer);
  });

  it("is not: once or twice is bad luck, and the same run is tried again", async () => {
    const world = new World();
    for (let n = 1; n <= 16; n++) world.write(put(`k${n}`, "x"));
    world.store.fates = [tooSlow, "done", tooSlow, "done", "done"];
    const writer = world.start();
    await world.stored();
    expect(world.store.batches.map(({ to }) => to.sequence)).toEqual([16]);
    expect(world.store.parked.size).toBe(0);
    await stop(world, writer);
  });

  it("is not: where the store does not answer it is an outage, however long", async () => {
    const world = new World();
    for (let n = 1; n <= 16; n++) world.write(put(`k${n}`, "x"));
    world.store.fates = Array.from({ length: 20 }, () => [tooSlow, down]).flat();
    const writer = world.start();
    await world.stored();
    expect(world.store.batches.map(({ to }) => to.sequence)).toEqual([16]);
    expect(world.told("retry")).toHaveLength(20);
    await stop(world, writer);
  });

  it("stopping while a parked group takes too long ends well", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    world.store.fails = ({ rows }) => (rows.has("a" as Bytes) ? tooSlow : null);
    const { tries } = world.store;
    await world.until(() => world.store.tries > tries);
    await stop(world, writer);
  });

  it("a parked group that takes too long stops nobody else, and is no outage", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    world.store.refuses = () => null;
    world.store.fails = ({ rows }) => (rows.has("a" as Bytes) ? tooSlow : null);
    const { opens } = world.store;
    for (let n = 0; n < 100; n++) {
      world.write(put("free", String(n)));
      await world.stored();
    }
    await world.advance(600_000);
    expect(world.told("retry")).toEqual([]);
    expect(world.store.opens - opens).toBeGreaterThan(3);
    expect(world.store.opens - opens).toBeLessThan(40);
    world.store.fails = () => null;
    await world.until(() => world.store.parked.size === 0);
    expectWhole(world);
    expectToldTruth(world);
    await stop(world, writer);
  });
});
