/** Position and claim of each partition: one row, compared and set as the first statement of every commit. */
import { queueOf, type Position } from "../../queue/queue.js";
import { hasMoved, liveStranger, lookedAt, partitionOf, rowIdOf, tablesInUse } from "../own-tables.js";
import { newRunEnds, runEndsAdopted, runEndsOfText, textOfRunEnds } from "../run-ends.js";
import {
  generationAfter,
  type StoreError,
  type Batch,
  type LookedPosition,
  type StoreClaim,
  type StoreOpened,
} from "../store.js";
import { numberOfCell, type Cell, type Parameter } from "./postgres-cell.js";
import type { Step } from "./postgres-pipeline.js";
import type { Statements } from "./postgres-statements.js";

/** A row. */
interface Found extends LookedPosition {
  readonly generation: number;
}

/** Does steps and resolves when their rows have been given. */
type Run = (steps: readonly Step[]) => Promise<void>;

/** Steps that read and write the positions of one database. */
export class PostgresPosition {
  readonly #statements: Statements;
  readonly #place: string;

  constructor(statements: Statements, place: string) {
    this.#statements = statements;
    this.#place = place;
  }

  /**
   * Takes the claim, unless another queue is alive or the position is another queue's. Throws TABLES_IN_USE. `wait` does
   * steps that may wait for locks of others.
   */
  async claim({ logId, partition = 0, adopt }: StoreClaim, run: Run, wait: Run): Promise<StoreOpened> {
    const { adopt: set, claim } = this.#statements;
    const id = String(rowIdOf(partition));
    const before = await this.#lock(partition, wait);
    const strangers = await this.#strangers(logId, wait);
    const { generation } = before;
    const runEnds = adopt === undefined ? before.runEnds : runEndsAdopted(before.runEnds, adopt);
    if (adopt !== undefined)
      await run([{ statement: set, parameters: [id, ...parametersOf(adopt), textOfRunEnds(runEnds)] }]);
    const position = adopt ?? before.position;
    if (position !== null && position.logId !== logId) return { position, generation, runEnds };
    if (strangers > 0) await this.#fence(logId, wait);
    let claimed: Cell = null;
    await run([{ statement: claim, parameters: [id, logId], onRow: ([cell = null]) => (claimed = cell) }]);
    return { position, generation: numberOfCell(claimed), runEnds };
  }

  /** Sets the position if position and claim are what the batch expects, else fails (see `isMoved`). */
  move(batch: Batch): Step {
    const { expected, generation, to, partition } = batch;
    const parameters = [
      ...parametersOf(to),
      String(generationAfter(batch)),
      textOfRunEnds(newRunEnds(batch)),
      String(rowIdOf(partition)),
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
    const all = await this.look(run);
    const found = all.find(({ partition }) => partition === (batch.partition ?? 0));
    return hasMoved(this.#place, found ?? { position: null, generation: 0 }, batch);
  }

  /** Looks at all rows, and takes no claim. */
  async look(run: Run): Promise<readonly Found[]> {
    return this.#read({ statement: this.#statements.readPositions }, run);
  }

  /** Whether a queue has ever written here, with whichever partition. */
  async isSet(run: Run): Promise<boolean> {
    let isSet = false;
    await run([{ statement: this.#statements.anyPosition, onRow: () => (isSet = true) }]);
    return isSet;
  }

  /** Gives the claim back, if it is still this one. */
  release(partition: number, logId: string, generation: number): Step {
    return { statement: this.#statements.release, parameters: [String(rowIdOf(partition)), logId, String(generation)] };
  }

  /** The partition's row, made where it is missing, and locked. */
  async #lock(partition: number, wait: Run): Promise<Found> {
    const { makePosition, lockPosition } = this.#statements;
    const parameters = [String(rowIdOf(partition))];
    const make = { statement: makePosition, parameters };
    const [found] = await this.#read({ statement: lockPosition, parameters }, wait, [make]);
    return found ?? { ...lookedAt([], partition), generation: 0 };
  }

  /** How many rows have been claimed by another queue, all of them long ago. Throws TABLES_IN_USE. */
  async #strangers(logId: string, wait: Run): Promise<number> {
    // Not before the row is locked: who waits for that holds up nobody who opens another partition.
    const { lockClaims, strangers } = this.#statements;
    const step = { statement: strangers, parameters: [queueOf(logId)] };
    return this.#refuseLive(await this.#read(step, wait, [{ statement: lockClaims }]), logId);
  }

  /** What is left of another queue has been silent for long: it writes nothing any more, to no partition. */
  async #fence(logId: string, wait: Run): Promise<void> {
    const { lockStrangers, fence } = this.#statements;
    const parameters = [queueOf(logId)];
    // It may have come back since.
    this.#refuseLive(await this.#read({ statement: lockStrangers, parameters }, wait), logId);
    await wait([{ statement: fence, parameters }]);
  }

  #refuseLive(claims: readonly Found[], logId: string): number {
    const live = liveStranger(claims, logId);
    if (live !== null) throw tablesInUse(this.#place, live.owner, live.ageMs, "a database or a schema of its own");
    return claims.length;
  }

  /** The rows that a step gives, after some that are done before it. */
  async #read(step: Step, run: Run, before: readonly Step[] = []): Promise<readonly Found[]> {
    const found: Found[] = [];
    await run([...before, { ...step, onRow: (row) => found.push(foundOf(row)) }]);
    return found;
  }
}

function parametersOf({ logId, sequence, tag }: Position): Parameter[] {
  return [logId, String(sequence), String(tag)];
}

function foundOf([
  id = null,
  logId = null,
  sequence = null,
  tag = null,
  generation = null,
  owner = null,
  age = null,
  ends = null,
]: readonly Cell[]): Found {
  const position = logId === null ? null : { logId, sequence: numberOfCell(sequence), tag: numberOfCell(tag) };
  return {
    partition: partitionOf(numberOfCell(id)),
    position,
    generation: numberOfCell(generation),
    owner,
    ageMs: numberOfCell(age),
    runEnds: logId === null ? [] : runEndsOfText(ends ?? "", logId),
  };
}
