/** The pure parts of dead letters: how a bad frame is looked for, how groups grow, when they are tried. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { compose, type Change, type RecordChange } from "../src/change.js";
import type { Frame } from "../src/queue/queue.js";
import { isSuperseded, rowsBehind, rowsOfGroup } from "../src/writer/group.js";
import { grown, halved, whole, type Halving } from "../src/writer/halving.js";
import { pace, type Situation } from "../src/writer/pace.js";
import { Aside, Parked, type RunParking } from "../src/writer/parked.js";
import { groupRetryDelayMs, groupRetryFactor } from "../src/writer/retry.js";
import { change, nameOf } from "./arbitraries.js";
import { expectSound } from "./dead-letters-kit.js";
import { quiet, logId } from "./writer-world.js";

/** Takes runs of a queue of so many frames until its end. A run with a bad frame in it fails. */
function search(
  frames: number,
  bad: ReadonlySet<number>,
  batchMax: number,
): { tries: number; parked: number[]; limits: Halving[] } {
  let halving: Halving = whole;
  let from = 0;
  let tries = 0;
  const parked: number[] = [];
  const limits: Halving[] = [];
  while (from < frames) {
    const to = Math.min(frames, from + Math.min(batchMax, halving.framesMax ?? Infinity));
    tries++;
    const isBad = Array.from({ length: to - from }, (_, n) => from + 1 + n).some((sequence) => bad.has(sequence));
    if (isBad && to - from > 1) halving = halved(from, to);
    else {
      if (isBad) parked.push(to);
      halving = grown(halving, from, to);
      from = to;
    }
    limits.push(halving);
  }
  return { tries, parked, limits };
}

describe("halving", () => {
  it("finds every bad frame, parks nothing else, and one among n costs about log2(n) tries", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        fc.integer({ min: 1, max: 700 }),
        (frames, places, batchMax) => {
          const bad = new Set(places.map((place) => 1 + (place % frames)));
          const { tries, parked } = search(frames, bad, batchMax);
          expect(parked).toEqual([...bad].toSorted((a, b) => a - b));
          const log = Math.ceil(Math.log2(Math.min(frames, batchMax) + 1));
          expect(tries).toBeLessThanOrEqual(Math.ceil(frames / batchMax) + bad.size * (2 * log + 2));
        },
      ),
    );
  });

  it("grows again until nothing is limited", () => {
    const { limits } = search(2000, new Set([1]), 1000);
    expect(limits.at(-1)).toEqual(whole);
    expect(search(100, new Set(), 10).limits.every((each) => each === whole)).toBe(true);
  });
});

const changes: fc.Arbitrary<RecordChange[]> = fc.uniqueArray(fc.record({ record: nameOf(12), change }), {
  minLength: 1,
  maxLength: 3,
  selector: ({ record }) => record,
});

function frameOf(sequence: number, each: readonly RecordChange[]): Frame {
  return { position: { logId, sequence, tag: sequence }, at: 1000, body: { kind: "changes", changes: each } };
}

/** The same, as naively as it can be said: which frames wait, what they come to, and who belongs to whom. */
class Naive {
  readonly all = new Map<Bytes, Change>();
  groups: Set<Bytes>[] = [];

  add(each: readonly RecordChange[]): void {
    const records = each.map(({ record }) => record);
    const touched = this.groups.filter((group) => records.some((record) => group.has(record)));
    const joined = new Set([...touched.flatMap((group) => [...group]), ...records]);
    this.groups = [...this.groups.filter((group) => !touched.includes(group)), joined];
    for (const { record, change: newer } of each) {
      const older = this.all.get(record);
      this.all.set(record, older === undefined ? newer : compose(older, newer));
    }
  }

  touches(each: readonly RecordChange[]): boolean {
    return each.some(({ record }) => this.all.has(record));
  }
}

const sorted = (groups: Iterable<Iterable<Bytes>>): string[] =>
  [...groups].map((group) => [...group].toSorted().join()).toSorted();

