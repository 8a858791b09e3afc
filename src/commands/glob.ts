/**
 * Redis' patterns: `*` any bytes, `?` one byte, `[a-z]` one of these, `[^x]` one that is not, `\` takes the next byte as
 * it is. Byte for byte what stringmatchlen of Redis 7 (util.c) says, its oddities included: a class may lack its `]`,
 * the ends of a range may be in either order, and are compared as signed bytes as on x86, and an empty text matches the
 * empty pattern and `*`, but not `**`. Pure; not a regular expression, which could take exponential time.
 */
import type { Bytes } from "../bytes.js";

/** Stars with something behind them, at the most: Redis takes more for an attack, and nothing matches then. */
const starsMax = 1000;

const star = 42;
const dash = 45;
const questionMark = 63;
const open = 91;
const backslash = 92;
const close = 93;
const caret = 94;

/**
 * Whether a text matches a pattern, in (bytes of the pattern) × (bytes of the text) steps at most: where what follows
 * a star is nowhere in the rest of the text, no longer match of an earlier star can help, so only the last one is tried
 * again.
 */
export function matches(pattern: Bytes, text: Bytes): boolean {
  // KEYS, SCAN and HSCAN of Redis do not ask the pattern then.
  if (pattern === "*") return true;
  let at = 0;
  let place = 0;
  let stars = 0;
  // Where to go on when what follows the last star does not match here.
  let afterStar = -1;
  let starPlace = 0;
  for (;;) {
    if (at < pattern.length && place < text.length && pattern.charCodeAt(at) === star) {
      at = endOfStars(pattern, at);
      if (at === pattern.length) return true;
      if (++stars > starsMax) return false;
      afterStar = at;
      starPlace = place;
      continue;
    }
    const next = at < pattern.length && place < text.length ? matchOne(pattern, at, text.charCodeAt(place)) : -1;
    if (next >= 0) {
      place++;
      at = place === text.length ? endOfStars(pattern, next) : next;
      continue;
    }
    if (at === pattern.length && place === text.length) return true;
    if (afterStar < 0 || ++starPlace >= text.length) return false;
    at = afterStar;
    place = starPlace;
  }
}

function endOfStars(pattern: Bytes, from: number): number {
  let at = from;
  while (pattern.charCodeAt(at) === star) at++;
  return at;
}

/** Where the pattern goes on after the part that stands for one byte, or -1 where the byte is another. */
function matchOne(pattern: Bytes, at: number, byte: number): number {
  const code = pattern.charCodeAt(at);
  if (code === questionMark) return at + 1;
  if (code === open) return matchClass(pattern, at + 1, byte);
  const literal = code === backslash && at + 1 < pattern.length ? at + 1 : at;
  return pattern.charCodeAt(literal) === byte ? literal + 1 : -1;
}

/** The same for a class, whose `[` has been read. */
function matchClass(pattern: Bytes, from: number, byte: number): number {
  const isNot = pattern.charCodeAt(from) === caret;
  let at = isNot ? from + 1 : from;
  let found = false;
  while (at < pattern.length && pattern.charCodeAt(at) !== close) {
    const left = pattern.length - at;
    const code = pattern.charCodeAt(at);
    if (code === backslash && left >= 2) {
      found ||= pattern.charCodeAt(at + 1) === byte;
      at += 2;
    } else if (left >= 3 && pattern.charCodeAt(at + 1) === dash) {
      found ||= isBetween(byte, code, pattern.charCodeAt(at + 2));
      at += 3;
    } else {
      found ||= code === byte;
      at++;
    }
  }
  return found === isNot ? -1 : Math.min(at + 1, pattern.length);
}

/** Whether a byte lies between two others, in whichever order they are; the C of x86 has signed bytes. */
function isBetween(byte: number, one: number, other: number): boolean {
  const [a, b, c] = [signed(byte), signed(one), signed(other)];
  return b < c ? a >= b && a <= c : a >= c && a <= b;
}

function signed(byte: number): number {
  return byte < 128 ? byte : byte - 256;
}
