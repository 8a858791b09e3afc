/**
 * How Redis would keep a value, told by the value alone: what decides whether HSCAN pages, and what OBJECT says. Here
 * nothing is kept in any of these ways. Redis' own answer also knows history: what once was large stays large there.
 * Pure.
 */
import type { Bytes } from "../bytes.js";
import type { Content, Fields } from "../change.js";
import { parseInteger } from "./integer.js";

/** hash-max-listpack-entries and hash-max-listpack-value as Redis has them where nobody says otherwise. */
const fieldsMax = 512;
const partBytesMax = 64;
/** Longest string that Redis keeps in one piece with its head. */
const embeddedBytesMax = 44;

/** Whether Redis would keep a hash in one piece, which it gives out whole and never in pages. */
export function isSmallHash(fields: Fields): boolean {
  if (fields.size > fieldsMax) return false;
  for (const [field, value] of fields) if (field.length > partBytesMax || value.length > partBytesMax) return false;
  return true;
}

/** Redis' name for how it would keep a value. */
export function encodingOf(content: Content): string {
  if (typeof content !== "string") return isSmallHash(content) ? "listpack" : "hashtable";
  if (integerOf(content) !== null) return "int";
  return content.length <= embeddedBytesMax ? "embstr" : "raw";
}

/** Integers below this are one object in Redis, for every key that holds one. */
const sharedMax = 10_000;
const sharedCount = 2 ** 31 - 1;

/** How many references Redis would count: very many for a small integer, else one. */
export function referencesOf(content: Content): number {
  const value = typeof content === "string" ? integerOf(content) : null;
  return value !== null && value >= 0 && value < sharedMax ? sharedCount : 1;
}

function integerOf(content: Bytes): number | bigint | null {
  return content.length <= 20 ? parseInteger(content) : null;
}
