/** What the cases are written with: a connection that commits one batch after the other, as the writer does. */
import assert from "node:assert/strict";
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import type { Change, Content, Fields, RecordValue, Replace } from "../../src/change.js";
import type { Position } from "../../src/queue/queue.js";
import {
  generationAfter,
  storeErrorKind,
  type Batch,
  type Page,
  type Store,
  type StoreClaim,
  type StoreErrorKind,
  type StoreOpened,
} from "../../src/store/store.js";
import type { StoreWorld } from "./world.js";

/** The log ids of two queues. */
export const logA = "a".repeat(32);
export const logB = "b".repeat(32);

/** The log id of a partition of a queue that is cut into several. */
export function fleetLog(partition: number, fleet = "f"): string {
  return fleet.repeat(24) + partition.toString(16).padStart(8, "0");
}

/** Commits batches in order, and knows where it is. */
export class WriterLike {
  readonly store: Store;
  readonly logId: string;
  readonly partition: number | undefined;
  generation: number;
  position: Position | null;

  private constructor(store: Store, { logId, partition }: StoreClaim, { generation, position }: StoreOpened) {
    this.store = store;
    this.logId = logId;
    this.partition = partition;
    this.generation = generation;
    this.position = position;
  }

  /** Opens the store of a new connection. */
  static async open(world: StoreWorld, logId = logA): Promise<WriterLike> {
    return WriterLike.on(world.connect(), { logId });
  }

  /** Opens a store. */
  static async on(store: Store, claim: StoreClaim): Promise<WriterLike> {
    return new WriterLike(store, claim, await store.open(claim));
  }

  /** Opens a store for a partition of a queue that is cut into several. */
  static async onPartition(store: Store, partition: number, fleet?: string): Promise<WriterLike> {
    return WriterLike.on(store, { logId: fleetLog(partition, fleet), partition });
  }

  /** The next batch, not committed. */
  batch(rows: Iterable<readonly [Bytes, Change]>, more: Partial<Batch> = {}): Batch {
    const sequence = (this.position?.sequence ?? 0) + 1;
    const to = { logId: this.logId, sequence, tag: (sequence * 2_654_435_761) % 2 ** 32 };
    return {
      ...(this.partition !== undefined && { partition: this.partition }),
      expected: this.position,
      generation: this.generation,
      to,
      clear: false,
      frames: 1,
      rows: new Map(rows),
      sweepUpTo: null,
      parking: null,
      ...more,
    };
  }

  /** Commits the next batch. */
  async commit(rows: Iterable<readonly [Bytes, Change]>, more: Partial<Batch> = {}): Promise<Batch> {
    const batch = this.batch(rows, more);
    await this.store.commit(batch);
    this.position = batch.to;
    this.generation = generationAfter(batch);
    return batch;
  }

  /** The value of one record. */
  async value(record: Bytes): Promise<RecordValue | null> {
    const [value] = await this.store.read([record]);
    assert.notEqual(value, undefined, "read gives one answer for each record");
    return value as RecordValue | null;
  }
}

/** A record's value as it should be read. */
export function value(content: Content, expiresAt: number | null = null): RecordValue {
  return { content, expiresAt };
}

/** A change to a whole new value. */
export function replace(content: Content, expiresAt: number | null = null, afterRemove = false): Replace {
  return { kind: "replace", content, expiresAt, afterRemove };
}

/** A change of some fields. */
export function merge(set: Record<string, string>, unset: readonly string[] = [], expiresAt?: number | null): Change {
  return { kind: "merge", fields: { set: hash(set), unset: new Set(unset.map(bytesOfText)) }, expiresAt };
}

/** A hash, from texts. */
export function hash(fields: Record<string, string>): Fields {
  return new Map(Object.entries(fields).map(([field, text]) => [bytesOfText(field), bytesOfText(text)]));
}

/** Bytes, from their numbers. */
export function bytes(...codes: readonly number[]): Bytes {
  return String.fromCharCode(...codes) as Bytes;
}

/** Asserts that a promise rejects with a store error of this kind. */
export async function rejectsAs(kind: StoreErrorKind, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.equal(storeErrorKind(error), kind, String(error));
    return true;
  });
}

/** Every key of the store, page by page. */
export async function everyKey(store: Store, limit: number, nowMs: number): Promise<Bytes[]> {
  const keys: Bytes[] = [];
  let after: Bytes | null = null;
  do {
    const page: Page = await store.scan(after, limit, nowMs);
    assert.ok(page.records.length <= limit, "a page is not longer than its limit");
    assert.ok(page.next === null || page.next === page.records.at(-1), "the next page starts after the last key");
    const before = after;
    assert.ok(before === null || page.records.every((key) => key > before), "a page starts after the one before");
    keys.push(...page.records);
    after = page.next;
  } while (after !== null);
  return keys;
}

/** Keys that databases like to mix up: each is another record. */
export const trickyBytes: readonly Bytes[] = [
  "" as Bytes,
  ...[
    "a",
    "A",
    "a ",
    " a",
    "á",
    "a\u0301",
    "ä",
    "ß",
    "ss",
    "İ",
    "i",
    "0",
    "00",
    "0.0",
    "null",
    "NULL",
    "'",
    '"',
    "\\",
    "%",
    "_",
    "\n",
  ].map(bytesOfText),
  ...["\ufeffa", "\u{10ffff}", "\uffff", "😀", "\ue000"].map(bytesOfText),
  bytes(0),
  bytes(97, 0),
  bytes(97, 0, 98),
  bytes(0, 0),
  // Not UTF-8: half a character, overlong forms, a surrogate, too large, plain high bytes.
  bytes(0x80),
  bytes(0xc3),
  bytes(0xc3, 0x28),
  bytes(0xc0, 0x80),
  bytes(0xe0, 0x80, 0xaf),
  bytes(0xed, 0xa0, 0x80),
  bytes(0xf4, 0x90, 0x80, 0x80),
  bytes(0x61, 0xff),
  bytes(0xff),
  bytes(0xff, 0xff),
  // The same characters in Latin-1 and in UTF-8.
  bytes(0xe4),
  ...Array.from({ length: 256 }, (_, code) => bytes(0x7e, code)),
];
