/**
 * Cold reads of a fleet: a record that the keeper does not know comes from the database, with what is parked and what
 * is pending of it laid over its row, and is kept by the keeper if nobody has written it since (promise 2).
 */
import type { Bytes } from "../../bytes.js";
import { apply, applyAll, contentBytes, type Change, type RecordValue } from "../../change.js";
import { WriteBehindError } from "../../errors.js";
import type { Clock } from "../../host/host.js";
import { rest } from "../../rest.js";
import { StoreError, storeErrorKind, type ReachedMark, type StoreReader } from "../../store/store.js";
import { baseOfBytes } from "../base-entry.js";
import type { Keeper, Known, PartitionSeen } from "../keeper.js";
import { parkedOfBytes } from "../parked-change.js";
import { foreignType } from "./failures.js";

/** Between two tries to read a database that went back and is being brought forward again, in milliseconds. */
export const movedRetryMs = 20;

/** So long a read waits for the first worker of a fleet, which makes the tables, in milliseconds. */
const firstMs = 10_000;

/** A database that has said nothing to a read for so long counts as one that cannot be reached, in milliseconds. */
const readMs = 30_000;

/** Log that is read at once when the value of a pending record has to be put together from it. */
const logBytes = 1024 * 1024;

/** What cold reads are made with. */
export interface ColdParts {
  readonly keeper: Keeper;
  readonly reader: StoreReader;
  readonly clock: Clock;
  /** Records that are read at the same time. */
  readonly atOnceMax: number;
  /** Bytes of records that one process loads at the same time, about. */
  readonly bytesMax: number;
  /** How long a load waits for a database that is being brought forward. */
  readonly heldMs: number;
  /** So long a record may be answered without looking at the database again, in milliseconds. */
  readonly freshMs: (record: Bytes) => number;
  /** The same of a known absence. */
  readonly absentMs: number;
}

/** What is to be loaded: as a read has seen it. */
export interface ToLoad {
  readonly record: Bytes;
  readonly known: Known & { readonly state: "unknown" };
  readonly partition: PartitionSeen;
  readonly lease: string;
}

/** Loads records. */
export class Cold {
  readonly #parts: ColdParts;
  readonly #turns: (() => void)[] = [];
  #running = 0;
  #ended: WriteBehindError | null = null;
  misses = 0;

  constructor(parts: ColdParts) {
    this.#parts = parts;
  }

  /** Nobody needs a load any more: who waits for one is told why. */
  end(error: WriteBehindError): void {
    this.#ended = error;
  }

  /** The values of records, as they were when the read saw them. Rejects STORE_DOWN, TOO_LARGE. */
  async load(wanted: readonly ToLoad[]): Promise<ReadonlyMap<Bytes, RecordValue | null>> {
    this.misses += wanted.length;
    const values = new Map<Bytes, RecordValue | null>();
    const groups = new Map<number, ToLoad[]>();
    for (const each of wanted) {
      const group = groups.get(each.partition.partition);
      if (group === undefined) groups.set(each.partition.partition, [each]);
      else group.push(each);
    }
    const loads = [...groups.values()].map((group) => this.#loadGroup(group, values));
    await Promise.all(loads);
    return values;
  }

  async #loadGroup(group: readonly ToLoad[], values: Map<Bytes, RecordValue | null>): Promise<void> {
    const { atOnceMax, bytesMax } = this.#parts;
    let bytes = 0;
    for (let first = 0; first < group.length; first += atOnceMax) {
      const some = group.slice(first, first + atOnceMax);
      await this.#turn();
      try {
        for (const [record, value] of await this.#loadSome(some)) {
          values.set(record, value);
          bytes += value === null ? 0 : contentBytes(value.content);
        }
      } finally {
        this.#running--;
        this.#turns.shift()?.();
      }
      if (bytes > bytesMax) throw tooLarge(bytesMax);
    }
  }

