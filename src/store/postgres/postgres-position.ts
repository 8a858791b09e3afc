/** Position and claim: one row, compared and set as the first statement of every commit. */
import type { Position } from "../../queue/queue.js";
import {
  claimStaleMs,
  generationAfter,
  type StoreError,
  type Batch,
  type LookedPosition,
  type StoreClaim,
  type StoreOpened,
} from "../store.js";
import { hasMoved, tablesInUse } from "../own-tables.js";
import { numberOfCell, type Cell, type Parameter } from "./postgres-cell.js";
import type { Step } from "./postgres-pipeline.js";
import type { Statement, Statements } from "./postgres-statements.js";

/** The row. */
interface Found extends LookedPosition {
  readonly generation: number;
}

/** Does steps and resolves when their rows have been given. */
type Run = (steps: readonly Step[]) => Promise<void>;

/** Steps that read and write the position of one database. */
export class PostgresPosition {
  readonly #statements: Statements;
  readonly #place: string;

  constructor(statements: Statements, place: string) {
    this.#statements = statements;
    this.#place = place;
  }

  /** Takes the claim, unless another queue is alive or the position is another queue's. Throws TABLES_IN_USE. */
  async claim({ logId, adopt }: StoreClaim, run: Run): Promise<StoreOpened> {
    const { adopt: set, claim, lockPosition } = this.#statements;
    const before = await this.#read(lockPosition, run);
    // The age may be negative: a clock that went back must not keep a claim alive for hours.
    if (before.owner !== null && before.owner !== logId && Math.abs(before.ageMs) < claimStaleMs) {
      throw tablesInUse(this.#place, before.owner, before.ageMs, "a database or a schema of its own");
    }
    if (adopt !== undefined) await run([{ statement: set, parameters: parametersOf(adopt) }]);
    const position = adopt ?? before.position;
    if (position !== null && position.logId !== logId) return { position, generation: before.generation };
    await run([{ statement: claim, parameters: [logId] }]);
    return { position, generation: before.generation + 1 };
  }

  /** Sets the position if position and claim are what the batch expects, else fails (see `isMoved`). */
  move(batch: Batch): Step {
    const { expected, generation, to } = batch;
    const parameters = [
      ...parametersOf(to),
      String(generationAfter(batch)),
      String(generation),
      ...(expected === null ? [null, null, null] : parametersOf(expected)),
    ];
    return { statement: this.#statements.move, parameters };
  }

  /** Whether a failed step is that `move`, and it says that the position or the claim is another one. */
  isMoved(step: Step | null, sqlState: string | null): boolean {
    return step?.statement === this.#statements.move && sqlState === "22012";
  }

  /** Why a batch did not pass. */
  async moved(batch: Batch, run: Run): Promise<StoreError> {
    return hasMoved(this.#place, await this.look(run), batch);
  }

  /** Looks, and takes no claim. */
  look(run: Run): Promise<Found> {
    return this.#read(this.#statements.readPosition, run);
  }

  /** Gives the claim back, if it is still this one. */
  release(logId: string, generation: number): Step {
    return { statement: this.#statements.release, parameters: [logId, String(generation)] };
  }

  async #read(statement: Statement, run: Run): Promise<Found> {
    let found: Found = { position: null, generation: 0, owner: null, ageMs: 0 };
    await run([{ statement, onRow: (row) => (found = foundOf(row)) }]);
    return found;
  }
}

function parametersOf({ logId, sequence, tag }: Position): Parameter[] {
  return [logId, String(sequence), String(tag)];
}

function foundOf([
  logId = null,
  sequence = null,
  tag = null,
  generation = null,
  owner = null,
  age = null,
]: readonly Cell[]): Found {
  const position = logId === null ? null : { logId, sequence: numberOfCell(sequence), tag: numberOfCell(tag) };
  return { position, generation: numberOfCell(generation), owner, ageMs: numberOfCell(age) };
}
