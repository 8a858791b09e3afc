/** Dead letters in trouble: lost answers, crashes, a database that went back; and what a person may do with them. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { StoreError } from "../src/store/store.js";
import type { Writer } from "../src/writer/writer.js";
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

/** A paused world with `a` and `b` as letters 1 and 2, and something behind each. */
async function pausedWithLetters(): Promise<{ world: World; writer: Writer }> {
  const world = refusingWorld();
  const writer = world.start();
  await parkOne(world, "a");
  await parkOne(world, "b");
  world.write(merge("a", { x: "bad" }));
  world.write(merge("b", { x: "bad" }));
  await world.stored();
  await world.over(writer.pause());
  return { world, writer };
}

describe("lost answers and crashes", () => {
  it("a lost answer while parking: the letter is parked once, and told", async () => {
    const world = refusingWorld();
    const writer = world.start();
    world.write(put("a", "bad"));
    world.store.fates = ["done", "lost"];
    await world.stored();
    expect(world.store.batches.map(({ to, parking }) => [to.sequence, parking?.put.length])).toEqual([[1, 1]]);
    expect(world.told("committed").map(({ parked }) => parked?.letter?.id)).toEqual(["1"]);
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });

  it("a lost answer while something is put behind, and while halving", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    for (let n = 0; n < 20; n++) world.write(merge("a", { x: "bad" }), put(`k${n}`, n === 13 ? "bad" : "good"));
    for (let n = 0; n < 20; n++) world.write(put(`f${n}`, n === 13 ? "bad" : "good"));
    world.store.fates = Array.from({ length: 60 }, (_, n) => (n % 3 === 0 ? "lost" : "done"));
    await world.stored();
    expectSound(world.store.parked.values());
    expectToldTruth(world);
    expectWhole(world);
    expect(world.store.batches.map(({ to }) => to.sequence)).toEqual(
      world.store.batches.map(({ to }) => to.sequence).toSorted((a, b) => a - b),
    );
    await stop(world, writer);
  });

  it("a lost answer of a try: what was stored is not tried again, and nothing is put behind a group that is gone", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    world.store.refuses = () => null;
    world.store.fates = ["lost"];
    await world.until(() => world.store.parked.size === 0);
    world.write(merge("a", { x: "1" }));
    await world.stored();
    expect(world.told("unparked")).toHaveLength(1);
    expect(world.store.parked.size).toBe(0);
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });

  it("the row of a frame that was given up for slow comes late, before its letter: it is a row, and no letter", async () => {
    const world = new World();
    const writer = world.start();
    world.write(put("before", "1"));
    await world.stored();
    world.write(put("a", "1"));
    let late: (() => Promise<void>) | null = null;
    const { store } = world;
    const commit = store.commit.bind(store);
    store.commit = async (batch) => {
      if (batch.rows.has("a" as Bytes)) {
        // The server goes on with it after its client has given up.
        late ??= () => commit(batch);
        throw tooSlow;
      }
      if (batch.parking !== null) await late?.();
      return commit(batch);
    };
    await world.stored();
    expect(store.value("a")).toBe("1");
    expect(store.parked.size).toBe(0);
    expect(world.told("committed").map(({ parked }) => parked)).toEqual([null, null]);
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });

  it("a writer that starts again knows what is parked, and tries it", async () => {
    const world = refusingWorld();
    const first = world.start();
    await parkOne(world, "a");
    world.write(merge("a", { x: "bad" }), put("b", "1"));
    await world.stored();
    await stop(world, first);
    const second = world.start();
    world.write(put("b", "2"), put("c", "2"));
    await world.stored();
    expect([...(world.store.parked.get(1)?.behind.keys() ?? [])]).toEqual(["a", "b", "c"]);
    expect(world.told("opened")[1]?.parked).toMatchObject({ letters: 1, waitingBehind: 2 });
    expectToldTruth(world);
    expectWhole(world);
    world.store.refuses = () => null;
    await world.until(() => world.store.parked.size === 0);
    expectWhole(world);
    await stop(world, second);
  });

  it("a database that went back has the letters that it had then; they are parked or written again", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    const { store } = world;
    const backup = { rows: new Map(store.rows), position: store.position, parked: new Map(store.parked) };
    await parkOne(world, "b");
    world.write(put("a", "good"));
    await world.until(() => world.told("unparked").length === 1);
    store.restore(backup.rows, backup.position, backup.parked);
    world.write(put("c", "1"));
    await world.stored();
    await world.until(() => parkedIds(world).flat().join() === "2");
    expect(world.told("opened").map(({ parked }) => parked.letters)).toEqual([0, 1]);
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });
});

