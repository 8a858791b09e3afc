/**
 * Reads records and pages of keys from the own tables, over a few connections of its own: a read never waits for a
 * commit. Each read is one statement, which sees one moment, or one transaction that does; and one round trip.
 */
import type { Pool, PoolClient, Submittable } from "pg";
import type { Bytes } from "../../bytes.js";
import type { RecordValue } from "../../change.js";
import { partitionOf, rowIdOf } from "../own-tables.js";
import type { Page, ReachedMark } from "../store.js";
import { bytea, byteaArray, bytesOfCell, int8Array, numberOfCell, numberOrNull, type Cell } from "./postgres-cell.js";
import { configOf, goodbyeMs, importDriver, PipelineError } from "./postgres-connection.js";
import type { Mapping } from "./postgres-mapped.js";
import { PostgresPipeline, type Step } from "./postgres-pipeline.js";
import { PreparedNames } from "./postgres-prepared.js";
import type { Statements } from "./postgres-statements.js";
import { divideRead } from "./postgres-table-reads.js";
import type { PostgresPlace } from "./postgres-url.js";

/** Connections for reading, at the most. */
const connectionsMax = 4;
/** A read that takes longer has failed. */
const readMs = 30_000;

/** What was read at one moment. */
export interface ReadMoment {
  /** How far the partitions that were asked for had been committed, by their numbers. */
  readonly positions: ReadonlyMap<number, ReachedMark>;
  /** In the order asked; null where a record has no row. */
  readonly values: readonly (RecordValue | null)[];
}

/** The reading side of one database. */
export class PostgresReads {
  readonly #pool: Pool;
  readonly #statements: Statements;
  /** What each connection has prepared; null where nothing is. */
  readonly #prepared: WeakMap<PoolClient, PreparedNames> | null;

  private constructor(pool: Pool, statements: Statements, prepare: boolean) {
    this.#pool = pool;
    this.#statements = statements;
    this.#prepared = prepare ? new WeakMap() : null;
  }

  static async connect(place: PostgresPlace, statements: Statements): Promise<PostgresReads> {
    const { Pool } = await importDriver();
    const config = configOf(place, "write-behind reader");
    const pool = new Pool({ ...config, max: connectionsMax, allowExitOnIdle: true });
    // A connection that breaks while it is idle is thrown away, and the next read makes another one.
    pool.on("error", () => {});
    // What breaks on its way between the pool and its user is said to nobody, and would end the process: a server may
    // say that it ends in the same breath in which it lets somebody in.
    pool.on("connect", (client) => client.on("error", () => {}));
    return new PostgresReads(pool, statements, place.prepare);
  }

