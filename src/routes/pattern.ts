/**
 * Patterns of keys: `user:{id}:{column}`. A placeholder stands for one or more bytes other than `:`, so what a key names
 * is found without trying. Pure.
 */
import { bytesOfText, textOfBytes, type Bytes } from "../bytes.js";

/** A pattern, cut into what stands for itself and what stands for values. */
export interface Pattern {
  /** As the user wrote it. */
  readonly text: string;
  /** One more than placeholders: what is before, between and after them. */
  readonly literals: readonly Bytes[];
  /** Names of the placeholders, in order. */
  readonly names: readonly string[];
}

const separator = ":";

/** Reads a pattern. What is wrong with it is a text. */
export function parsePattern(text: string): Pattern | { readonly wrong: string } {
  const pieces = text.split(/\{([^{}]*)\}/);
  const literals = pieces.filter((_, at) => at % 2 === 0);
  const names = pieces.filter((_, at) => at % 2 === 1);
  if (text === "") return { wrong: "it is empty" };
  if (literals.some((literal) => /[{}]/.test(literal))) return { wrong: "a { or } stands alone" };
  if (names.includes("")) return { wrong: "a placeholder has no name" };
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return { wrong: `{${twice}} is in it twice` };
  if (literals.slice(1, -1).some((literal) => !literal.includes(separator)))
    return { wrong: `between two placeholders there must be a "${separator}"` };
  return { text, literals: literals.map(bytesOfText), names };
}

/** The values that a key gives to the placeholders, in order; null where the key is not of this pattern. */
export function matchKey({ literals }: Pattern, key: Bytes): readonly Bytes[] | null {
  const first = literals[0] as Bytes;
  if (!key.startsWith(first)) return null;
  let at = first.length;
  const values: Bytes[] = [];
  for (let index = 1; index < literals.length; index++) {
    const literal = literals[index] as Bytes;
    const end = valueEnd(key, at, literal, index === literals.length - 1);
    if (end <= at) return null;
    values.push(key.slice(at, end) as Bytes);
    at = end + literal.length;
  }
  return at === key.length ? values : null;
}

/** Where the value that begins at `at` ends, so that `literal` follows; -1 where it does not. */
function valueEnd(key: Bytes, at: number, literal: Bytes, last: boolean): number {
  const colon = key.indexOf(separator, at);
  const segmentEnd = colon === -1 ? key.length : colon;
  if (last) {
    const end = key.length - literal.length;
    return end <= segmentEnd && key.endsWith(literal) ? end : -1;
  }
  const end = key.indexOf(literal, at);
  return end === -1 || end > segmentEnd ? -1 : end;
}

/** The key of a pattern for these values, in the order of its placeholders. */
export function fillPattern({ literals }: Pattern, values: readonly string[]): Bytes {
  let key: string = literals[0] as Bytes;
  for (let index = 1; index < literals.length; index++)
    key += (values[index - 1] as string) + (literals[index] as Bytes);
  return key as Bytes;
}

/** Whether some key is of both patterns. Exact. */
export function mayOverlap(a: Pattern, b: Pattern): boolean {
  const left = segmentsOf(a);
  const right = segmentsOf(b);
  return left.length === right.length && left.every((segment, at) => segmentsMeet(segment, right[at] as Segment));
}

/** What is between two `:`. With a placeholder in it (there is one at the most) it is what surrounds that. */
type Segment = readonly [fixed: string] | readonly [start: string, end: string];

function segmentsOf({ literals }: Pattern): Segment[] {
  // No byte is this character, so it stands for the placeholders. In bytes: half a character is no text.
  return literals
    .join(placeholder)
    .split(separator)
    .map((segment) => segment.split(placeholder) as unknown as Segment);
}

const placeholder = "\u0100";

function segmentsMeet(a: Segment, b: Segment): boolean {
  if (a.length === 1) return b.length === 1 ? a[0] === b[0] : fits(a[0], b);
  if (b.length === 1) return fits(b[0], a);
  // The longer start, one byte, the longer end: such a segment is of both.
  return (a[0].startsWith(b[0]) || b[0].startsWith(a[0])) && (a[1].endsWith(b[1]) || b[1].endsWith(a[1]));
}

function fits(fixed: string, [start, end]: readonly [string, string]): boolean {
  return fixed.startsWith(start) && fixed.endsWith(end) && fixed.length > start.length + end.length;
}

/**
 * The pattern in which one placeholder stands as it is written: the name of a record whose keys all name one column of
 * it. Every key of it is of the pattern, too.
 */
export function withoutPlaceholder(pattern: Pattern, name: string): Pattern {
  const at = pattern.names.indexOf(name);
  if (at === -1) return pattern;
  const { literals, names } = pattern;
  const joined = `${literals[at] as string}${bytesOfText(`{${name}}`)}${literals[at + 1] as string}` as Bytes;
  return { ...pattern, literals: literals.toSpliced(at, 2, joined), names: names.toSpliced(at, 1) };
}

/** A key for people, in a message. */
export function keyText(key: Bytes): string {
  return JSON.stringify(textOfBytes(key));
}
