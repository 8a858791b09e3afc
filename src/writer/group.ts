/** What a parked group comes to: its rows, and what may be said of them. Pure. */
import type { Bytes } from "../bytes.js";
import { compose, contentBytes, type Change, type RecordChange } from "../change.js";
import { fieldBytes, recordBytes } from "../content-cost.js";
import type { Letter, ParkedGroup } from "../store/store.js";

/** One change for each record of a group: its letter, then what is behind. What a try writes. */
export function rowsOfGroup({ letters, behind }: ParkedGroup): Map<Bytes, Change> {
  const rows = new Map<Bytes, Change>();
  for (const { changes } of letters) for (const { record, change } of changes) rows.set(record, change);
  for (const [record, { change }] of behind) {
    const older = rows.get(record);
    rows.set(record, older === undefined ? change : compose(older, change));
  }
  return rows;
}

/** What is left of a group whose letters are given up. */
export function rowsBehind({ behind }: ParkedGroup): Map<Bytes, Change> {
  return new Map([...behind].map(([record, { change }]) => [record, change]));
}

/**
 * Whether nothing of the letter is in the rows of the group: it held one record alone, and so did all that is behind,
 * which has written that record whole. Where frames have joined records, a part of each frame is left.
 */
export function isSuperseded({ letters, behind }: ParkedGroup): boolean {
  const [letter, another] = letters;
  if (letter === undefined || another !== undefined || letter.changes.length !== 1 || behind.size !== 1) return false;
  const later = behind.get((letter.changes[0] as { readonly record: Bytes }).record);
  return later !== undefined && later.change.kind !== "merge";
}

/** Changes that wait behind a group. */
export function waitingBehind({ behind }: ParkedGroup): number {
  let frames = 0;
  for (const each of behind.values()) frames += each.frames;
  return frames;
}

/** What a parked change takes in memory, estimated: what the limit of what is parked counts (promise 8). */
export function parkedBytes({ record, change }: RecordChange): number {
  const bytes = recordBytes + record.length;
  if (change.kind === "remove") return bytes;
  const content = change.kind === "replace" ? change.content : change.fields?.set;
  if (content === undefined) return bytes;
  const fields = typeof content === "string" ? 0 : content.size;
  let unset = 0;
  if (change.kind === "merge") for (const field of change.fields?.unset ?? []) unset += fieldBytes + field.length;
  return bytes + contentBytes(content) + fieldBytes * fields + unset;
}

/** The same for all changes of a letter. */
export function letterBytes({ changes }: Pick<Letter, "changes">): number {
  return changes.reduce((sum, change) => sum + parkedBytes(change), 0);
}

/** What people call a letter, or the group of this id. */
export function letterId(sequence: number): string {
  return String(sequence);
}

/** The ids of a group's letters, oldest first. */
export function idsOf({ letters }: ParkedGroup): string[] {
  return letters.map(({ position }) => letterId(position.sequence));
}
