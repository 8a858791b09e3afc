/**
 * What is parked, in its table: one row for each letter and record, and for each record with something behind. A change
 * that is too large for one row lies in several.
 */
import type { Bytes } from "../../bytes.js";
import { changeOfKept, keptChange, type KeptChange } from "../../change-json.js";
import type { Change } from "../../change.js";
import type { Position } from "../../queue/queue.js";
import { StoreError, type Behind, type Letter, type ParkedGroup, type Parking } from "../store.js";
import { byteaArray, bytesOfCell, int8Array, numberOfCell, textArray, type Cell } from "./postgres-cell.js";
import type { Step } from "./postgres-pipeline.js";
import type { Statements } from "./postgres-statements.js";

interface ParkedRow {
  readonly groupId: number;
  readonly kind: string;
  readonly record: Bytes;
  readonly change: string;
  readonly position: Position;
  readonly frames: number;
  /** Of a letter's record: where it was in its frame. */
  readonly place: number;
  /** Which part of its change. */
  readonly part: number;
  readonly reason: string | null;
  readonly refusedAt: number | null;
  readonly tries: number | null;
}

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

/** Steps that read and write the dead letters of one database. */
export class PostgresParked {
  readonly #statements: Statements;
  readonly #place: string;

  constructor(statements: Statements, place: string) {
    this.#statements = statements;
    this.#place = place;
  }

  /** Everything that a partition has parked, in the order of the groups' ids. Throws `broken` for an unreadable row. */
  async all(run: (steps: readonly Step[]) => Promise<void>, partition = 0): Promise<readonly ParkedGroup[]> {
    const rows: ParkedRow[] = [];
    const parameters = [String(partition)];
    await run([{ statement: this.#statements.allParked, parameters, onRow: (row) => rows.push(parkedRowOf(row)) }]);
    const groups = new Map<number, Made>();
    for (const row of rows) {
      const group: Made = groups.get(row.groupId) ?? { id: row.groupId, letters: new Map(), behind: new Map() };
      groups.set(row.groupId, group);
      this.#addRow(group, row);
    }
    return [...groups.values()].map((group) => this.#groupOf(group));
  }

  /** Takes groups of a partition out, then puts in what is new. */
  change({ drop, put }: Parking, partition = 0): Step[] {
    const steps: Step[] = [];
    const at = String(partition);
    if (drop.length > 0) steps.push({ statement: this.#statements.dropParked, parameters: [int8Array(drop), at] });
    const rows = put.flatMap(rowsOf);
    if (rows.length === 0) return steps;
    const { replaceParked, putParked } = this.#statements;
    const first = rows.filter(({ part }) => part === 0);
    const keys = [byteaArray(first.map(({ record }) => record)), textArray(first.map(({ kind }) => kind)), at];
    const columns = [...columnsOf(rows), at];
    steps.push({ statement: replaceParked, parameters: keys }, { statement: putParked, parameters: columns });
    return steps;
  }

  /** Takes out all groups of a partition. */
  clear(partition = 0): Step {
    return { statement: this.#statements.clearParked, parameters: [String(partition)] };
  }

  #addRow({ letters, behind }: Made, row: ParkedRow): void {
    const { sequence } = row.position;
    const isBehind = row.kind === "behind";
    const changes = isBehind ? behind : (letters.get(sequence) ?? new Map<Bytes, Parts>());
    if (!isBehind) letters.set(sequence, changes);
    const made = changes.get(row.record) ?? { row, parts: [] };
    changes.set(row.record, made);
    made.parts.push(this.#reading(row, () => JSON.parse(row.change) as KeptChange));
  }

  #groupOf({ id, letters, behind }: Made): ParkedGroup {
    const waiting = [...behind].map(([record, { row, parts }]): [Bytes, Behind] => {
      const change = this.#reading(row, () => changeOfKept(parts));
      return [record, { position: row.position, change, frames: row.frames }];
    });
    return { id, letters: [...letters.values()].map((made) => this.#letterOf(made)), behind: new Map(waiting) };
  }

  #letterOf(made: ReadonlyMap<Bytes, Parts>): Letter {
    const all = [...made.values()];
    const changes = all.map(({ row, parts }) => ({
      record: row.record,
      change: this.#reading(row, () => changeOfKept(parts)),
    }));
    const { position, reason, refusedAt, tries } = (all[0] as Parts).row;
    return { position, changes, reason: reason ?? "", refusedAt: refusedAt ?? 0, tries: tries ?? 0 };
  }

  #reading<T>({ position }: ParkedRow, read: () => T): T {
    try {
      return read();
    } catch (error) {
      const where = `${this.#place} cannot be read (sequence ${position.sequence})`;
      throw new StoreError("broken", `a row of write_behind_dead_letters in ${where}`, error);
    }
  }
}

function rowsOf({ id, letters, behind }: ParkedGroup): ParkedRow[] {
  const rows: ParkedRow[] = [];
  const add = (change: Change, of: Omit<ParkedRow, "groupId" | "change" | "part">): void => {
    for (const [part, kept] of keptChange(change).entries())
      rows.push({ ...of, groupId: id, change: JSON.stringify(kept), part });
  };
  for (const { position, changes, reason, refusedAt, tries } of letters) {
    for (const [place, { record, change }] of changes.entries())
      add(change, { kind: "refused", record, position, frames: 1, place, reason, refusedAt, tries });
  }
  for (const [record, { position, change, frames }] of behind)
    add(change, { kind: "behind", record, position, frames, place: 0, reason: null, refusedAt: null, tries: null });
  return rows;
}

function columnsOf(rows: readonly ParkedRow[]): Buffer[] {
  return [
    int8Array(rows.map(({ groupId }) => groupId)),
    textArray(rows.map(({ kind }) => kind)),
    byteaArray(rows.map(({ record }) => record)),
    textArray(rows.map(({ change }) => change)),
    textArray(rows.map(({ position }) => position.logId)),
    int8Array(rows.map(({ position }) => position.sequence)),
    int8Array(rows.map(({ position }) => position.tag)),
    int8Array(rows.map(({ frames }) => frames)),
    int8Array(rows.map(({ place }) => place)),
    int8Array(rows.map(({ part }) => part)),
    textArray(rows.map(({ reason }) => reason)),
    int8Array(rows.map(({ refusedAt }) => refusedAt)),
    int8Array(rows.map(({ tries }) => tries)),
  ];
}

function parkedRowOf(row: readonly Cell[]): ParkedRow {
  const number = (column: number): number => numberOfCell(row[column] ?? null);
  return {
    groupId: number(0),
    kind: row[1] ?? "",
    record: bytesOfCell(row[2] ?? null),
    change: row[3] ?? "",
    position: { logId: row[4] ?? "", sequence: number(5), tag: number(6) },
    frames: number(7),
    place: number(8),
    part: number(9),
    reason: row[10] ?? null,
    refusedAt: number(11),
    tries: number(12),
  };
}
