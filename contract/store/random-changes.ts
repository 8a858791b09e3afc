/** Random changes from a seed: the same seed gives the same changes. */
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import { remove, type Change, type Fields } from "../../src/change.js";
import { bytes } from "./writer-like.js";

/** A whole number from 0 up to, but not including, `below`. */
export type Dice = (below: number) => number;

/** Dice of a seed. Source: mulberry32, Tommy Ettinger, public domain. */
export function seeded(seed: number): Dice {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Any change. */
export function randomChange(dice: Dice): Change {
  const kind = dice(10);
  if (kind === 0) return remove;
  if (kind <= 3)
    return { kind: "replace", content: randomBytes(dice), expiresAt: randomExpiry(dice), afterRemove: dice(3) === 0 };
  if (kind <= 5)
    return { kind: "replace", content: randomFields(dice), expiresAt: randomExpiry(dice), afterRemove: dice(3) === 0 };
  const expiresAt = dice(2) === 0 ? undefined : randomExpiry(dice);
  if (kind === 6) return { kind: "merge", fields: null, expiresAt };
  return { kind: "merge", fields: { set: randomFields(dice), unset: new Set(randomFields(dice).keys()) }, expiresAt };
}

function randomExpiry(dice: Dice): number | null {
  return dice(2) === 0 ? null : 1 + dice(60);
}

function randomFields(dice: Dice): Fields {
  return new Map(Array.from({ length: dice(4) }, () => [randomBytes(dice), randomBytes(dice)]));
}

function randomBytes(dice: Dice): Bytes {
  const few = ["", "a", "b", "é", "\0"].map(bytesOfText);
  return [...few, bytes(0xff), bytes(0xe9)][dice(7)] as Bytes;
}
