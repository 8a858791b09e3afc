/**
 * What verbs do to the records of a partition in memory: the twin of src/redis/scripts/read.ts and of the changes in
 * write.ts. Each function is one step.
 */
import type { Bytes } from "../../src/bytes.js";
import { apply, type Change, type Merge } from "../../src/change.js";
import type { Fill, Known, Overlay } from "../../src/redis/keeper.js";
import { logTimeOf } from "./keeper-look.js";
import type { KeyEntry, MemoryKeeperState, PartitionData } from "./keeper-state.js";

/** Absences, and leases, that are remembered in one partition at the most. */
const rememberedMax = 100_000;

/** What is known of a record. Where it is not known, the lease is noted. */
export function readRecord(state: MemoryKeeperState, data: PartitionData, record: Bytes, lease: string | null): Known {
  const now = logTimeOf(data, state.now());
  const key = state.key(record);
  if (key !== null) return knownOfKey(key, now);
  const mark = data.pending.get(record);
  if (mark?.kind === "absent") return { state: "absent" };
  if (mark === undefined && (data.absent.get(record) ?? 0) > now) return { state: "absent" };
  if (lease !== null) {
    if (data.leases.size >= rememberedMax) data.leases.clear();
    data.leases.set(record, lease);
  }
  const overlay = mark?.kind === "overlay" ? (data.overlays.get(record) ?? null) : null;
  return {
    state: "unknown",
    parked: data.parked.get(record) ?? null,
    overlay,
    lost: mark !== undefined && overlay === null,
  };
}

function knownOfKey({ content, endsAt }: KeyEntry, now: number): Known {
  if (content === null) return { state: "foreign" };
  if (endsAt !== null && endsAt <= now) return { state: "absent" };
  return { state: "value", value: { content, expiresAt: endsAt } };
}

/** What a change does to what is known of its record. */
export function applyToRecord(
  state: MemoryKeeperState,
  data: PartitionData,
  record: Bytes,
  change: Change,
  sequence: number,
): void {
  data.absent.delete(record);
  data.leases.delete(record);
  if (change.kind === "merge") return merge(state, data, record, change, sequence);
  data.overlays.delete(record);
  if (change.kind === "remove") {
    state.putKey(record, null);
    data.pending.set(record, { sequence, kind: "absent" });
    return;
  }
  state.putKey(record, { content: change.content, endsAt: change.expiresAt, forgottenAt: null });
  data.pending.set(record, { sequence, kind: "value" });
}

function merge(state: MemoryKeeperState, data: PartitionData, record: Bytes, change: Merge, sequence: number): void {
  const key = state.key(record);
  const mark = data.pending.get(record);
  if (key === null && (mark === undefined || mark.kind === "overlay")) {
    data.overlays.set(record, composedOverlay(data.overlays.get(record) ?? null, change));
    data.pending.set(record, { sequence, kind: "overlay" });
    return;
  }
  data.pending.set(record, { sequence, kind: "value" });
  if (key !== null) state.putKey(record, mergedKey(key, change));
  else if (mark?.kind === "absent") state.putKey(record, mergedKey(null, change));
  // Else its value was lost, and only the log has it: whoever reads it is told so.
}

function mergedKey(key: KeyEntry | null, change: Merge): KeyEntry {
  if (key?.content === null && change.fields === null) {
    return { content: null, endsAt: change.expiresAt === undefined ? key.endsAt : change.expiresAt, forgottenAt: null };
  }
  const before = key === null ? null : { content: key.content ?? ("" as Bytes), expiresAt: key.endsAt };
  const after = apply(before, change);
  if (after === null) throw new Error("broken invariant: a merge makes a value");
  return { content: after.content, endsAt: after.expiresAt, forgottenAt: null };
}

function composedOverlay(older: Overlay | null, { fields, expiresAt }: Merge): Overlay {
  const set = new Map(older?.set);
  const unset = new Set(older?.unset);
  for (const field of fields?.unset ?? []) {
    set.delete(field);
    unset.add(field);
  }
  for (const [field, value] of fields?.set ?? []) {
    unset.delete(field);
    set.set(field, value);
  }
  return { set, unset, expiresAt: expiresAt === undefined ? older?.expiresAt : expiresAt };
}

/** Keeps what was loaded, where the lease holds. Says whether it was taken. */
export function fillRecord(state: MemoryKeeperState, data: PartitionData, lease: string, fill: Fill): boolean {
  const { record, value, freshMs } = fill;
  if (data.leases.get(record) !== lease) return false;
  data.leases.delete(record);
  const mark = data.pending.get(record);
  if (mark !== undefined && (mark.kind === "absent" || value === null)) return false;
  const now = state.now();
  if (value === null) {
    rememberAbsence(state, data, record, freshMs);
    return true;
  }
  data.absent.delete(record);
  const entry = { content: value.content, endsAt: value.expiresAt, forgottenAt: null };
  if (mark === undefined) keepClean(state, record, entry, now, freshMs);
  else {
    state.putKey(record, entry);
    data.pending.set(record, { sequence: mark.sequence, kind: "value" });
    data.overlays.delete(record);
  }
  return true;
}

/** A record is in the database: what is clean from now on may be forgotten. */
export function settleRecord(
  state: MemoryKeeperState,
  data: PartitionData,
  record: Bytes,
  upTo: number,
  freshMs: number,
  absentMs: number,
): void {
  const mark = data.pending.get(record);
  if (mark === undefined) return;
  if (mark.sequence > upTo) {
    if (freshMs <= 0) data.doubts.add(record);
    return;
  }
  data.pending.delete(record);
  if (mark.kind === "overlay") {
    data.overlays.delete(record);
    data.leases.delete(record);
  } else if (mark.kind === "absent") rememberAbsence(state, data, record, absentMs);
  else {
    const key = state.key(record);
    const lasts = data.doubts.delete(record) ? 0 : freshMs;
    if (key !== null) keepClean(state, record, key, state.now(), lasts);
  }
}

function rememberAbsence(state: MemoryKeeperState, data: PartitionData, record: Bytes, lastsMs: number): void {
  const now = state.now();
  if (data.absent.size >= rememberedMax) {
    for (const [each, until] of data.absent) if (until <= now) data.absent.delete(each);
  }
  if (lastsMs > 0 && data.absent.size < rememberedMax) data.absent.set(record, now + lastsMs);
}

function keepClean(state: MemoryKeeperState, record: Bytes, key: KeyEntry, now: number, freshMs: number): void {
  const lives = key.endsAt === null ? freshMs : Math.min(freshMs, key.endsAt - now);
  state.putKey(record, lives > 0 ? { ...key, forgottenAt: now + Math.ceil(lives) } : null);
}

/** What is known of a record is thrown away. Where it is pending, only the log has it from now on. */
export function throwAwayRecord(state: MemoryKeeperState, data: PartitionData, record: Bytes): void {
  data.leases.delete(record);
  data.absent.delete(record);
  state.putKey(record, null);
}

/** What is known of a record is forgotten, but for later changes. Somebody else's key stays. */
export function forgetRecord(state: MemoryKeeperState, data: PartitionData, record: Bytes, upTo: number): void {
  const mark = data.pending.get(record);
  if (mark !== undefined && mark.sequence > upTo) return;
  const key = state.key(record);
  data.doubts.delete(record);
  if (mark !== undefined) {
    data.pending.delete(record);
    data.overlays.delete(record);
    if (key !== null && key.content !== null) state.putKey(record, null);
  } else if (key !== null && key.forgottenAt !== null) state.putKey(record, null);
}
