/** What a case of the keeper's suite is, the keeper it gets, and short words for what it does with it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import { remove, type Change, type Content, type Fields, type RecordChange } from "../../src/change.js";
import { WriteBehindError, type ErrorCode } from "../../src/errors.js";
import type { Frame } from "../../src/queue/queue.js";
import type { Claim, FrameToWrite, Keeper, Known, Mark, Outcome, Room, Telling } from "../../src/redis/keeper.js";

/** An empty keeper, made for one case. */
export interface KeeperWorld {
  /** The keeper, as another process sees it. */
  connect(): Promise<Keeper>;
  /** So many milliseconds pass by the keeper's clock. */
  passes(ms: number): Promise<void>;
  /** Some other client deletes a record's key. */
  lose(record: Bytes): Promise<void>;
  /** Some other client puts a list where a record would be. */
  plant(record: Bytes): Promise<void>;
  /** In how many milliseconds the keeper forgets a record by itself; null where it never does, or has it not. */
  forgetsIn(record: Bytes): Promise<number | null>;
  /** All is gone. */
  wipe(): Promise<void>;
  end(): Promise<void>;
}

/** One case before it has a keeper: a sentence, and what proves it. */
export interface KeeperCaseBody {
  readonly name: string;
  readonly run: (world: KeeperWorld) => Promise<void>;
}

/** Room for everything. */
export const wide: Room = { bytes: 1e12, records: 1e9, ageMs: 0 };

/** The fleet of the cases. */
export const fleetId = "0123456789abcdef01234567";

/** Nothing is known, and nothing lies beside it. */
export const nothingKnown: Extract<Known, { readonly state: "unknown" }> = {
  state: "unknown",
  parked: null,
  overlay: null,
  lost: false,
};

/** The record is not there. */
export const absent: Known = { state: "absent" };

/** Text as bytes. */
export const b = bytesOfText;

/** Fields from texts. */
export function fields(texts: Readonly<Record<string, string>>): Fields {
  return new Map(Object.entries(texts).map(([field, value]) => [b(field), b(value)]));
}

/** The whole record anew. */
export function replace(content: Content, expiresAt: number | null = null): Change {
  return { kind: "replace", content, expiresAt, afterRemove: false };
}

/** Some fields set, some taken out. */
export function merge(
  set: Readonly<Record<string, string>>,
  unset: readonly string[] = [],
  expiresAt?: number | null,
): Change {
  return { kind: "merge", fields: { set: fields(set), unset: new Set(unset.map(b)) }, expiresAt };
}

/** The expiry alone. */
export function expire(expiresAt: number | null | undefined): Change {
  return { kind: "merge", fields: null, expiresAt };
}

/** A known value. */
export function value(content: Content, expiresAt: number | null = null): Known {
  return { state: "value", value: { content, expiresAt } };
}

/** An overlay on a record that is not known. */
export function overlaid(
  set: Readonly<Record<string, string>>,
  unset: readonly string[] = [],
  expiresAt?: number | null,
): Known {
  return { ...nothingKnown, overlay: { set: fields(set), unset: new Set(unset.map(b)), expiresAt } };
}

/** A telling that asks for nothing before it. */
export function telling(): Telling {
  return { after: null, name: randomUUID() };
}

/** A frame. */
export function frame(
  changes: readonly (readonly [record: string, change: Change])[],
  from: ReadonlyMap<Bytes, Mark> = new Map(),
): FrameToWrite {
  return { changes: changes.map(([record, change]) => ({ record: b(record), change })), from };
}

/** A keeper with the fleet born, in two partitions; the cases use the first one unless they say so. */
export class Shop {
  readonly keeper: Keeper;
  readonly world: KeeperWorld;
  readonly partition: number;

  constructor(keeper: Keeper, world: KeeperWorld, partition: number) {
    this.keeper = keeper;
    this.world = world;
    this.partition = partition;
  }

  static async open(world: KeeperWorld, partition = 0): Promise<Shop> {
    const keeper = await world.connect();
    await keeper.fleet({ id: fleetId, partitions: 2 });
    return new Shop(keeper, world, partition);
  }

  /** Writes one frame that is kept; its sequence. */
  async write(...changes: readonly (readonly [record: string, change: Change])[]): Promise<number> {
    const [sequence] = await this.writeAll([frame(changes)]);
    return sequence as number;
  }

  /** Writes frames that are all kept; their sequences. */
  async writeAll(frames: readonly FrameToWrite[]): Promise<number[]> {
    const outcomes = await this.keeper.write(this.partition, frames, wide);
    return outcomes.map((outcome) => {
      assert.equal(outcome.became, "kept");
      return (outcome as { readonly sequence: number }).sequence;
    });
  }

  /** Writes one frame with room for it or not. */
  async tryWrite(each: FrameToWrite, room: Room = wide): Promise<Outcome> {
    const [outcome] = await this.keeper.write(this.partition, [each], room);
    return outcome as Outcome;
  }

  /** What is known of a record. */
  async known(record: string, lease: string | null = null): Promise<Known> {
    const { records } = await this.keeper.read([{ partition: this.partition, record: b(record) }], lease);
    return records[0] as Known;
  }

  async is(record: string, expected: Known): Promise<void> {
    assert.deepEqual(await this.known(record), expected);
  }

  async now(): Promise<number> {
    return (await this.keeper.states([])).now;
  }

  /** Where the partition is. */
  async mark(): Promise<Mark> {
    const { partitions } = await this.keeper.read([{ partition: this.partition, record: b("any") }], null);
    const [seen] = partitions;
    assert.ok(seen);
    return { sequence: seen.sequence, thrown: seen.thrown };
  }

  /** These records, as read now. */
  async from(...records: readonly string[]): Promise<ReadonlyMap<Bytes, Mark>> {
    const mark = await this.mark();
    return new Map(records.map((record) => [b(record), mark]));
  }

  async state() {
    const { states } = await this.keeper.states([this.partition]);
    const [state] = states;
    assert.ok(state);
    return state;
  }

  async claim(worker = "worker-1", leaseMs = 60_000): Promise<Claim> {
    const claim = await this.keeper.claim(worker, this.partition, leaseMs);
    assert.ok(claim);
    return claim;
  }

  /** All frames after a sequence. */
  async frames(after = 0): Promise<readonly Frame[]> {
    return (await this.keeper.frames(this.partition, after, 1e9)).map((each) => each.frame);
  }

  /** The database has everything: settles the records, tells the position, trims. */
  async store(claim: Claim, records: readonly string[], freshMs = 60_000, trimTo?: number): Promise<void> {
    const { head, stored } = await this.state();
    const settling = telling();
    await this.keeper.settle(claim, head.sequence, records.map(b), freshMs, settling);
    const run = await this.keeper.frames(this.partition, stored.sequence, 1e9);
    const last = run.at(-1);
    assert.ok(last);
    const { position, at } = last.frame;
    const bytes = run.reduce((sum, each) => sum + each.bytes, 0);
    const told = { position, at, generation: 1, trimTo: trimTo ?? stored.sequence, bytes, settled: settling.name };
    await this.keeper.stored(claim, told, telling());
  }
}

/** The changes of a frame. */
export function changesOf({ body }: Frame): readonly RecordChange[] {
  assert.equal(body.kind, "changes");
  return (body as { readonly changes: readonly RecordChange[] }).changes;
}

/** The promise rejects with this code. */
export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof WriteBehindError && error.code === code);
}

export { remove };
