/**
 * Merges go into what an entry holds without copying it: a merge costs what it changes, however large the record is.
 * Only maps that were made here are ever changed, which `entry.owned` says; what came from a change, a row or anybody
 * else is copied once, at the first merge. Each function gives what the entry costs afterwards, kept up by differences.
 */
import type { Bytes } from "../bytes.js";
import { compose, type Merge } from "../change.js";
import { fieldBytes } from "../content-cost.js";
import { costOf, type Entry } from "./entry.js";

/** Merges into the content of an entry, or into its known absence. */
export function mergeIntoContent(entry: Entry, merge: Merge): number {
  if (merge.fields === null && entry.content !== null) {
    if (merge.expiresAt !== undefined) entry.expiresAt = merge.expiresAt;
    return entry.bytes;
  }
  let bytes = entry.bytes;
  if (!entry.owned || typeof entry.content === "string") {
    const { content, expiresAt } = entry;
    // As `apply` does: a merge makes a hash of whatever was there.
    entry.value = { content: new Map(typeof content === "string" ? [] : content), expiresAt };
    entry.owned = true;
    bytes = costOf(entry);
  }
  if (merge.expiresAt !== undefined) entry.expiresAt = merge.expiresAt;
  const fields = entry.content as Map<Bytes, Bytes>;
  for (const field of merge.fields?.unset ?? []) {
    const old = fields.get(field);
    if (old === undefined) continue;
    fields.delete(field);
    bytes -= fieldBytes + field.length + old.length;
  }
  for (const [field, value] of merge.fields?.set ?? []) {
    const old = fields.get(field);
    fields.set(field, value);
    bytes += old === undefined ? fieldBytes + field.length + value.length : value.length - old.length;
  }
  return bytes;
}

/** Merges into the overlay of an entry whose base is not known. */
export function mergeIntoOverlay(entry: Entry, merge: Merge): number {
  const { overlay } = entry;
  if (overlay === null || overlay.fields === null || merge.fields === null) {
    const handsOn = overlay !== null && overlay.fields !== null;
    entry.overlay = overlay === null ? merge : (compose(overlay, merge) as Merge);
    if (handsOn) return entry.bytes;
    entry.owned = false;
    return costOf(entry);
  }
  const { set: olderSet, unset: olderUnset } = overlay.fields;
  const set = entry.owned ? (olderSet as Map<Bytes, Bytes>) : new Map(olderSet);
  const unset = entry.owned ? (olderUnset as Set<Bytes>) : new Set(olderUnset);
  entry.owned = true;
  const { expiresAt } = compose(overlay, { ...merge, fields: null }) as Merge;
  entry.overlay = { kind: "merge", fields: { set, unset }, expiresAt };
  let bytes = entry.bytes;
  for (const field of merge.fields.unset) {
    const old = set.get(field);
    if (set.delete(field)) bytes -= fieldBytes + field.length + (old as Bytes).length;
    if (!unset.has(field)) bytes += fieldBytes + field.length;
    unset.add(field);
  }
  for (const [field, value] of merge.fields.set) {
    const old = set.get(field);
    if (unset.delete(field)) bytes -= fieldBytes + field.length;
    bytes += old === undefined ? fieldBytes + field.length + value.length : value.length - old.length;
    set.set(field, value);
  }
  return bytes;
}
