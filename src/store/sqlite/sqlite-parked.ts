/**
 * What is parked, in its table: one row for each letter and record, and for each record with something behind. A change
 * that is too large for one row lies in several.
 */
import type { Bytes } from "../../bytes.js";
import { changeOfKept, keptChange, type KeptChange } from "../../change-json.js";
import type { Change, RecordChange } from "../../change.js";
import type { Position } from "../../queue/queue.js";
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

/** A group: its partition, and its id there. */
type Group = readonly [number, number];

/** Frames, reason, when it was refused first, tries. */
type Rest = readonly [number, string | null, number | null, number | null];

/** A change in the making. */
interface Parts {
  readonly row: ParkedRow;
  readonly parts: KeptChange[];
}

/** A group in the making: its letters by sequence, the changes of each and what is behind by record. */
interface Made {
  readonly id: number;
  readonly letters: Map<number, Map<Bytes, Parts>>;
  readonly behind: Map<Bytes, Parts>;
}

/** Dead letters of one database. Every method runs inside a transaction that the caller has begun. */
export class SqliteParked {
  readonly #run: Statements<keyof typeof parkedStatements>;
  readonly #file: string;

  constructor(connection: SqliteConnection, file: string) {
    this.#run = connection.prepareAll(parkedStatements);
    this.#file = file;
  }

  /** Everything that a partition has parked, in the order of the groups' ids. Throws `broken` where a row cannot be read. */
  all(partition = 0): readonly ParkedGroup[] {
    const groups = new Map<number, Made>();
    for (const row of this.#run.all.all(partition) as unknown as ParkedRow[]) {
      const group: Made = groups.get(row.group_id) ?? { id: row.group_id, letters: new Map(), behind: new Map() };
      groups.set(row.group_id, group);
      this.#addRow(group, row);
    }
    return [...groups.values()].map((group) => this.#groupOf(group));
  }

  /** Takes groups of a partition out, then puts in what is new. */
  change({ drop, put }: Parking, partition = 0): void {
    for (const id of drop) this.#run.drop.run(partition, id);
    for (const { id, letters, behind } of put) {
      for (const letter of letters) this.#putLetter([partition, id], letter);
      for (const [record, each] of behind) this.#putBehind([partition, id], record, each);
    }
  }

  /** Takes out all groups of a partition. */
  clear(partition = 0): void {
    this.#run.clear.run(partition);
  }

  #putLetter(group: Group, { position, changes, reason, refusedAt, tries }: Letter): void {
    for (const { record, change } of changes) {
      this.#put(group, "refused", record, change, position, [1, reason, refusedAt, tries]);
    }
  }

  #putBehind(group: Group, record: Bytes, { position, change, frames }: Behind): void {
    this.#put(group, "behind", record, change, position, [frames, null, null, null]);
  }

  #put(group: Group, kind: string, record: Bytes, change: Change, position: Position, rest: Rest): void {
    const { logId, sequence, tag } = position;
    const key = cellOfBytes(record);
    this.#run.dropParts.run(group[0], key, kind, kind);
    let part = 0;
    for (const kept of keptChange(change)) {
      const name = part === 0 ? kind : `${kind}+${part}`;
      this.#run.put.run(...group, name, key, JSON.stringify(kept), logId, sequence, tag, ...rest);
      part += 1;
    }
  }

  #addRow({ letters, behind }: Made, row: ParkedRow): void {
    const isBehind = row.kind.startsWith("behind");
    const changes = isBehind ? behind : (letters.get(row.sequence) ?? new Map<Bytes, Parts>());
    if (!isBehind) letters.set(row.sequence, changes);
    const record = bytesOfCell(row.record);
    const made = changes.get(record) ?? { row, parts: [] };
    changes.set(record, made);
    made.parts.push(this.#reading(row, () => JSON.parse(row.change) as KeptChange));
  }

  #groupOf({ id, letters, behind }: Made): ParkedGroup {
    return {
      id,
      letters: [...letters.values()].map((changes) => this.#letterOf(changes)),
      behind: new Map(
        [...behind].map(([record, { row, parts }]) => [
          record,
          { position: positionOf(row), change: this.#reading(row, () => changeOfKept(parts)), frames: row.frames },
        ]),
      ),
    };
  }

  #letterOf(made: ReadonlyMap<Bytes, Parts>): Letter {
    const changes: RecordChange[] = [];
    let first: ParkedRow | null = null;
    for (const [record, { row, parts }] of made) {
      first ??= row;
      changes.push({ record, change: this.#reading(row, () => changeOfKept(parts)) });
    }
    const { reason, refused_at: refusedAt, tries } = first as ParkedRow;
    return { position: positionOf(first as ParkedRow), changes, reason, refusedAt, tries };
  }

  #reading<T>({ sequence }: ParkedRow, read: () => T): T {
    try {
      return read();
    } catch (error) {
      const message = `a row of write_behind_dead_letters in ${this.#file} cannot be read (sequence ${sequence})`;
      throw new StoreError("broken", message, error);
    }
  }
}

function positionOf({ log_id: logId, sequence, tag }: ParkedRow): Position {
  return { logId, sequence, tag };
}
