/**
 * Records on their way from the keeper: what is asked in one turn is read by one call, and so at one moment. Records
 * that are not known are loaded from the database by whoever asked (cold.ts); the call has taken a lease for that.
 */
import type { Bytes } from "../../bytes.js";
import type { Clock, Random } from "../../host/host.js";
import type { Asked, Keeper, Known, PartitionSeen, Seen } from "../keeper.js";

/** Records of one call, unless a single command names more. */
const recordsMax = 4000;

/** A record as it was seen. */
export interface SeenRecord {
  readonly known: Known;
  readonly partition: PartitionSeen;
}

/** What one reader gets: all of it at one moment. */
export interface ReadResult {
  /** Log time of the fleet, milliseconds since 1970. */
  readonly now: number;
  readonly records: ReadonlyMap<Bytes, SeenRecord>;
  /** Who holds it may fill what was not known. */
  readonly lease: string;
}

/** Told what was read, or that it failed: CACHE_DOWN, UNKNOWN, QUEUE_MISMATCH, or what `seen` has thrown. */
export interface ReadTold {
  seen(result: ReadResult): void;
  failed(error: unknown): void;
}

interface Reader {
  readonly asked: readonly Asked[];
  readonly told: ReadTold;
}

/** The reads of one process. */
export class Reads {
  readonly #keeper: Keeper;
  readonly #clock: Clock;
  readonly #random: Random;
  #readers: Reader[] = [];
  #leases = 0;
  readonly #name: string;

  constructor(keeper: Keeper, clock: Clock, random: Random) {
    this.#keeper = keeper;
    this.#clock = clock;
    this.#random = random;
    this.#name = this.#random.hex(6);
  }

  /** Reads these records. A call and no promise, as with writes. */
  read(asked: readonly Asked[], told: ReadTold): void {
    this.#readers.push({ asked, told });
    if (this.#readers.length === 1) this.#clock.soon(() => this.#readAll());
  }

  #readAll(): void {
    const readers = this.#readers;
    this.#readers = [];
    for (let first = 0; first < readers.length;) {
      let [count, records] = [0, 0];
      while (first + count < readers.length) {
        records += (readers[first + count] as Reader).asked.length;
        if (count > 0 && records > recordsMax) break;
        count++;
      }
      void this.#call(readers.slice(first, first + count));
      first += count;
    }
  }

  async #call(readers: readonly Reader[]): Promise<void> {
    const asked = new Map<Bytes, Asked>();
    for (const reader of readers) for (const each of reader.asked) asked.set(each.record, each);
    const lease = `${this.#name}${(this.#leases++).toString(36)}`;
    const all = [...asked.values()];
    let seen: Seen;
    try {
      seen = await this.#keeper.read(all, lease);
    } catch (error) {
      for (const { told } of readers) told.failed(error);
      return;
    }
    const partitions = new Map(seen.partitions.map((partition) => [partition.partition, partition]));
    const records = new Map<Bytes, SeenRecord>();
    for (const [index, { record, partition }] of all.entries()) {
      const known = seen.records[index] as Known;
      records.set(record, { known, partition: partitions.get(partition) as PartitionSeen });
    }
    const result = { now: seen.now, records, lease };
    for (const { told } of readers) {
      try {
        told.seen(result);
      } catch (error) {
        told.failed(error);
      }
    }
  }
}
