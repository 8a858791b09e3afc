/**
 * Cold reads of a fleet: a record that the keeper does not know comes from the database, with what is parked and what
 * is pending of it laid over its row, and is kept by the keeper if nobody has written it since (promise 2).
 */
import type { Bytes } from "../../bytes.js";
import { apply, contentBytes, type RecordValue } from "../../change.js";
import { WriteBehindError } from "../../errors.js";
import type { Clock } from "../../host/host.js";
import { StoreError, storeErrorKind, type ReachedMark, type StoreReader } from "../../store/store.js";
import type { Keeper, Known, PartitionSeen } from "../keeper.js";
import { parkedOfBytes } from "../parked-change.js";

/** Between two tries to read a database that went back and is being brought forward again, in milliseconds. */
const movedRetryMs = 20;

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

  async #over({ record, known, partition }: ToLoad, row: RecordValue | null): Promise<RecordValue | null> {
    const { parked, overlay, lost } = known;
    const base = parked === null ? row : apply(row, parkedOfBytes(parked).change);
    if (lost) return this.#fromLog(record, partition, base);
    if (overlay === null) return base;
    const { set, unset, expiresAt } = overlay;
    // An overlay of the expiry alone makes no hash of a row that is not there.
    const fields = set.size + unset.size === 0 ? null : { set, unset };
    if (base === null && fields === null) return null;
    return apply(base, { kind: "merge", fields, expiresAt });
  }

  /** The log has every change since the row. Changes that the row has already do no harm: newest wins. */
  async #fromLog(record: Bytes, seen: PartitionSeen, row: RecordValue | null): Promise<RecordValue | null> {
    const { keeper } = this.#parts;
    let value = row;
    let after = seen.reached?.position.sequence ?? 0;
    while (after < seen.sequence) {
      const frames = await keeper.frames(seen.partition, after, logBytes);
      if (frames.length === 0) break;
      for (const { frame } of frames) {
        after = frame.position.sequence;
        if (frame.body.kind === "clear" || after > seen.sequence) continue;
        for (const each of frame.body.changes) if (each.record === record) value = apply(value, each.change);
      }
    }
    return value;
  }

  async #rows(
    some: readonly ToLoad[],
    { reached, partition }: PartitionSeen,
  ): Promise<readonly (RecordValue | null)[]> {
    const { clock, heldMs } = this.#parts;
    const records = some.map(({ record }) => record);
    const mark: ReachedMark | null =
      reached === null ? null : { ...reached.position, generation: reached.generation, partition };
    const giveUpAt = clock.monotonic() + heldMs;
    for (;;) {
      try {
        return await this.#inTime(records, mark);
      } catch (error) {
        // It went back, and its worker brings it forward again from the log; or no worker has been there yet.
        const kind = storeErrorKind(error);
        const mayPass = kind === "moved" || (kind === "retryable" && reached === null);
        if (!mayPass || clock.monotonic() >= giveUpAt) throw storeDown(error);
        await new Promise<void>((resolve) => clock.after(movedRetryMs, resolve));
      }
    }
  }

  /** Nothing hangs: a database may be silent. */
  #inTime(records: readonly Bytes[], mark: ReachedMark | null): Promise<readonly (RecordValue | null)[]> {
    const { clock, reader } = this.#parts;
    return new Promise((resolve, reject) => {
      const silent = (): void => reject(new StoreError("retryable", `it has said nothing for ${readMs / 1000} s`));
      const timer = clock.after(readMs, silent, true);
      reader
        .read(records, mark)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }
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

function storeDown(error: unknown): unknown {
  if (storeErrorKind(error) === null) return error;
  return new WriteBehindError(
    "STORE_DOWN",
    `the record is not in the cache and the database does not answer: ${(error as Error).message}`,
    { hint: "writes of whole values go on; see write-behind status", cause: error },
  );
}
