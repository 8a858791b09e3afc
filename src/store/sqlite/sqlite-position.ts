/** Position and claim: one row, compared and set as the first statement of every commit. */
import type { Position } from "../../queue/queue.js";
import {
  claimStaleMs,
  generationAfter,
  type Batch,
  type LookedPosition,
  type StoreClaim,
  type StoreOpened,
} from "../store.js";
import { hasMoved, tablesInUse } from "../own-tables.js";
import type { SqliteConnection, Statements } from "./sqlite-connection.js";
import { positionStatements } from "./sqlite-statements.js";

interface PositionRow {
  readonly log_id: string | null;
  readonly sequence: number;
  readonly tag: number;
  readonly generation: number;
  readonly owner: string | null;
  /** Milliseconds since the owner was last seen, by the database's clock. */
  readonly age: number;
}

/** The position of one database. Every method runs inside a transaction that the caller has begun. */
export class SqlitePosition {
  readonly #run: Statements<keyof typeof positionStatements>;
  readonly #file: string;

  constructor(connection: SqliteConnection, file: string) {
    this.#run = connection.prepareAll(positionStatements);
    this.#file = file;
  }

  /** Takes the claim, unless another queue is alive or the position is another queue's. Throws TABLES_IN_USE. */
  claim({ logId, adopt }: StoreClaim): StoreOpened {
    const before = this.#read();
    // The age may be negative: a clock that went back must not keep a claim alive for hours.
    if (before.owner !== null && before.owner !== logId && Math.abs(before.age) < claimStaleMs) {
      throw tablesInUse(this.#file, before.owner, before.age, "a database of its own");
    }
    if (adopt !== undefined) this.#run.adopt.run(adopt.logId, adopt.sequence, adopt.tag);
    const position = adopt ?? positionOf(before);
    if (position !== null && position.logId !== logId) return { position, generation: before.generation };
    this.#run.claim.run(logId);
    return { position, generation: before.generation + 1 };
  }

  /** Whether a queue has ever written here. */
  isSet(): boolean {
    return positionOf(this.#read()) !== null;
  }

  /** Sets the position, if position and claim are what the batch expects. Throws `moved`. */
  move(batch: Batch): void {
    const { expected, generation, to } = batch;
    const was = [expected?.logId ?? null, expected?.sequence ?? null, expected?.tag ?? null];
    const { changes } = this.#run.move.run(
      to.logId,
      to.sequence,
      to.tag,
      generationAfter(batch),
      to.logId,
      generation,
      ...was,
    );
    if (changes > 0) return;
    const found = this.#read();
    throw hasMoved(this.#file, { position: positionOf(found), generation: found.generation }, batch);
  }

  /** Looks, and takes no claim. */
  look(): LookedPosition {
    const row = this.#read();
    return { position: positionOf(row), owner: row.owner, ageMs: row.age };
  }

  /** Gives the claim back, if it is still this one. */
  release(logId: string, generation: number): void {
    this.#run.release.run(logId, generation);
  }

  #read(): PositionRow {
    const row = this.#run.read.get() as PositionRow | undefined;
    return row ?? { log_id: null, sequence: 0, tag: 0, generation: 0, owner: null, age: 0 };
  }
}

function positionOf({ log_id: logId, sequence, tag }: PositionRow): Position | null {
  return logId === null ? null : { logId, sequence, tag };
}
