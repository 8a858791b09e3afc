/**
 * A naive world around the cache: a database, a queue, loads in flight, other people's writes. Nothing in it is fast or
 * bounded, so what it says is true, and whatever the cache gives must be that or "not known".
 */
import fc from "fast-check";
import { expect } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { MemoryCache, type Place, type Watch } from "../src/cache/memory-cache.js";
import { apply, compose, isLive, remove, type Change, type RecordValue } from "../src/change.js";
import { change, nameOf, recordValue } from "./arbitraries.js";

const recordCount = 6;
export const records = Array.from({ length: recordCount }, (_, index) => String.fromCharCode(97 + index) as Bytes);

/** One thing that happens. */
export type Event =
  | { readonly event: "write"; readonly record: Bytes; readonly change: Change; readonly times: number }
  | { readonly event: "clear" }
  | { readonly event: "commit"; readonly frames: number }
  | { readonly event: "acknowledge"; readonly share: number; readonly limit: number }
  | { readonly event: "place" | "lookup" | "pin" | "watch"; readonly record: Bytes }
  | { readonly event: "read" | "fill" | "leave"; readonly load: number }
  | { readonly event: "unpin" | "unwatch"; readonly index: number }
  | { readonly event: "others"; readonly record: Bytes; readonly row: RecordValue | null }
  | { readonly event: "time"; readonly ms: number }
  | { readonly event: "expire"; readonly limit: number };

const record = nameOf(recordCount);
const small = fc.nat(3);
const often = fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 70);
const load = fc.constantFrom(0, 0, 0, 1, 2);

export const event: fc.Arbitrary<Event> = fc.oneof(
  // More than sixty: a record that is hot is not dropped.
  { weight: 6, arbitrary: fc.record({ event: fc.constant("write" as const), record, change, times: often }) },
  { weight: 1, arbitrary: fc.constant({ event: "clear" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ event: fc.constant("commit" as const), frames: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      event: fc.constant("acknowledge" as const),
      share: fc.nat(2),
      limit: fc.constantFrom(1, 2, 99),
    }),
  },
  { weight: 5, arbitrary: fc.record({ event: fc.constantFrom("place" as const, "lookup" as const), record }) },
  { weight: 2, arbitrary: fc.record({ event: fc.constantFrom("pin" as const, "watch" as const), record }) },
  { weight: 10, arbitrary: fc.record({ event: fc.constantFrom("read" as const, "fill" as const), load }) },
  { weight: 1, arbitrary: fc.record({ event: fc.constant("leave" as const), load }) },
  { weight: 2, arbitrary: fc.record({ event: fc.constantFrom("unpin" as const, "unwatch" as const), index: small }) },
  { weight: 1, arbitrary: fc.record({ event: fc.constant("others" as const), record, row: fc.option(recordValue) }) },
  { weight: 1, arbitrary: fc.record({ event: fc.constant("time" as const), ms: fc.nat(15) }) },
  { weight: 1, arbitrary: fc.record({ event: fc.constant("expire" as const), limit: small }) },
);

type Frame = { readonly sequence: number; readonly record: Bytes | null; readonly change: Change };

interface Load {
  readonly place: Place;
  row: RecordValue | null | undefined;
}

interface Watching {
  readonly watch: Watch;
  readonly record: Bytes;
  /** Whether the cache knew when it began that there was no such record. */
  readonly absent: boolean;
  /** Where everything was removed and the cache may not have known that there was nothing to remove: perhaps. */
  marked: boolean | "perhaps";
  /** The end that the record had when it was known to the cache while watched. */
  end: number | null;
}

export class World {
  readonly cache: MemoryCache;
  readonly #rows = new Map<Bytes, RecordValue | null>();
  #queue: Frame[] = [];
  #acknowledged = 0;
  #sequence = 0;
  #committed = 0;
  #now = 0;
  readonly #loads: Load[] = [];
  readonly #pins: Bytes[] = [];
  readonly #watches: Watching[] = [];
  /** Records that must stay known: they are pending, or pinned, and were known. */
  readonly #kept = new Map<Bytes, number>();

