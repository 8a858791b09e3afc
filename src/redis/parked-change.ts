/** What is parked of a record, as the keeper holds it for readers: the letter's id, a space, the change. Pure. */
import { bufferOfBytes, type Bytes } from "../bytes.js";
import type { Change } from "../change.js";
import { ChangeCursor } from "../queue/change-code.js";
import { payloadOf } from "./entry.js";

/** What is parked of a record. */
export interface ParkedOfRecord {
  /** Id of the dead letter that holds it, or that it waits for. */
  readonly letter: string;
  /** All of it, composed. */
  readonly change: Change;
}

/** As bytes. */
export function parkedBytesOf({ letter, change }: ParkedOfRecord): Bytes {
  return `${letter} ${payloadOf(change)}` as Bytes;
}

/** From bytes. */
export function changeOfParked(bytes: Bytes): ParkedOfRecord {
  const space = bytes.indexOf(" ");
  const buffer = bufferOfBytes(bytes.slice(space + 1) as Bytes);
  const { change } = new ChangeCursor(buffer, 0, buffer.length).recordChange();
  return { letter: bytes.slice(0, space), change };
}