describe("groups", () => {
  it("are what frames have joined, whatever comes in which run; stores that do the same have the same", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(changes, fc.boolean(), fc.boolean()), { maxLength: 40 }), (frames) => {
        const parked = new Parked();
        const store = new Parked();
        const naive = new Naive();
        let aside = new Aside(parked);
        const end = (parking: RunParking | null): void => {
          aside = new Aside(parked);
          if (parking === null) return;
          parked.change(parking);
          store.change(structuredClone(parking));
          const told = parked.reportOf(parking);
          for (const [record, { change: composed }] of told.records) expect(composed).toEqual(naive.all.get(record));
          aside = new Aside(parked);
        };
        for (const [index, [each, isBad, endsRun]] of frames.entries()) {
          const frame = frameOf(index + 1, each);
          expect(aside.take(frame.position, each)).toBe(naive.touches(each));
          if (naive.touches(each)) naive.add(each);
          else if (isBad) {
            end(aside.finish());
            naive.add(each);
            end(parked.letterOf(frame, "no", 1000));
          }
          if (endsRun) end(aside.finish());
        }
        end(aside.finish());
        expectSound(parked.groups());
        expect(sorted([...parked.groups()].map((group) => rowsOfGroup(group).keys()))).toEqual(sorted(naive.groups));
        const overlay = parked.overlay();
        expect(new Map([...overlay.records].map(([record, { change: composed }]) => [record, composed]))).toEqual(
          naive.all,
        );
        expect(new Set(store.groups())).toEqual(new Set(parked.groups()));
        expect(store.overlay()).toEqual(overlay);
        store.load([...parked.groups()]);
        expect(store.overlay()).toEqual(overlay);
      }),
    );
  });

  it("leave nothing behind when they are dropped", () => {
    const parked = new Parked();
    const [a, b] = ["a", "b"].map((record) => ({ record: record as Bytes, change: { kind: "remove" } as const }));
    if (a === undefined || b === undefined) throw new Error("no changes");
    parked.change(parked.letterOf(frameOf(1, [a]), "no", 1000));
    const aside = new Aside(parked);
    aside.take(frameOf(2, [a, b]).position, [a, b]);
    parked.change(aside.finish() as RunParking);
    expect(parked.totals).toMatchObject({ letters: 1, waitingBehind: 2 });
    parked.change({ drop: [1, 5], put: [] });
    expect([parked.size, parked.overlay()]).toEqual([
      0,
      { records: new Map(), letters: 0, letterBytes: 0, waitingBehind: 0, behindBytes: 0 },
    ]);
    expect(new Aside(parked).take(frameOf(3, [b]).position, [b])).toBe(false);
  });

  it("are superseded where one record alone was written whole, and nowhere else", () => {
    const put = (record: string): RecordChange => ({
      record: record as Bytes,
      change: { kind: "replace", content: "1" as Bytes, expiresAt: null, afterRemove: false },
    });
    const touch: RecordChange = { record: "a" as Bytes, change: { kind: "merge", fields: null, expiresAt: 5 } };
    const gone: RecordChange = { record: "a" as Bytes, change: { kind: "remove" } };
    const after = (letter: RecordChange[], ...later: RecordChange[][]): boolean => {
      const parked = new Parked();
      parked.change(parked.letterOf(frameOf(1, letter), "no", 1000));
      const aside = new Aside(parked);
      for (const [index, each] of later.entries()) aside.take(frameOf(index + 2, each).position, each);
      const parking = aside.finish();
      if (parking !== null) parked.change(parking);
      const group = parked.group(1);
      if (group === undefined) throw new Error("no group");
      expect(rowsBehind(group).size).toBe(group.behind.size);
      return isSuperseded(group);
    };
    expect(after([put("a")])).toBe(false);
    expect(after([put("a")], [touch])).toBe(false);
    expect(after([put("a")], [put("a")])).toBe(true);
    expect(after([put("a")], [touch], [gone])).toBe(true);
    expect(after([put("a")], [put("a")], [touch])).toBe(true);
    expect(after([put("a")], [put("a"), put("b")])).toBe(false);
    expect(after([put("a"), put("b")], [put("a")], [put("b")])).toBe(false);
  });
});

describe("when a parked group is tried", () => {
  it("the pause doubles with full jitter, up to ten times the longest of a store", () => {
    const limits = { retryMinMs: 100, retryMaxMs: 30_000 };
    for (const dice of [0, 0.3, 0.999]) {
      for (let refusals = 1; refusals < 60; refusals++) {
        const longest = Math.min(100 * 2 ** (refusals - 1), groupRetryFactor * 30_000);
        expect(groupRetryDelayMs(refusals, dice, limits)).toBe(Math.max(1, dice * longest));
      }
    }
  });

  const tried: Situation = { ...quiet, asking: true, tryAt: 1000 };
  const limits = { delayMs: 100, enoughBytes: 5000 };
  const due = { at: 0, oldestAgeMs: 1000, bytes: 10 };

  it("when it is due, between two runs, and never before a failed run or a pause", () => {
    expect(pace(tried, limits)).toEqual({ act: "try" });
    expect(pace({ ...tried, triedLast: true }, limits)).toEqual({ act: "try" });
    expect(pace({ ...tried, tryAt: 1200 }, limits)).toEqual({ act: "sleep", ms: 200 });
    expect(pace({ ...tried, tryAt: 1200, beatAt: 1100 }, limits)).toEqual({ act: "sleep", ms: 100 });
    expect(pace({ ...tried, seen: due }, limits)).toEqual({ act: "try" });
    expect(pace({ ...tried, seen: due, triedLast: true }, limits)).toEqual({ act: "run" });
    expect(pace({ ...tried, inHand: true }, limits)).toEqual({ act: "run" });
    expect(pace({ ...tried, notBefore: 1500 }, limits)).toEqual({ act: "sleep", ms: 500 });
    expect(pace({ ...tried, paused: true }, limits)).toEqual({ act: "sleep", ms: null });
  });

  it("an order passes a pause, and the wait for a next try", () => {
    expect(pace({ ...tried, ordered: true, paused: true, notBefore: 9999, inHand: true }, limits)).toEqual({
      act: "order",
    });
    expect(pace({ ...tried, ordered: true, stepping: true }, limits)).toEqual({ act: "run" });
  });
});