describe("a database that went back to before a try", () => {
  it("has the same position, and is found out all the same: no older value comes back", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    const { store } = world;
    const { rows, position, parked, generation } = store;
    store.refuses = () => null;
    await world.until(() => world.told("unparked").length === 1);
    store.restore(rows, position, parked, generation);
    world.write(put("a", "newer"));
    await world.stored();
    await world.until(() => store.parked.size === 0);
    expect(store.value("a")).toBe("newer");
    expect(world.told("opened").map((report) => report.parked.letters)).toEqual([0, 1]);
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });
});

describe("a person", () => {
  it("sees the letters in order of their positions, page by page, with what waits behind", async () => {
    const { world, writer } = await pausedWithLetters();
    const first = await writer.list(1, null);
    expect(first).toMatchObject({
      items: [
        {
          id: "1",
          group: "1",
          position: world.queue.positionAt(1),
          changes: [put("a", "bad")],
          reason: "CHECK constraint failed: no bad",
          behind: [{ ...merge("a", { x: "bad" }), frames: 1 }],
          waitingBehind: 1,
        },
      ],
      next: "1",
    });
    expect((await writer.list(10, "1")).items.map(({ id }) => id)).toEqual(["2"]);
    expect(await writer.list(10, "2")).toEqual({ items: [], next: null });
    expect((await writer.list(2, null)).next).toBeNull();
    await expect(writer.list(1, "first")).rejects.toMatchObject({ code: "BAD_VALUE" });
    await stop(world, writer);
  });

  it("retries letters while paused; each is answered, stored or refused with the reason", async () => {
    const { world, writer } = await pausedWithLetters();
    world.store.refuses = (record, row) => (record === "b" && isBad(row) ? "still bad" : null);
    expect(await world.over(writer.settleLetters("retry", "all"))).toMatchObject([
      { id: "1", became: "stored", reason: null },
      { id: "2", became: "refused", reason: "still bad" },
    ]);
    expect(parkedIds(world)).toEqual([["2"]]);
    world.store.refuses = () => null;
    expect(await world.over(writer.settleLetters("retry", ["2"]))).toMatchObject([{ id: "2", became: "stored" }]);
    expect(world.told("unparked").map(({ ids, how }) => [ids, how])).toEqual([
      [["1"], "retried"],
      [["2"], "retried"],
    ]);
    expect(await world.over(writer.settleLetters("retry", "all"))).toEqual([]);
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });

  it("discards a letter, and what waits behind it is written in the same transaction", async () => {
    const world = refusingWorld();
    const writer = world.start();
    world.write(put("a", "1"), put("b", "1"));
    await world.stored();
    world.write(put("a", "bad"), put("b", "2"));
    await world.stored();
    await world.over(writer.pause());
    world.write(merge("a", { x: "1" }));
    await world.over(writer.step());
    expect(await world.over(writer.settleLetters("discard", ["2"]))).toEqual([
      { id: "2", became: "discarded", reason: null, hint: null },
    ]);
    expect(world.store.value("b")).toBe("1");
    expect(world.store.rows.get("a" as Bytes)?.content).toEqual(new Map([["x", "1"]]));
    expect(world.told("unparked")).toMatchObject([{ ids: ["2"], records: ["a", "b"], how: "discarded" }]);
    expect(world.store.parked.size).toBe(0);
    expectToldTruth(world);
    await stop(world, writer);
  });

  it("discards nothing where what waits behind is refused, and is told how to give up both", async () => {
    const { world, writer } = await pausedWithLetters();
    const [refusal] = await world.over(writer.settleLetters("discard", ["1"]));
    expect(refusal).toMatchObject({ id: "1", became: "refused", reason: "CHECK constraint failed: no bad" });
    expect(refusal?.hint).toContain("behind");
    expect(parkedIds(world)).toEqual([["1"], ["2"]]);
    expect(await world.over(writer.settleLetters("discardBehind", ["1"]))).toMatchObject([{ became: "discarded" }]);
    expect(world.store.value("a")).toBeUndefined();
    expect(parkedIds(world)).toEqual([["2"]]);
    expectToldTruth(world);
    await stop(world, writer);
  });

  it("acts on the whole group of a letter, and is told of all its letters", async () => {
    const { world, writer } = await pausedWithLetters();
    world.write(merge("a", { y: "bad" }), merge("b", { y: "bad" }));
    await world.over(writer.step());
    expect(parkedIds(world)).toEqual([["1", "2"]]);
    expect((await writer.list(9, null)).items.map(({ group }) => group)).toEqual(["1", "1"]);
    expect(await world.over(writer.settleLetters("discardBehind", ["2"]))).toMatchObject([{ id: "1" }, { id: "2" }]);
    expect(world.told("unparked").at(-1)).toMatchObject({ ids: ["1", "2"], how: "discarded", letters: 0 });
    expectToldTruth(world);
    await stop(world, writer);
  });

  it("hears BAD_VALUE of ids that are unknown, and nothing is done", async () => {
    const { world, writer } = await pausedWithLetters();
    const { tries } = world.store;
    for (const what of ["retry", "discard", "discardBehind"] as const) {
      await expect(world.over(writer.settleLetters(what, ["1", "77", "x"]))).rejects.toMatchObject({
        code: "BAD_VALUE",
        message: expect.stringContaining("77, x") as string,
      });
    }
    expect([world.store.tries, world.store.parked.size]).toEqual([tries, 2]);
    await stop(world, writer);
  });

  it("hears what the store fails of, and may ask again", async () => {
    const { world, writer } = await pausedWithLetters();
    world.store.refuses = () => null;
    for (const failure of [down, tooSlow]) {
      world.store.fates = [failure];
      await expect(world.over(writer.settleLetters("retry", ["1"]))).rejects.toMatchObject({ code: "STORE_DOWN" });
      expect(parkedIds(world)).toEqual([["1"], ["2"]]);
    }
    world.store.openFates = [down];
    world.store.fates = [down];
    await expect(world.over(writer.settleLetters("retry", ["1"]))).rejects.toMatchObject({ code: "STORE_DOWN" });
    await expect(world.over(writer.settleLetters("retry", ["1"]))).rejects.toMatchObject({ code: "STORE_DOWN" });
    expect(await world.over(writer.settleLetters("retry", ["1"]))).toMatchObject([{ became: "stored" }]);
    await stop(world, writer);
  });

  it("does not hear of a claim that was another's for a moment: what was ordered is done to its end", async () => {
    const { world, writer } = await pausedWithLetters();
    world.store.refuses = () => null;
    const moved = new StoreError("moved", "the claim is another's");
    world.store.fates = ["done", moved];
    expect(await world.over(writer.settleLetters("retry", ["1", "2"]))).toMatchObject([
      { id: "1", became: "stored" },
      { id: "2", became: "stored" },
    ]);
    await stop(world, writer);
  });

  it("makes room in a writer that is broken by too many letters, and it goes on at once", async () => {
    const world = refusingWorld();
    const writer = world.start({ deadLettersMax: 1 });
    await parkOne(world, "a");
    world.write(put("b", "bad"));
    world.write(put("c", "good"));
    await world.until(() => world.told("broken").length > 0);
    const since = world.loop.nowMs;
    expect(await world.over(writer.settleLetters("discard", "all"))).toMatchObject([{ became: "discarded" }]);
    await world.stored();
    expect(world.loop.nowMs - since).toBeLessThan(1000);
    expect(parkedIds(world)).toEqual([["2"]]);
    expect(world.store.value("c")).toBe("good");
    expect(world.told("up")).toHaveLength(1);
    await stop(world, writer);
  });

  it("may act while a run has failed: it is known first whether it was done", async () => {
    const world = refusingWorld();
    const writer = world.start();
    await parkOne(world, "a");
    world.store.refuses = () => null;
    world.store.fates = ["lost"];
    world.write(merge("a", { x: "1" }), put("b", "1"));
    const { tries } = world.store;
    await world.until(() => world.store.tries > tries && world.told("retry").length > 0);
    const outcomes = await world.over(writer.settleLetters("retry", "all"));
    expect(outcomes.length === 0 || outcomes[0]?.became === "stored").toBe(true);
    await world.stored();
    await world.until(() => world.store.parked.size === 0);
    expectToldTruth(world);
    expectWhole(world);
    await stop(world, writer);
  });

  it("is not left waiting when the writer stops, nor before the store was ever open", async () => {
    const world = refusingWorld();
    world.store.openFates = Array.from({ length: 9 }, () => down);
    const writer = world.start();
    await expect(writer.list(1, null)).rejects.toMatchObject({ code: "STORE_DOWN" });
    const order = writer.settleLetters("retry", "all").catch((error: unknown) => error);
    await stop(world, writer);
    expect(await order).toMatchObject({ code: expect.stringMatching(/CLOSED|STORE_DOWN/) as string });
    await expect(writer.settleLetters("discard", "all")).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("everything at once", () => {
  it("rows and what is parked are a past moment after every commit, the reports tell the truth, and all heals", async () => {
    for (let seed = 1; seed <= 200; seed++) await trouble(seed);
  });

  async function trouble(seed: number): Promise<void> {
    const world = refusingWorld(seed);
    const { dice, store, queue } = world;
    const checked = store.refuses;
    const childless: typeof checked = (record, row, rows) =>
      record === "k0" && row !== null && !rows.has("k1" as Bytes)
        ? "FOREIGN KEY constraint failed"
        : checked(record, row, rows);
    store.refuses = childless;
    const options = { delayMs: dice.below(50), batchRecords: 1 + dice.below(6), batchBytes: 100 + dice.below(2000) };
    let writer = world.start(options);
    const backup = () => ({
      rows: store.rows,
      position: store.position,
      parked: store.parked,
      generation: store.generation,
    });
    const backups = [backup()];
    const key = () => `k${dice.below(7)}`;
    const word = () => (dice.chance(0.15) ? "bad" : `good${dice.below(9)}`);
    const one = () =>
      dice.pick([
        () => put(key(), word()),
        () => merge(key(), { [dice.pick(["x", "y"])]: word() }),
        () => removal(key()),
      ])();
    const write = () => {
      const changes = new Map(Array.from({ length: 1 + dice.below(2) }, one).map((each) => [each.record, each]));
      world.write(...changes.values());
    };
    const happenings: (() => void | Promise<void>)[] = [
      () => void queue.append({ kind: "clear" }),
      () =>
        void (store.fates = dice.pick([
          [down],
          ["lost"],
          ["lost", down],
          [tooSlow],
          [tooSlow, "done", tooSlow],
          [new Error("fault")],
        ])),
      () => void (store.openFates = [down, down]),
      () =>
        void (store.fails = dice.chance(0.5) ? () => null : ({ rows }) => (rows.has("k2" as Bytes) ? tooSlow : null)),
      () => void store.generation++,
      () => writer.hurry(queue.accepted),
      () => void writer.step().catch(() => {}),
      () => void writer.settleLetters("retry", "all").catch(() => {}),
      () => void writer.pause(),
      () => writer.resume(),
      () => {
        const { rows, position, parked, generation } = dice.pick(backups);
        store.restore(rows, position, parked, generation);
      },
      () => void backups.push(backup()),
      async () => {
        await world.over(writer.stop());
        writer = world.start(options, dice.chance(0.3));
      },
    ];
    for (let i = 0; i < 70; i++) {
      await dice.pick<(typeof happenings)[number]>([...happenings, ...Array.from({ length: 14 }, () => write)])();
      await world.advance(dice.below(200));
      expectWhole(world);
      expectSound(store.parked.values());
    }
    store.fates = [];
    store.openFates = [];
    store.fails = () => null;
    store.refuses = () => null;
    writer.resume();
    await world.until(() => store.position?.sequence === queue.accepted || queue.accepted === 0);
    await world.advance(2 * retryMaxMs);
    expectToldTruth(world);
    await world.over(writer.settleLetters("retry", "all"));
    expectToldTruth(world);
    expectWhole(world);
    expect(store.parked.size, `seed ${seed}`).toBe(0);
    expect(store.position?.sequence ?? 0, `seed ${seed}`).toBe(queue.accepted);
    await stop(world, writer);
  }
});