  /**
   * The records' values, and the positions of partitions at the same moment. `mapping`: null where no route maps a
   * table.
   */
  async values(
    records: readonly Bytes[],
    partitions: readonly number[],
    mapping: Mapping | null = null,
  ): Promise<ReadMoment> {
    const values: (RecordValue | null)[] = records.map(() => null);
    if (mapping === null) {
      const own = new OwnRead(records, partitions);
      await this.run([own.step(this.#statements)]);
      own.give((at, value) => (values[at] = value));
      return { positions: own.positions, values };
    }
    const divided = divideRead(mapping, records, (at, value) => (values[at] = value));
    const own = new OwnRead(
      divided.own.map(([, record]) => record),
      partitions,
    );
    const step = own.step(this.#statements);
    await this.run(divided.steps.length === 0 ? [step] : this.#oneMoment([step, ...divided.steps]));
    own.give((at, value) => (values[(divided.own[at] as readonly [number, Bytes])[0]] = value));
    return { positions: own.positions, values };
  }

  /** Does steps that all see one moment, and give values as the text that canonical.ts reads. */
  snapshot(steps: readonly Step[]): Promise<void> {
    return this.run(this.#oneMoment(steps));
  }

  /** One page of live keys in the order of their bytes. */
  async page(after: Bytes | null, limit: number, nowMs: number): Promise<Page> {
    const { keys, keysAfter } = this.#statements;
    // One more than asked tells whether there is another page.
    const parameters = [String(nowMs), String(limit + 1), ...(after === null ? [] : [bytea(after)])];
    const found: Bytes[] = [];
    await this.run([
      {
        statement: after === null ? keys : keysAfter,
        parameters,
        onRow: ([key = null]) => found.push(bytesOfCell(key)),
      },
    ]);
    const records = found.slice(0, limit);
    return { records, next: found.length > limit ? (records.at(-1) ?? null) : null };
  }

  /** Says goodbye; a read that hangs does not hold it up. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, goodbyeMs)));
    await Promise.race([this.#pool.end(), late]);
    clearTimeout(timer);
  }

  /** Does steps on one connection, in one round trip. One that has failed is not used again. */
  async run(steps: readonly Step[]): Promise<void> {
    const client = await this.#pool.connect();
    const timer = setTimeout(() => void client.end().catch(() => {}), readMs);
    let failed = true;
    try {
      await this.#send(client, steps);
      failed = false;
    } finally {
      clearTimeout(timer);
      client.release(failed);
    }
  }

  #send(client: PoolClient, given: readonly Step[]): Promise<void> {
    let prepared = this.#prepared?.get(client) ?? null;
    let steps = given;
    if (this.#prepared !== null && prepared === null) {
      this.#prepared.set(client, (prepared = new PreparedNames()));
      steps = [...this.#planOnce(), ...given];
    }
    return new Promise((resolve, reject) => {
      const pipeline = new PostgresPipeline(steps, steps.length, prepared, (error) => {
        if (error === null) resolve();
        else reject(new PipelineError(error, pipeline.failedAt));
      });
      client.query(pipeline as unknown as Submittable);
    });
  }

  /**
   * The session is ours where statements are prepared, so it is set for good. With the first read and not beside it:
   * the driver warns of a second query while one is under way.
   */
  #planOnce(): Step[] {
    const { planOnce, planByIndex, planPlainly } = this.#statements;
    return [{ statement: planOnce }, { statement: planByIndex }, { statement: planPlainly }];
  }

  #oneMoment(steps: readonly Step[]): Step[] {
    const { beginReading, textSettings, commit } = this.#statements;
    return [{ statement: beginReading }, { statement: textSettings }, ...steps, { statement: commit }];
  }
}

/** Records of the own tables that are read, and what comes of them. */
class OwnRead {
  readonly positions = new Map<number, ReachedMark>();
  readonly #records: readonly Bytes[];
  readonly #partitions: readonly number[];
  readonly #found = new Map<number, { type: Cell; value: Cell; expiresAt: number | null }>();
  readonly #fields = new Map<number, Map<Bytes, Bytes>>();

  constructor(records: readonly Bytes[], partitions: readonly number[]) {
    this.#records = records;
    this.#partitions = partitions;
  }

  step({ values }: Statements): Step {
    const parameters = [byteaArray(this.#records), int8Array(this.#partitions.map(rowIdOf))];
    return { statement: values, parameters, onRow: (row) => this.#take(row) };
  }

  /** Gives the value of each record that is there, with its place. */
  give(onValue: (at: number, value: RecordValue) => void): void {
    for (const [at, { type, value, expiresAt }] of this.#found) {
      const content = type === "hash" ? (this.#fields.get(at) ?? new Map<Bytes, Bytes>()) : bytesOfCell(value);
      onValue(at, { content, expiresAt });
    }
  }

  #take([n = null, type = null, field = null, value = null, number = null, generation = null]: readonly Cell[]): void {
    const index = numberOfCell(n) - 1;
    if (index < 0) {
      if (type === null) return;
      const mark = { logId: type, sequence: numberOfCell(number), generation: numberOfCell(generation) };
      this.positions.set(partitionOf(1 - numberOfCell(n)), mark);
    } else if (type !== null) this.#found.set(index, { type, value, expiresAt: numberOrNull(number) });
    else {
      const hash = this.#fields.get(index) ?? new Map<Bytes, Bytes>();
      this.#fields.set(index, hash.set(bytesOfCell(field), bytesOfCell(value)));
    }
  }
}
