/** What the scripts answer, as values. Pure. */
import type { Bytes } from "../bytes.js";
import type { Fields } from "../change.js";
import type { Known, Overlay, PartitionSeen, PartitionState } from "./keeper.js";
import type { RedisReply } from "./redis-link.js";

/** The one field of a hash that has none: Redis has no empty hash. */
export const noFieldsMark = "write-behind:no fields";

/** A list of bytes, where the script answers one. */
export function list(reply: RedisReply | undefined): readonly RedisReply[] {
  return typeof reply === "object" && reply !== null ? reply : [];
}

/** Bytes, where the script answers some. */
export function bytes(reply: RedisReply | undefined): Bytes {
  return (typeof reply === "number" ? String(reply) : (reply ?? "")) as Bytes;
}

/** A number, whether it came as one or as digits. */
export function number(reply: RedisReply | undefined): number {
  return Number(reply ?? 0);
}

/** A record, as the script `read` answers it. */
export function knownOf(reply: RedisReply | undefined): Known {
  if (typeof reply === "string") return { state: "value", value: { content: reply, expiresAt: null } };
  const parts = list(reply);
  switch (parts[0]) {
    case "s":
      return { state: "value", value: { content: bytes(parts[1]), expiresAt: number(parts[2]) } };
    case "h":
      return { state: "value", value: { content: fieldsOf(list(parts[2])), expiresAt: expiryOf(parts[1]) } };
    case "a":
      return { state: "absent" };
    case "x":
      return { state: "foreign" };
    default: {
      const parked = bytes(parts[1]);
      return {
        state: "unknown",
        parked: parked === "" ? null : parked,
        overlay: overlayOf(list(parts[2])),
        lost: parts[0] === "l",
      };
    }
  }
}

function fieldsOf(flat: readonly RedisReply[]): Fields {
  const fields = new Map<Bytes, Bytes>();
  for (let at = 0; at < flat.length; at += 2) {
    const field = bytes(flat[at]);
    if (field !== noFieldsMark) fields.set(field, bytes(flat[at + 1]));
  }
  return fields;
}

function overlayOf(flat: readonly RedisReply[]): Overlay | null {
  if (flat.length === 0) return null;
  const set = new Map<Bytes, Bytes>();
  const unset = new Set<Bytes>();
  let expiresAt: number | null | undefined;
  for (let at = 0; at < flat.length; at += 2) {
    const name = bytes(flat[at]);
    const field = name.slice(1) as Bytes;
    if (name.startsWith("=")) set.set(field, bytes(flat[at + 1]));
    else if (name.startsWith("-")) unset.add(field);
    else if (name === "!") expiresAt = expiryOf(flat[at + 1]);
  }
  return { set, unset, expiresAt };
}

function expiryOf(reply: RedisReply | undefined): number | null {
  const text = bytes(reply);
  return text === "" ? null : Number(text);
}

/** A partition, as the script `read` answers it; null where it is not there. */
export function seenOf(reply: RedisReply | undefined, partition: number, logId: string): PartitionSeen | null {
  const [sequence, thrown, reached, tag, generation, broken] = list(reply);
  if (sequence === "gone") return null;
  const position = { logId, sequence: number(reached), tag: number(tag) };
  return {
    partition,
    sequence: number(sequence),
    thrown: number(thrown),
    reached: bytes(reached) === "" ? null : { position, generation: number(generation) },
    broken: bytes(broken) === "" ? null : bytes(broken),
  };
}

/** A partition, as the script `states` answers it; null where it is not there. */
export function stateOf(reply: RedisReply | undefined, partition: number, nowMs: number): PartitionState | null {
  const parts = list(reply);
  if (parts[0] === "gone") return null;
  const logId = bytes(parts[0]);
  const [head, stored] = [number(parts[1]), number(parts[3])];
  const [, owner, until] = /^(.*) \d+ (\d+)$/.exec(bytes(parts[12])) ?? [];
  const oldest = bytes(parts[7]);
  return {
    partition,
    head: { logId, sequence: head, tag: number(parts[2]) },
    stored: { logId, sequence: stored, tag: number(parts[4]) },
    storedAt: head === stored ? nowMs : number(parts[5]),
    pendingRecords: number(parts[11]),
    pendingBytes: number(parts[6]),
    oldestAt: oldest === "" ? null : Number(oldest),
    broken: bytes(parts[8]) === "" ? null : bytes(parts[8]),
    owner: owner !== undefined && Number(until) > nowMs ? owner : null,
    letters: number(parts[9]),
    waitingBehind: number(parts[10]),
  };
}
