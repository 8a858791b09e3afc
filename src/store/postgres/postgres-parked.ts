/** What is parked, in its table: one row for each letter and record, and for each record with something behind. */
import type { Bytes } from "../../bytes.js";
import { changeOfKept, keptChange, type KeptChange } from "../../change-json.js";
import type { Change, RecordChange } from "../../change.js";
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
  readonly reason: string | null;
  readonly refusedAt: number | null;
  readonly tries: number | null;
}

/** A group in the making. */
interface Made {
  readonly id: number;
  readonly letters: (Letter & { readonly changes: RecordChange[] })[];
  readonly behind: Map<Bytes, Behind>;
}

/** Steps that read and write the dead letters of one database. */
export class PostgresParked {
  readonly #statements: Statements;
  readonly #place: string;

  constructor(statements: Statements, place: string) {
    this.#statements = statements;
    this.#place = place;
  }

  /** Everything that is parked, in the order of the groups' ids. Throws `broken` where a row cannot be read. */
  async all(run: (steps: readonly Step[]) => Promise<void>): Promise<readonly ParkedGroup[]> {
    const rows: ParkedRow[] = [];
    await run([{ statement: this.#statements.allParked, onRow: (row) => rows.push(parkedRowOf(row)) }]);
    const groups = new Map<number, Made>();
    for (const row of rows) {
      const group: Made = groups.get(row.groupId) ?? { id: row.groupId, letters: [], behind: new Map() };
      groups.set(row.groupId, group);
      addRow(group, row, this.#changeOf(row));
    }
    return [...groups.values()];
  }

  /** Takes groups out, then puts in what is new. */
  change({ drop, put }: Parking): Step[] {
    const steps: Step[] = [];
    if (drop.length > 0) steps.push({ statement: this.#statements.dropParked, parameters: [int8Array(drop)] });
    const rows = put.flatMap(rowsOf);
    if (rows.length > 0) steps.push({ statement: this.#statements.putParked, parameters: columnsOf(rows) });
    return steps;
  }

  /** Takes out all groups. */
  clear(): Step {
    return { statement: this.#statements.clearParked };
  }

  #changeOf({ change, position }: ParkedRow): Change {
    try {
      return changeOfKept(JSON.parse(change) as KeptChange);
    } catch (error) {
      const where = `${this.#place} cannot be read (sequence ${position.sequence})`;
      throw new StoreError("broken", `a row of write_behind_dead_letters in ${where}`, error);
    }
  }
}

function rowsOf({ id, letters, behind }: ParkedGroup): ParkedRow[] {
  const rows: ParkedRow[] = [];
  for (const { position, changes, reason, refusedAt, tries } of letters) {
    for (const [place, { record, change }] of changes.entries()) {
      const text = textOf(change);
      const of = { groupId: id, kind: "refused", record, change: text, position, frames: 1, place };
      rows.push({ ...of, reason, refusedAt, tries });
    }
  }
  for (const [record, { position, change, frames }] of behind) {
    const of = { groupId: id, kind: "behind", record, change: textOf(change), position, frames, place: 0 };
    rows.push({ ...of, reason: null, refusedAt: null, tries: null });
  }
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
    reason: row[9] ?? null,
    refusedAt: number(10),
    tries: number(11),
  };
}

function textOf(change: Change): string {
  return JSON.stringify(keptChange(change));
}

function addRow({ letters, behind }: Made, row: ParkedRow, change: Change): void {
  const { position, record, reason, refusedAt, tries, frames } = row;
  if (row.kind === "behind") {
    behind.set(record, { position, change, frames });
    return;
  }
  let letter = letters.at(-1);
  if (letter?.position.sequence !== position.sequence) {
    letter = { position, changes: [], reason: reason ?? "", refusedAt: refusedAt ?? 0, tries: tries ?? 0 };
    letters.push(letter);
  }
  letter.changes.push({ record, change });
}
