/** Position and claim of each partition: one row, compared and set as the first statement of every commit. */
import { queueOf, type Position } from "../../queue/queue.js";
import { hasMoved, liveStranger, lookedAt, partitionOf, rowIdOf, tablesInUse } from "../own-tables.js";
import { newRunEnds, runEndsAdopted, runEndsOfText, textOfRunEnds } from "../run-ends.js";
import { generationAfter, type Batch, type LookedPosition, type StoreClaim, type StoreOpened } from "../store.js";
import type { SqliteConnection, Statements } from "./sqlite-connection.js";
import { allPositions, positionStatements } from "./sqlite-statements.js";

interface PositionRow {
  readonly id: number;
  readonly log_id: string | null;
  readonly sequence: number;
  readonly tag: number;
  readonly generation: number;
  readonly owner: string | null;
  /** Tables of an earlier version have none. */
  readonly run_ends?: string;
  /** Milliseconds since the owner was last seen, by the database's clock. */
  readonly age: number;
}

/** A row. */
interface Found extends LookedPosition {
  readonly generation: number;
}

/** Looks at all rows, and takes no claim. */
export function lookedPositions(connection: SqliteConnection): readonly LookedPosition[] {
  const rows = connection.prepare(allPositions).all() as unknown as PositionRow[];
  return rows.map(foundOf);
}

/** The positions of one database. Every method runs inside a transaction that the caller has begun. */
export class SqlitePosition {
  readonly #run: Statements<keyof typeof positionStatements>;
  readonly #file: string;

  constructor(connection: SqliteConnection, file: string) {
    this.#run = connection.prepareAll(positionStatements);
    this.#file = file;
  }

  /** Takes the claim, unless another queue is alive or the position is another queue's. Throws TABLES_IN_USE. */
  claim({ logId, partition = 0, adopt }: StoreClaim): StoreOpened {
    const id = rowIdOf(partition);
    this.#run.make.run(id);
    const all = this.#read();
    const stranger = liveStranger(all, logId);
    if (stranger !== null) throw tablesInUse(this.#file, stranger.owner, stranger.ageMs, "a database of its own");
    const before = this.#find(all, partition);
    const { generation } = before;
    const runEnds = adopt === undefined ? before.runEnds : runEndsAdopted(before.runEnds, adopt);
    if (adopt !== undefined) this.#run.adopt.run(id, adopt.logId, adopt.sequence, adopt.tag, textOfRunEnds(runEnds));
    const position = adopt ?? before.position;
    if (position !== null && position.logId !== logId) return { position, generation, runEnds };
    this.#fenceStrangers(all, logId);
    const claimed = this.#run.claim.get(id, logId) as { readonly generation: number };
    return { position, generation: claimed.generation, runEnds };
  }

  /** Sets the position, if position and claim are what the batch expects. Throws `moved`. */
  move(batch: Batch): void {
    const { expected, generation, to, partition } = batch;
    const was = [expected?.logId ?? null, expected?.sequence ?? null, expected?.tag ?? null];
    const { changes } = this.#run.move.run(
      to.logId,
      to.sequence,
      to.tag,
      generationAfter(batch),
      textOfRunEnds(newRunEnds(batch)),
      rowIdOf(partition),
      to.logId,
      generation,
      ...was,
    );
    if (changes > 0) return;
    throw hasMoved(this.#file, this.#find(this.#read(), partition), batch);
  }

  /** Gives the claim back, if it is still this one. */
  release(partition: number, logId: string, generation: number): void {
    this.#run.release.run(rowIdOf(partition), logId, generation);
  }

  /** What is left of another queue has been silent for long: it writes nothing any more, to no partition. */
  #fenceStrangers(all: readonly Found[], logId: string): void {
    for (const { partition, owner, generation } of all) {
      if (owner !== null && queueOf(owner) !== queueOf(logId)) this.release(partition, owner, generation);
    }
  }

  #read(): readonly Found[] {
    return (this.#run.all.all() as unknown as PositionRow[]).map(foundOf);
  }

  #find(all: readonly Found[], partition = 0): Found {
    return all.find((each) => each.partition === partition) ?? { ...lookedAt([], partition), generation: 0 };
  }
}

function foundOf({
  id,
  log_id: logId,
  sequence,
  tag,
  generation,
  owner,
  age,
  run_ends: ends = "",
}: PositionRow): Found {
  const position: Position | null = logId === null ? null : { logId, sequence, tag };
  const runEnds = logId === null ? [] : runEndsOfText(ends, logId);
  return { partition: partitionOf(id), position, generation, owner, ageMs: age, runEnds };
}
