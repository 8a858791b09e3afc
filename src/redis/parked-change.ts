/**
 * What is parked of a record as bytes, as the keeper holds it for readers: the id of its letter, a blank, and the
 * change as change-code.ts has it, without a record. Pure.
 */
import { bufferOfBytes, type Bytes } from "../bytes.js";
import type { Change } from "../change.js";
import { ChangeCursor } from "../queue/change-code.js";
import { payloadOf } from "./entry.js";

/** What is parked of one record. */
export interface ParkedOfRecord {
  /** All of it, composed. */
  readonly change: Change;
  /** Id of the letter that holds the record, or that it waits for. */
  readonly letter: string;
}

/** What is parked of a record, as bytes. */
export function bytesOfParked({ change, letter }: ParkedOfRecord): Bytes {
  return `${letter} ${payloadOf(change)}` as Bytes;
}

/** What is parked of a record, from its bytes. */
export function parkedOfBytes(bytes: Bytes): ParkedOfRecord {
  const blank = bytes.indexOf(" ");
  const buffer = bufferOfBytes(bytes.slice(blank + 1) as Bytes);
  const { change } = new ChangeCursor(buffer, 0, buffer.length).recordChange();
  return { change, letter: bytes.slice(0, blank) };
}
