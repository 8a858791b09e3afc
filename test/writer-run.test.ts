/** What goes into a run: whole frames, within the limits, coalesced as if written one by one. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Bytes } from "../src/bytes.js";
import type { Change, RecordChange, RecordValue } from "../src/change.js";
import { apply } from "../src/change.js";
import type { FrameBody, FrameOnDisk } from "../src/queue/queue.js";
import { RunMaker, type Run } from "../src/writer/run.js";
import { change, nameOf } from "./arbitraries.js";
import { base, composedAt, logId, modelAt } from "./writer-world.js";

const body: fc.Arbitrary<FrameBody> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<FrameBody>({ kind: "clear" }) },
  {
    weight: 12,
    arbitrary: fc
      .uniqueArray(fc.record({ record: nameOf(8), change }), { minLength: 1, maxLength: 4, selector: (c) => c.record })
      .map<FrameBody>((changes) => ({ kind: "changes", changes })),
  },
);

const log: fc.Arbitrary<FrameOnDisk[]> = fc
  .array(fc.record({ body, bytes: fc.integer({ min: 20, max: 200 }) }), { minLength: 1, maxLength: 40 })
  .map((frames) =>
    frames.map(({ body, bytes }, index) => ({
      frame: { position: { logId, sequence: index + 1, tag: index * 7 }, at: 1000 + index, body },
      bytes,
    })),
  );

const limits = fc.record({ bytes: fc.integer({ min: 1, max: 1500 }), records: fc.integer({ min: 1, max: 8 }) });

/** Cuts a whole log into runs. */
function runsOf(frames: readonly FrameOnDisk[], limits: { bytes: number; records: number }): Run[] {
  const runs: Run[] = [];
  let from = base;
  while (from.sequence < frames.length) {
    const maker = new RunMaker(from, limits);
    for (const frame of frames.slice(from.sequence)) if (!maker.take(frame)) break;
    const run = maker.finish();
    if (run === null) throw new Error("a run without frames");
    runs.push(run);
    from = run.to;
  }
  return runs;
}

function framesOf(frames: readonly FrameOnDisk[], run: Run): FrameOnDisk[] {
  return frames.slice(run.from.sequence, run.to.sequence);
}

it("the store after each run is the log up to there, written one by one", () => {
  fc.assert(
    fc.property(log, limits, (frames, limits) => {
      const before = structuredClone(frames);
      const rows = new Map<Bytes, RecordValue>();
      for (const run of runsOf(frames, limits)) {
        if (run.clear) rows.clear();
        for (const [record, change] of run.rows) {
          const row = apply(rows.get(record) ?? null, change);
          if (row === null) rows.delete(record);
          else rows.set(record, row);
        }
        expect(rows).toEqual(modelAt(frames, run.to.sequence));
      }
      // Frames belong to the queue: coalescing must not write into their maps.
      expect(frames).toEqual(before);
    }),
    { numRuns: 500 },
  );
});

it("coalescing is compose, one after the other", () => {
  fc.assert(
    fc.property(log, limits, (frames, limits) => {
      for (const run of runsOf(frames, limits)) expect(run.rows).toEqual(composedAt(framesOf(frames, run)));
    }),
    { numRuns: 500 },
  );
});

it("a run keeps its limits, takes all it can, and is never empty", () => {
  fc.assert(
    fc.property(log, limits, (frames, limits) => {
      for (const run of runsOf(frames, limits)) {
        const own = framesOf(frames, run);
        const bytes = own.reduce((sum, frame) => sum + frame.bytes, 0);
        expect(run.bytes).toBe(bytes);
        expect(run.changes).toBe(own.reduce((sum, { frame }) => sum + countOf(frame.body), 0));
        expect(run.at).toBe(own.at(-1)?.frame.at);
        if (own.length > 1) {
          expect(bytes).toBeLessThanOrEqual(limits.bytes);
          expect(run.rows.size).toBeLessThanOrEqual(limits.records);
        }
        const next = frames[run.to.sequence];
        if (next === undefined || run.clear || next.frame.body.kind === "clear") continue;
        const records = composedAt([...own, next]).size;
        expect(bytes + next.bytes > limits.bytes || records > limits.records).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

function countOf(body: FrameBody): number {
  return body.kind === "clear" ? 1 : body.changes.length;
}

it("a clear is a run of its own", () => {
  fc.assert(
    fc.property(log, limits, (frames, limits) => {
      for (const run of runsOf(frames, limits)) {
        const clears = framesOf(frames, run).filter(({ frame }) => frame.body.kind === "clear").length;
        expect(clears).toBe(run.clear ? 1 : 0);
        if (run.clear) expect([run.to.sequence - run.from.sequence, run.rows.size]).toEqual([1, 0]);
      }
    }),
  );
});

it("a gap in the log is a broken invariant, not a run", () => {
  const frame = { position: { logId, sequence: 2, tag: 0 }, at: 0, body: { kind: "clear" } as const };
  expect(() => new RunMaker(base, { bytes: 1, records: 1 }).take({ frame, bytes: 1 })).toThrow("frame 2 follows 0");
});

it("fields of one hash are not copied with every merge", () => {
  const maker = new RunMaker(base, { bytes: Number.MAX_SAFE_INTEGER, records: 10 });
  const count = 50_000;
  for (let sequence = 1; sequence <= count; sequence++) {
    const set = new Map([[`field${sequence}` as Bytes, "x" as Bytes]]);
    const change: Change = { kind: "merge", fields: { set, unset: new Set() }, expiresAt: undefined };
    const changes: RecordChange[] = [{ record: "hash" as Bytes, change }];
    const frame = { position: { logId, sequence, tag: 0 }, at: 0, body: { kind: "changes", changes } as const };
    maker.take({ frame, bytes: 50 });
  }
  // Copied with every merge this is 1.25 thousand million fields: it would run into the time limit of the test.
  const change = maker.finish()?.rows.get("hash" as Bytes);
  expect(change?.kind === "merge" && change.fields?.set.size).toBe(count);
});
