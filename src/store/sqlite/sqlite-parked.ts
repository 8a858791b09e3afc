/** What is parked, in its table: one row for each letter and record, and for each record with something behind. */
import type { Bytes } from "../../bytes.js";
import { changeOfKept, keptChange, type KeptChange } from "../../change-json.js";
import type { Change, RecordChange } from "../../change.js";
import { StoreError, type Behind, type Letter, type ParkedGroup, type Parking } from "../store.js";
import { bytesOfCell, cellOfBytes, type Cell } from "./sqlite-cell.js";
import type { SqliteConnection, Statements } from "./sqlite-connection.js";
import { parkedStatements } from "./sqlite-statements.js";

interface ParkedRow {
  readonly group_id: number;
  readonly kind: string;
  readonly record: Cell;
  readonly change: string;
  readonly log_id: string;
  readonly sequence: number;
  readonly tag: number;
  readonly frames: number;
  readonly reason: string;
  readonly refused_at: number;
  readonly tries: number;
}

/** A group in the making. */
interface Made {
  readonly id: number;
  readonly letters: (Letter & { readonly changes: RecordChange[] })[];
  readonly behind: Map<Bytes, Behind>;
}

/** Dead letters of one database. Every method runs inside a transaction that the caller has begun. */
export class SqliteParked {
  readonly #run: Statements<keyof typeof parkedStatements>;
  readonly #file: string;

  constructor(connection: SqliteConnection, file: string) {
    this.#run = connection.prepareAll(parkedStatements);
    this.#file = file;
  }

  /** Everything that is parked, in the order of the groups' ids. Throws `broken` where a row cannot be read. */
  all(): readonly ParkedGroup[] {
    const groups = new Map<number, Made>();
    for (const row of this.#run.all.all() as unknown as ParkedRow[]) {
      const group: Made = groups.get(row.group_id) ?? { id: row.group_id, letters: [], behind: new Map() };
      groups.set(row.group_id, group);
      addRow(group, row, this.#changeOf(row));
    }
    return [...groups.values()];
  }

  /** Takes groups out, then puts in what is new. */
  change({ drop, put }: Parking): void {
    for (const id of drop) this.#run.drop.run(id);
    for (const { id, letters, behind } of put) {
      for (const letter of letters) this.#putLetter(id, letter);
      for (const [record, each] of behind) this.#putBehind(id, record, each);
    }
  }

  /** Takes out all groups. */
  clear(): void {
    this.#run.clear.run();
  }

  #putLetter(id: number, { position, changes, reason, refusedAt, tries }: Letter): void {
    const { logId, sequence, tag } = position;
    for (const { record, change } of changes) {
      const key = cellOfBytes(record);
      this.#run.put.run(id, "refused", key, textOf(change), logId, sequence, tag, 1, reason, refusedAt, tries);
    }
  }

  #putBehind(id: number, record: Bytes, { position, change, frames }: Behind): void {
    const { logId, sequence, tag } = position;
    const key = cellOfBytes(record);
    this.#run.put.run(id, "behind", key, textOf(change), logId, sequence, tag, frames, null, null, null);
  }

  #changeOf({ change, sequence }: ParkedRow): Change {
    try {
      return changeOfKept(JSON.parse(change) as KeptChange);
    } catch (error) {
      const message = `a row of write_behind_dead_letters in ${this.#file} cannot be read (sequence ${sequence})`;
      throw new StoreError("broken", message, error);
    }
  }
}

function textOf(change: Change): string {
  return JSON.stringify(keptChange(change));
}

function addRow({ letters, behind }: Made, row: ParkedRow, change: Change): void {
  const position = { logId: row.log_id, sequence: row.sequence, tag: row.tag };
  const record = bytesOfCell(row.record);
  if (row.kind === "behind") {
    behind.set(record, { position, change, frames: row.frames });
    return;
  }
  let letter = letters.at(-1);
  if (letter?.position.sequence !== row.sequence) {
    letter = { position, changes: [], reason: row.reason, refusedAt: row.refused_at, tries: row.tries };
    letters.push(letter);
  }
  letter.changes.push({ record, change });
}
