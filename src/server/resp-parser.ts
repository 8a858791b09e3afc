/**
 * Reads commands out of a stream of bytes: RESP arrays of bulk strings, and inline commands. Pure: chunks go in, lists
 * of arguments come out, cut wherever the network liked. Not a parser of replies.
 *
 * Format and error texts: networking.c of Redis 7 (processMultibulkBuffer, processInlineBuffer).
 */
import type { Bytes } from "../bytes.js";
import { parseInteger } from "../commands/integer.js";
import { splitWords } from "../commands/words.js";

/** What a client may send. Read anew for each command: it may change while the server runs. */
export interface ParserLimits {
  /** Bytes of one argument. */
  readonly bulkBytesMax: number;
  /** Memory of all arguments of one command. */
  readonly commandBytesMax: number;
}

/** The most that the engine takes: a frame of the write queue ends at 128 MB. */
export const parserLimits: ParserLimits = {
  bulkBytesMax: 128 * 1024 * 1024,
  commandBytesMax: 256 * 1024 * 1024,
};

/** Redis' limit of arguments. What they may cost is another one: an empty one is not free. */
const argumentsMax = 2 ** 31 - 1;
const argumentOverheadBytes = 32;

/** Redis' limit of an inline command, and of the line that says a length. */
const lineBytesMax = 64 * 1024;
/** Redis' limits for a client that has not given the password yet. */
const strangerBulkBytesMax = 16_384;
const strangerArgumentsMax = 10;

/** A name that is longer is no command's, and not worth keeping. */
const nameLengthMax = 32;

/** Arguments that an array is made for before they are there. More are only promised: each has to come first. */
const exactArgumentsMax = 16;

const empty = Buffer.alloc(0);
const carriageReturn = 13;
const lineFeed = 10;
const star = 42;
const dollar = 36;

/** Slices a buffer into one-byte strings. Node has it on every Buffer; its types do not say so. */
type Sliceable = Buffer & { latin1Slice(start: number, end: number): Bytes };

/** The parser of one connection. */
export class RespParser {
  /** Redis' text for what was wrong; from then on there are no more commands. */
  error: string | null = null;
  /** A command was larger than all of its arguments may be: from then on there are no more, and Redis says nothing. */
  isOverfull = false;
  readonly #limits: ParserLimits;
  #isTrusted: boolean;
  #buffer = empty as Sliceable;
  #at = 0;
  #later: Buffer[] = [];
  #laterBytes = 0;
  /** Bytes from #at on that it takes to get any further. */
  #need = 1;
  #args: Bytes[] | null = null;
  /** Arguments that it has. */
  #place = 0;
  /** The name of the command before. */
  #name = "" as Bytes;
  /** Arguments that are still to come in the command in hand. */
  #left = 0;
  /** Length of the argument in hand, or -1 where it is not known yet. */
  #bulk = -1;
  #commandBytes = 0;

  constructor(limits: ParserLimits = parserLimits, isTrusted = true) {
    this.#limits = limits;
    this.#isTrusted = isTrusted;
  }

  /** The client has given the password: the full limits hold. */
  trust(): void {
    this.#isTrusted = true;
  }

  /** Bytes that have come in and were not read yet. */
  get unread(): number {
    return this.#buffer.length - this.#at + this.#laterBytes;
  }

  /** Takes the next chunk. It must not be changed afterwards. */
  push(chunk: Buffer): void {
    if (chunk.length === 0 || this.error !== null) return;
    // Chunks that wait come first, also where the buffer before them has been read to its end.
    if (this.#at === this.#buffer.length && this.#laterBytes === 0) {
      this.#buffer = chunk as Sliceable;
      this.#at = 0;
    } else {
      this.#later.push(chunk);
      this.#laterBytes += chunk.length;
    }
  }

