/** Frames and fills as arguments of the scripts. Pure. */
import type { Bytes } from "../bytes.js";
import type { Change, Fields, RecordChange } from "../change.js";
import { isPlain, packFrame, packPlain } from "./entry.js";
import type { Fill, FrameToWrite, ParkedChange } from "./keeper.js";
import type { RedisArgument } from "./redis-link.js";

/** Whether frames can go by the fast script: each replaces one record by a string, and was made from nothing. */
export function arePlain(frames: readonly FrameToWrite[]): boolean {
  return frames.every(({ changes, from, at }) => {
    const [first] = changes;
    if (first === undefined || changes.length !== 1 || from.size > 0 || at !== undefined || !isPlain(first.change))
      return false;
    return first.change.kind === "replace" && !first.change.afterRemove;
  });
}

/** Arguments of the fast script, from `bytes` on. */
export function plainArguments(frames: readonly FrameToWrite[], nonce: Bytes): RedisArgument[] {
  const pairs: Bytes[] = [];
  let bytes = 0;
  for (const { changes } of frames) {
    const { record, change } = changes[0] as RecordChange;
    const content = (change as { readonly content: Bytes }).content;
    pairs.push(record, content);
    bytes += 4 + record.length + content.length;
  }
  const { head, lastTag } = packPlain(pairs, nonce);
  return [bytes, lastTag, head, ...pairs];
}

/** Arguments of the script for any frames, from the log time on. */
export function frameArguments(frames: readonly FrameToWrite[], nextNonce: () => Bytes): RedisArgument[] {
  const args: RedisArgument[] = [Math.max(...frames.map(({ at = 0 }) => at)), frames.length];
  for (const { changes, from } of frames) {
    const { name, head, pairs, tag, bytes } = packFrame(changes, nextNonce());
    args.push(name, head, bytes, tag, from.size);
    for (const [record, { sequence, thrown }] of from) args.push(record, sequence, thrown);
    args.push(changes.length);
    for (const [index, { record, change }] of changes.entries())
      putChange(args, record, change, pairs[2 * index + 1] ?? null);
  }
  return args;
}

/** `payload` null: the frame's body has it. */
function putChange(args: RedisArgument[], record: Bytes, change: Change, payload: Bytes | null): void {
  const inLog = payload ?? "";
  if (change.kind === "remove") args.push("R", record, inLog);
  else if (change.kind === "replace") putReplace(args, record, change.content, change.expiresAt, inLog, payload);
  else {
    const expiry = change.expiresAt === undefined ? "=" : (change.expiresAt ?? "");
    if (change.fields === null) args.push("E", record, inLog, expiry);
    else {
      args.push("M", record, inLog, expiry);
      putFields(args, change.fields.set);
      args.push(change.fields.unset.size, ...change.fields.unset);
    }
  }
}

function putReplace(
  args: RedisArgument[],
  record: Bytes,
  content: Bytes | Fields,
  expiresAt: number | null,
  inLog: string,
  payload: Bytes | null,
): void {
  if (typeof content !== "string") {
    args.push("H", record, inLog, expiresAt ?? "");
    putFields(args, content);
  } else if (expiresAt === null && payload !== null) args.push("S", record, payload);
  else args.push("X", record, inLog, content, expiresAt ?? "");
}

function putFields(args: RedisArgument[], fields: Fields): void {
  args.push(fields.size);
  for (const [field, value] of fields) args.push(field, value);
}

/** Arguments of one fill. */
export function fillArguments({ record, value, freshMs }: Fill): RedisArgument[] {
  const lives = Number.isFinite(freshMs) ? freshMs : Number.MAX_SAFE_INTEGER;
  if (value === null) return [record, "a", lives, ""];
  const { content, expiresAt } = value;
  if (typeof content === "string") return [record, "s", lives, expiresAt ?? "", content];
  const args: RedisArgument[] = [record, "h", lives, expiresAt ?? ""];
  putFields(args, content);
  return args;
}

/** Arguments of a change of what is parked, from the totals on. */
export function parkedArguments({ put, drop, frames, totals, throwAway, anew }: ParkedChange): RedisArgument[] {
  const args: RedisArgument[] = [totals.letters, totals.waitingBehind, anew ? 1 : 0, put.size];
  for (const [record, parked] of put) args.push(record, parked);
  args.push(drop.length);
  for (const record of drop) args.push(record);
  args.push(frames.size);
  for (const [sequence, letter] of frames) args.push(sequence, letter);
  args.push(throwAway.length);
  for (const record of throwAway) args.push(record);
  return args;
}

/** So many arguments one call carries at the most, unless a single frame has more. */
export const argumentsMax = 4000;

/** So many bytes one call carries at the most, unless a single frame has more. */
export const callBytesMax = 1024 * 1024;

/** About how many arguments a frame makes. */
export function weightOf({ changes, from }: FrameToWrite): number {
  let weight = 6 + 3 * from.size;
  for (const { change } of changes) {
    weight += 6;
    if (change.kind === "replace" && typeof change.content !== "string") weight += 2 * change.content.size;
    if (change.kind === "merge" && change.fields !== null)
      weight += 2 * change.fields.set.size + change.fields.unset.size;
  }
  return weight;
}

/** What WAIT or WAITAOF is asked. */
export function confirmArguments(wait: "waitaof" | "wait", timeoutMs: number): RedisArgument[] {
  return wait === "wait" ? [1, timeoutMs] : [1, 0, timeoutMs];
}
