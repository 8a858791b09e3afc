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
  const between = literals.slice(1, -1);
  if (between.some((literal) => !literal.startsWith(separator) && !literal.endsWith(separator)))
    return { wrong: `between two placeholders there must be a "${separator}"` };
  if (between.some((literal) => literal === ""))
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

/**
 * Whether a key may be of both patterns. Exact for patterns whose placeholders fill whole segments; where one shares its
 * segment with text it may say yes where no key is of both, never no where one is.
 */
export function mayOverlap(a: Pattern, b: Pattern): boolean {
  const left = segmentsOf(a);
  const right = segmentsOf(b);
  return left.length === right.length && left.every((segment, at) => segmentsMeet(segment, right[at] as Segment));
}

/** What is between two `:`; `start` and `end` surround placeholders, where there are any. */
interface Segment {
  readonly start: string;
  readonly end: string;
  readonly open: boolean;
}

function segmentsOf({ text }: Pattern): Segment[] {
  // A name may hold the separator: it is out of the way first.
  return text
    .replaceAll(/\{[^{}]*\}/g, "{}")
    .split(separator)
    .map((segment) => {
      const open = segment.includes("{}");
      return {
        start: open ? segment.slice(0, segment.indexOf("{}")) : segment,
        end: open ? segment.slice(segment.lastIndexOf("{}") + 2) : "",
        open,
      };
    });
}

function segmentsMeet(a: Segment, b: Segment): boolean {
  if (!a.open && !b.open) return a.start === b.start;
  if (!a.open) return segmentsMeet(b, a);
  if (!b.open)
    return b.start.startsWith(a.start) && b.start.endsWith(a.end) && b.start.length > a.start.length + a.end.length;
  return (
    (a.start.startsWith(b.start) || b.start.startsWith(a.start)) && (a.end.endsWith(b.end) || b.end.endsWith(a.end))
  );
}

/** A key for people, in a message. */
export function keyText(key: Bytes): string {
  return JSON.stringify(textOfBytes(key));
}