  /** Every frame there ever was, by sequence: the log that dropped values are read back from. */
  readonly #log = new Map<number, Frame>();
  readonly #drops: boolean;

  /** `unread`: the log can be read but for so many of its last frames; null: not at all. */
  constructor(bytesMax: number, absentMs: number, unread: number | null = null) {
    this.#drops = unread !== null;
    const readable = (): number => (unread === null ? 0 : this.#sequence - unread);
    this.cache = new MemoryCache({ bytesMax, absentMs, readable });
  }

  /** The row that the database will have when all that is queued is stored. */
  #truth(name: Bytes): RecordValue | null {
    let value = this.#rows.get(name) ?? null;
    for (const frame of this.#queue) {
      if (frame.sequence > this.#committed && (frame.record === name || frame.record === null)) {
        value = apply(value, frame.change);
      }
    }
    return value;
  }

  #isPending(name: Bytes): boolean {
    return this.#queue.some(
      (frame) => frame.sequence > this.#acknowledged && (frame.record === name || frame.record === null),
    );
  }

  step(one: Event): void {
    this.#perform(one);
    this.#check();
  }

  /** All is stored and forgotten: whatever was counted of it is counted no more. */
  end(): void {
    const { cache } = this;
    cache.acknowledge(this.#sequence);
    cache.forgetClean();
    expect([cache.records, cache.bytes, cache.pendingRecords, cache.pendingBytes]).toEqual([0, 0, 0, 0]);
  }

  #perform(one: Event): void {
    switch (one.event) {
      case "write":
        for (let time = 0; time < one.times; time += 1) this.#write(one.record, one.change);
        return;
      case "clear":
        return this.#clear();
      case "commit":
        return this.#commit(one.frames);
      case "acknowledge":
        return this.#acknowledge(one.share, one.limit);
      case "place":
        if (this.#loads.length < 4) this.#loads.push({ place: this.cache.place(one.record), row: undefined });
        return;
      case "lookup":
        this.cache.lookup(one.record, this.#now);
        return;
      case "pin":
        this.cache.pin(one.record);
        this.#pins.push(one.record);
        return;
      case "unpin":
        for (const name of this.#pins.splice(one.index, 1)) this.cache.unpin(name);
        return;
      case "watch":
        this.#watches.push({
          absent: this.cache.peek(one.record, this.#now) === null,
          watch: this.cache.watch(one.record, this.#now),
          record: one.record,
          marked: false,
          end: null,
        });
        return;
      case "unwatch":
        for (const { watch } of this.#watches.splice(one.index, 1)) watch.cancel();
        return;
      case "others":
        return this.#others(one.record, one.row);
      case "time":
        this.#now += one.ms;
        return;
      case "expire":
        this.cache.expire(this.#now, one.limit);
        return;
      default:
        return this.#onLoad(one.event, one.load);
    }
  }

  #clear(): void {
    const there = new Set(records.filter((name) => isLive(this.#truth(name), this.#now)));
    this.#queue.push({ sequence: ++this.#sequence, record: null, change: remove });
    this.cache.clear(this.#sequence);
    this.#kept.clear();
    for (const watching of this.#watches) {
      if (there.has(watching.record)) watching.marked = true;
      else if (!watching.absent) watching.marked ||= "perhaps";
    }
  }

  /** A change as a workspace would make it: whole on a record that is known to be absent or to have ended. */
  #write(name: Bytes, wanted: Change): void {
    const known = this.cache.peek(name, this.#now);
    const made = known === null ? compose(remove, wanted) : wanted;
    this.#queue.push({ sequence: ++this.#sequence, record: name, change: made });
    this.#log.set(this.#sequence, { sequence: this.#sequence, record: name, change: made });
    this.cache.write(name, made, this.#sequence);
    if (known !== undefined || made.kind !== "merge") this.#kept.set(name, this.#sequence);
    for (const watching of this.#watches) if (watching.record === name) watching.marked = true;
  }

  #commit(frames: number): void {
    for (const frame of this.#queue.filter((one) => one.sequence > this.#committed).slice(0, frames)) {
      const names = frame.record === null ? records : [frame.record];
      for (const name of names) this.#rows.set(name, apply(this.#rows.get(name) ?? null, frame.change));
      this.#committed = frame.sequence;
    }
  }

  #acknowledge(share: number, limit: number): void {
    const behind = this.#committed - this.#acknowledged;
    this.#acknowledged = Math.max(this.#acknowledged, this.#committed - Math.min(behind, share));
    const done = this.cache.acknowledge(this.#acknowledged, limit);
    if (done && this.#acknowledged === this.#sequence) expect(this.cache.pendingRecords).toBe(0);
    this.#queue = this.#queue.filter((frame) => frame.sequence > this.#acknowledged);
    for (const [name, sequence] of this.#kept) if (sequence <= this.#acknowledged) this.#kept.delete(name);
  }

  #onLoad(what: "read" | "fill" | "leave", index: number): void {
    const load = this.#loads[index];
    if (load === undefined) return;
    if (what === "read") {
      // A load reads once.
      if (load.row === undefined) load.row = this.#read(load.place);
      return;
    }
    if (what === "fill" && load.row !== undefined) this.cache.fill(load.place, load.row, this.#now);
    else if (what === "leave") this.cache.leave(load.place);
    else return;
    this.#loads.splice(index, 1);
  }

  #read({ record: name, inLog }: Place): RecordValue | null {
    let value = inLog !== null && inLog.whole > 0 ? null : (this.#rows.get(name) ?? null);
    const frames = inLog === null ? [] : inLog.whole > 0 ? [inLog.whole, ...inLog.merges] : inLog.merges;
    for (const sequence of frames) {
      const frame = this.#log.get(sequence);
      expect(frame?.record).toBe(name);
      value = apply(value, (frame as Frame).change);
    }
    return value;
  }

  #others(name: Bytes, row: RecordValue | null): void {
    if (this.#isPending(name)) return;
    this.#rows.set(name, row);
    this.cache.invalidate(name);
    for (const watching of this.#watches) if (watching.record === name) watching.marked = true;
  }

  #check(): void {
    const { cache } = this;
    for (const name of records) {
      const truth = this.#truth(name);
      const live = isLive(truth, this.#now) ? truth : null;
      cache.seen = 0;
      const given = cache.peek(name, this.#now);
      if (given !== undefined) expect({ name, given }).toEqual({ name, given: live });
      if (this.#kept.has(name) && !this.#drops)
        expect({ name, known: given !== undefined }).toEqual({ name, known: true });
      this.#checkSequence(name);
      for (const watching of this.#watches) {
        if (watching.record === name && given !== undefined && given !== null && !watching.marked)
          watching.end = given.expiresAt;
      }
    }
    for (const { watch, marked, end, record: name } of this.#watches) {
      const truth = this.#truth(name);
      if (marked === "perhaps") continue;
      if (marked || (end !== null && end <= this.#now)) expect(watch.changed(this.#now)).toBe(true);
      else if ((truth?.expiresAt ?? Number.MAX_VALUE) > this.#now) expect(watch.changed(this.#now)).toBe(false);
    }
    if (this.#pins.length === 0) {
      expect(cache.bytes).toBeLessThanOrEqual(Math.max(cache.bytesMax, cache.pendingBytes));
    }
  }

  /** A reply waits at least for the last change that is not stored. */
  #checkSequence(name: Bytes): void {
    const pending = this.#queue.filter((frame) => frame.record === name || frame.record === null).at(-1);
    if (pending === undefined) return;
    expect(this.cache.sequenceOf(name)).toBeGreaterThanOrEqual(pending.sequence);
    expect(this.cache.seen).toBe(this.cache.sequenceOf(name));
  }
}