  /** So many groups at a time: each of them is one statement. */
  #turn(): Promise<void> | void {
    this.#running++;
    if (this.#running <= this.#parts.atOnceMax) return undefined;
    return new Promise((begin) => this.#turns.push(begin));
  }

  async #loadSome(some: readonly ToLoad[]): Promise<readonly (readonly [Bytes, RecordValue | null])[]> {
    if (this.#ended !== null) throw this.#ended;
    const [{ partition, lease }] = some as readonly [ToLoad];
    const rows = await this.#rows(some, partition);
    const values = await Promise.all(
      some.map(async (each, index) => [each.record, await this.#over(each, rows[index] ?? null)] as const),
    );
    const { keeper, freshMs, absentMs } = this.#parts;
    const fills = values.map(([record, value]) => ({
      record,
      value,
      freshMs: value === null ? Math.min(absentMs, freshMs(record)) : freshMs(record),
    }));
    // Whether it is kept or not, the value is true: nobody waits for that.
    keeper.fill(partition.partition, lease, fills).catch(() => {});
    return values;
  }

  async #over(each: ToLoad, row: RecordValue | null): Promise<RecordValue | null> {
    const { known } = each;
    const { overlay, lost } = known;
    if (lost) return this.#fromLog(each, row);
    const base = withParked(known, row);
    if (overlay === null) return base;
    const { set, unset, expiresAt } = overlay;
    // Only an end was given blindly: the record may be a string.
    const fields = set.size + unset.size === 0 ? null : { set, unset };
    return apply(base, { kind: "merge", fields, expiresAt });
  }

  /**
   * The log has every change since the row, the first of them composed where there is a base. Changes that the row has
   * already do no harm: newest wins. Where the log moves on meanwhile, all is read again.
   */
  async #fromLog(each: ToLoad, row: RecordValue | null, giveUpAt = this.#giveUpAt()): Promise<RecordValue | null> {
    const { record, partition, known } = each;
    const changes = await this.#changesOf(record, partition, partition.reached?.sequence ?? 0);
    if (changes !== null) return applyAll(withParked(known, row), changes);
    const { clock } = this.#parts;
    if (clock.monotonic() >= giveUpAt) throw movesOn();
    await rest(clock, movedRetryMs);
    return this.#anew(each, giveUpAt);
  }

  /** What was pending is stored or parked by now, or somebody has written the record: the keeper is asked once more. */
  async #anew(before: ToLoad, giveUpAt: number): Promise<RecordValue | null> {
    const { record } = before;
    const seen = await this.#parts.keeper.read([{ partition: before.partition.partition, record }], null);
    const known = seen.records[0] as Known;
    if (known.state === "foreign") throw foreignType(record);
    if (known.state !== "unknown") return known.state === "value" ? known.value : null;
    const each = { ...before, known, partition: seen.partitions[0] as PartitionSeen };
    const row = (await this.#rows([each], each.partition))[0] ?? null;
    return known.lost ? this.#fromLog(each, row, giveUpAt) : this.#over(each, row);
  }

  #giveUpAt(): number {
    return this.#parts.clock.monotonic() + this.#parts.heldMs;
  }

  /** What is pending of a record behind a frame, up to where it was seen; null where some of that is gone. */
  async #changesOf(record: Bytes, seen: PartitionSeen, stored: number): Promise<readonly Change[] | null> {
    const { keeper } = this.#parts;
    const { base, changes } = await keeper.baseOf(seen.partition, [record], logBytes);
    const [entry] = changes;
    const found = entry === null || entry === undefined ? [] : [baseOfBytes(entry).change];
    let after = Math.max(stored, base?.to.sequence ?? 0);
    while (after < seen.sequence) {
      const frames = await keeper.frames(seen.partition, after, logBytes);
      if (frames[0]?.frame.position.sequence !== after + 1) return null;
      for (const { frame } of frames) {
        after = frame.position.sequence;
        if (frame.body.kind === "clear" || after > seen.sequence) continue;
        for (const each of frame.body.changes) if (each.record === record) found.push(each.change);
      }
    }
    return found;
  }

  async #rows(
    some: readonly ToLoad[],
    { reached, partition }: PartitionSeen,
  ): Promise<readonly (RecordValue | null)[]> {
    const { clock, heldMs } = this.#parts;
    const records = some.map(({ record }) => record);
    const mark: ReachedMark | null = reached === null ? null : { ...reached, partition };
    const giveUpAt = clock.monotonic() + (reached === null ? Math.max(heldMs, firstMs) : heldMs);
    for (;;) {
      try {
        return await inTime(clock, this.#parts.reader.read(records, mark));
      } catch (error) {
        // It went back, and its worker brings it forward again from the log; or no worker has been there yet.
        const kind = storeErrorKind(error);
        const mayPass = kind === "moved" || (kind === "retryable" && reached === null);
        if (!mayPass || clock.monotonic() >= giveUpAt) throw storeDown(error);
        await rest(clock, movedRetryMs);
      }
    }
  }
}

/** Nothing hangs: a database may be silent. */
export function inTime<T>(clock: Clock, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const silent = (): void => reject(new StoreError("retryable", `it has said nothing for ${readMs / 1000} s`));
    const timer = clock.after(readMs, silent, true);
    answer.then(resolve, reject).finally(() => timer.cancel());
  });
}

function withParked({ parked }: ToLoad["known"], row: RecordValue | null): RecordValue | null {
  return parked === null ? row : apply(row, parkedOfBytes(parked).change);
}

function movesOn(): WriteBehindError {
  return new WriteBehindError("STORE_DOWN", "the record's value is lost, and its changes are being stored just now", {
    hint: "read it again in a moment",
  });
}

function tooLarge(bytesMax: number): WriteBehindError {
  return new WriteBehindError(
    "TOO_LARGE",
    `the records of one command exceed the ${bytesMax} bytes there are for them`,
    {
      hint: "name fewer records in one command, or raise cacheBytes",
    },
  );
}

/** What is said of an error of the database. */
export function storeDown(error: unknown): unknown {
  if (storeErrorKind(error) === null) return error;
  return new WriteBehindError(
    "STORE_DOWN",
    `the record is not in the cache and the database does not answer: ${(error as Error).message}`,
    { hint: "writes of whole values go on; see write-behind status", cause: error },
  );
}