  /** The next command, name first; null where more bytes are needed, or `error` says what is wrong. */
  next(): Bytes[] | null {
    while (this.error === null) {
      const here = this.#buffer.length - this.#at;
      if (here >= this.#need) {
        const args = this.#read();
        if (args !== null) return args;
      } else {
        if (this.#laterBytes === 0 || here + this.#laterBytes < this.#need) break;
        this.#join();
      }
    }
    if (this.#at === this.#buffer.length) this.#buffer = empty as Sliceable;
    if (this.#buffer.length === 0) this.#at = 0;
    return null;
  }

  #join(): void {
    this.#buffer = Buffer.concat([this.#buffer.subarray(this.#at), ...this.#later]) as Sliceable;
    this.#at = 0;
    this.#later = [];
    this.#laterBytes = 0;
  }

  /** Reads on. Null: #need, #at or `error` has changed. */
  #read(): Bytes[] | null {
    if (this.#left === 0) {
      if (this.#buffer[this.#at] !== star) return this.#readInline();
      const count = this.#readLength("invalid multibulk length", "too big mbulk count string");
      if (count === null) return null;
      if (count > argumentsMax) return this.#fail("invalid multibulk length");
      if (count > strangerArgumentsMax && !this.#isTrusted) return this.#fail("unauthenticated multibulk length");
      if (count <= 0) return null;
      this.#left = count;
      // oxlint-disable-next-line unicorn/no-new-array -- an array that is pushed to has room for 17
      this.#args = count <= exactArgumentsMax ? new Array<Bytes>(count) : [];
      this.#place = 0;
      this.#commandBytes = 0;
      if (this.#at === this.#buffer.length) return null;
    }
    return this.#readArguments();
  }

  #readArguments(): Bytes[] | null {
    const buffer = this.#buffer;
    const args = this.#args as Bytes[];
    while (this.#left > 0) {
      if (this.#bulk < 0 && !this.#readBulkLength()) return null;
      const bulk = this.#bulk;
      const end = this.#at + bulk;
      if (end + 2 > buffer.length) {
        this.#need = bulk + 2;
        return null;
      }
      const place = this.#place++;
      args[place] = place === 0 ? this.#readName(end) : buffer.latin1Slice(this.#at, end);
      this.#at = end + 2;
      this.#bulk = -1;
      this.#left--;
    }
    this.#need = 1;
    this.#args = null;
    return args;
  }

  /** The command's name. Most come again and again: the same string costs no new one, and has been hashed before. */
  #readName(end: number): Bytes {
    const buffer = this.#buffer;
    const start = this.#at;
    const last = this.#name;
    let same = last.length === end - start ? 0 : -1;
    while (same >= 0 && same < last.length) same = buffer[start + same] === last.charCodeAt(same) ? same + 1 : -1;
    if (same >= 0) return last;
    const name = buffer.latin1Slice(start, end);
    if (name.length <= nameLengthMax) this.#name = name;
    return name;
  }

  #readBulkLength(): boolean {
    if (this.#at >= this.#buffer.length) {
      this.#need = 1;
      return false;
    }
    const length = this.#readLength("invalid bulk length", "too big bulk count string");
    if (length === null) return false;
    this.#commandBytes += length + argumentOverheadBytes;
    if (length < 0 || length > this.#limits.bulkBytesMax) this.#fail("invalid bulk length");
    else if (length > strangerBulkBytesMax && !this.#isTrusted) this.#fail("unauthenticated bulk length");
    else if (this.#commandBytes > this.#limits.commandBytesMax) this.#overfill();
    if (this.error !== null) return false;
    this.#bulk = length;
    return true;
  }

  /** The number on the line that starts at #at with one mark; null where the line is not whole or not a number. */
  #readLength(invalid: string, tooLong: string): number | null {
    const buffer = this.#buffer;
    const start = this.#at + 1;
    let end = start;
    let value = 0;
    for (; end < buffer.length; end++) {
      const digit = (buffer[end] as number) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const digits = end - start;
    if (
      digits > 0 &&
      digits < 10 &&
      buffer[start - 1] === (this.#left === 0 ? star : dollar) &&
      buffer[end] === carriageReturn &&
      end + 1 < buffer.length &&
      (digits === 1 || buffer[start] !== 48)
    ) {
      this.#at = end + 2;
      this.#need = 1;
      return value;
    }
    return this.#readLengthSlowly(invalid, tooLong);
  }

  #readLengthSlowly(invalid: string, tooLong: string): number | null {
    const here = this.#buffer.length - this.#at;
    const end = this.#endOfLine(carriageReturn);
    if (end < 0 && here > lineBytesMax) this.#fail(tooLong);
    if (end < 0 || end + 1 >= this.#buffer.length) {
      this.#need = here + 1;
      return null;
    }
    const mark = this.#buffer[this.#at] as number;
    // Redis looks at the mark of an argument only when its line is whole.
    if (this.#left > 0 && mark !== dollar) return this.#fail(`expected '$', got '${String.fromCharCode(mark)}'`);
    const value = end - this.#at > 21 ? null : parseInteger(this.#buffer.latin1Slice(this.#at + 1, end));
    if (value === null) return this.#fail(invalid);
    this.#at = end + 2;
    this.#need = 1;
    return Number(value);
  }

  /** Where the line in hand ends, or -1. Redis reads lines as strings of C: none ends beyond a zero byte. */
  #endOfLine(mark: number): number {
    const end = this.#buffer.indexOf(mark, this.#at);
    return end >= 0 && this.#buffer.subarray(this.#at, end).includes(0) ? -1 : end;
  }

  #readInline(): Bytes[] | null {
    const end = this.#endOfLine(lineFeed);
    const length = (end < 0 ? this.#buffer.length : end) - this.#at;
    if (length > lineBytesMax) return this.#fail("too big inline request");
    if (end < 0) {
      this.#need = length + 1;
      return null;
    }
    const last = end > this.#at && this.#buffer[end - 1] === carriageReturn ? end - 1 : end;
    const words = splitWords(this.#buffer.latin1Slice(this.#at, last));
    if (words === null) return this.#fail("unbalanced quotes in request");
    this.#at = end + 1;
    this.#need = 1;
    return words.length === 0 ? null : words;
  }

  #overfill(): void {
    this.isOverfull = true;
    this.#fail("too big request");
  }

  #fail(text: string): null {
    this.error = `Protocol error: ${text}`;
    this.#later = [];
    this.#laterBytes = 0;
    this.#buffer = empty as Sliceable;
    this.#at = 0;
    this.#args = null;
    return null;
  }
}
