/** For tests of dead letters: a database that refuses, and the picture that the writer's reports make. */
import { StoreError } from "../src/store/store.js";
import { expect } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { apply, type Change, type RecordChange, type RecordValue } from "../src/change.js";
import type { ParkedGroup } from "../src/store/store.js";
import { letterId, parkedBytes, rowsOfGroup, waitingBehind } from "../src/writer/group.js";
import type { ParkedRecord, ParkedTotals, WriterReport } from "../src/writer/messages.js";
import type { Writer } from "../src/writer/writer.js";
import { modelAt, put, World } from "./writer-world.js";

/** A merge of fields. */
export function merge(record: string, set: Record<string, string>): RecordChange {
  const fields = new Map(Object.entries(set)) as Map<Bytes, Bytes>;
  return {
    record: record as Bytes,
    change: { kind: "merge", fields: { set: fields, unset: new Set() }, expiresAt: undefined },
  };
}

/** A change that removes a record. */
export function removal(record: string): RecordChange {
  return { record: record as Bytes, change: { kind: "remove" } };
}

/** A world whose database refuses values and fields that say `bad`. */
export function refusingWorld(seed = 1): World {
  const world = new World(seed);
  world.store.refuses = (_record, row) => (isBad(row) ? "CHECK constraint failed: no bad" : null);
  return world;
}

/** Whether a row has something `bad` in it. */
export function isBad(row: RecordValue | null): boolean {
  if (row === null) return false;
  return typeof row.content === "string"
    ? row.content.includes("bad")
    : [...row.content.values()].some((each) => each.includes("bad"));
}

/** The rows, and what is parked upon them: together exactly what the log says up to the store's position. */
export function expectWhole(world: World): void {
  const rows = new Map(world.store.rows);
  for (const group of world.store.parked.values()) {
    for (const [record, change] of rowsOfGroup(group)) {
      const row = apply(rows.get(record) ?? null, change);
      if (row === null) rows.delete(record);
      else rows.set(record, row);
    }
  }
  expect(rows).toEqual(modelAt(world.queue.frames, world.store.position?.sequence ?? 0));
}

/** What is parked, as somebody knows it who hears the reports only. */
export class Mirror {
  records = new Map<Bytes, ParkedRecord>();
  totals: ParkedTotals = { letters: 0, letterBytes: 0, waitingBehind: 0, behindBytes: 0 };

  constructor(reports: readonly WriterReport[]) {
    for (const report of reports) this.#hear(report);
  }

  #hear(report: WriterReport): void {
    if (report.type === "opened") {
      this.records = new Map(report.parked.records);
      this.#count(report.parked);
    } else if (report.type === "committed" && report.parked !== null) {
      for (const [record, each] of report.parked.records) this.records.set(record, each);
      this.#count(report.parked);
    } else if (report.type === "unparked") {
      for (const record of report.records) this.records.delete(record);
      this.#count(report);
    }
  }

  #count({ letters, letterBytes, waitingBehind, behindBytes }: ParkedTotals): void {
    this.totals = { letters, letterBytes, waitingBehind, behindBytes };
  }
}

/** What the reports say is what the store has. */
export function expectToldTruth(world: World): void {
  const told = new Mirror(world.reports);
  const groups = [...world.store.parked.values()];
  const changes = new Map<Bytes, Change>();
  for (const group of groups) for (const [record, change] of rowsOfGroup(group)) changes.set(record, change);
  expect(new Map([...told.records].map(([record, { change }]) => [record, change]))).toEqual(changes);
  for (const group of groups) {
    const ids = group.letters.map(({ position }) => letterId(position.sequence));
    for (const record of rowsOfGroup(group).keys()) expect(ids).toContain(told.records.get(record)?.letter);
  }
  const held = groups.flatMap(({ letters }) => letters.flatMap((letter) => letter.changes));
  const behind = groups.flatMap((group) => [...group.behind].map(([record, { change }]) => ({ record, change })));
  expect(told.totals).toEqual({
    letters: groups.reduce((sum, { letters }) => sum + letters.length, 0),
    letterBytes: held.reduce((sum, each) => sum + parkedBytes(each), 0),
    waitingBehind: groups.reduce((sum, group) => sum + waitingBehind(group), 0),
    behindBytes: behind.reduce((sum, each) => sum + parkedBytes(each), 0),
  });
}

/** What must hold of groups: each record has one letter at the most, older than what is behind it, in one group. */
export function expectSound(groups: Iterable<ParkedGroup>): void {
  const seen = new Set<Bytes>();
  for (const { id, letters, behind } of groups) {
    const held = new Map<Bytes, number>();
    expect(letters[0]?.position.sequence).toBe(id);
    for (const { position, changes } of letters) {
      for (const { record } of changes) {
        expect(held.has(record)).toBe(false);
        held.set(record, position.sequence);
      }
    }
    for (const [record, { position }] of behind) expect(position.sequence).toBeGreaterThan(held.get(record) ?? id);
    for (const record of new Set([...held.keys(), ...behind.keys()])) {
      expect(seen.has(record)).toBe(false);
      seen.add(record);
    }
  }
}

/** Parks `record` in a group of its own: a bad value in a frame alone. */
export async function parkOne(world: World, record: string): Promise<string> {
  const { sequence } = world.write(put(record, "bad"));
  await world.stored();
  return letterId(sequence);
}

/** The ids of what is parked, by group. */
export function parkedIds(world: World): string[][] {
  return [...world.store.parked.values()].map(({ letters }) =>
    letters.map(({ position }) => letterId(position.sequence)),
  );
}

/** Ends the writer. */
export async function stop(world: World, writer: Writer): Promise<void> {
  await world.over(writer.stop());
  expect(world.store.closed).toBe(true);
}

/** A time-out that may be the fault of the batch. */
export const tooSlow = new StoreError("retryable", "statement timed out", undefined, { blamesBatch: true });
