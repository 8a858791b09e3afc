/**
 * What a base holds of one record, version 1: the sequence of the last frame that changed it as decimal digits, a
 * space, and the change with an empty record (change-code.ts). Pure.
 */
import { bufferOfBytes, type Bytes } from "../bytes.js";
import type { Change } from "../change.js";
import { ChangeCursor } from "../queue/change-code.js";
import { payloadOf } from "./entry.js";

/** All changes of a record, composed, and the sequence of the last frame of them. */
export interface BaseChange {
  readonly change: Change;
  readonly sequence: number;
}

/** As a base holds it. */
export function bytesOfBase({ change, sequence }: BaseChange): Bytes {
  return (`${sequence} ` + payloadOf(change)) as Bytes;
}

/** From what a base holds. Throws where that means nothing. */
export function baseOfBytes(bytes: Bytes): BaseChange {
  const space = bytes.indexOf(" ");
  const buffer = bufferOfBytes(bytes.slice(space + 1) as Bytes);
  const { change } = new ChangeCursor(buffer, 0, buffer.length).recordChange();
  return { change, sequence: Number(bytes.slice(0, space)) };
}

/** How many records of a base are about so many bytes: one at least, a thousand at the most. */
export function recordsOfBytes(base: { readonly records: number; readonly bytes: number }, bytes: number): number {
  return Math.max(1, Math.min(1000, Math.floor((bytes * base.records) / Math.max(1, base.bytes))));
}
