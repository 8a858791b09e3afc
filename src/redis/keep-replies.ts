/** What the scripts answer, as values. Pure. */
import type { Bytes } from "../bytes.js";
import type { Fields } from "../change.js";
import type {
  BaseSeen,
  FleetSeen,
  Known,
  Outcome,
  Overlay,
  PartitionSeen,
  PartitionState,
  UnsettledPage,
  WorkerSeen,
} from "./keeper.js";
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
  const [sequence, thrown, reached, generation, broken] = list(reply);
  if (sequence === "gone") return null;
  return {
    partition,
    sequence: number(sequence),
    thrown: number(thrown),
    reached: number(reached) === 0 ? null : { logId, sequence: number(reached), generation: number(generation) },
    broken: bytes(broken) === "" ? null : bytes(broken),
  };
}

/** A partition, as the script `states` answers it; null where it is not there. */
export function stateOf(reply: RedisReply | undefined, partition: number, nowMs: number): PartitionState | null {
  const parts = list(reply);
  if (parts[0] === "gone") return null;
  const logId = bytes(parts[0]);
  const head = number(parts[1]);
  const stored = { logId, sequence: number(parts[3]), tag: number(parts[4]) };
  const [, owner, until] = /^(.*) \d+ (\d+) \d+$/.exec(bytes(parts[14])) ?? [];
  const oldest = bytes(parts[7]);
  const [aim, aimTag] = cutAtSpace(bytes(parts[15]));
  return {
    partition,
    head: { logId, sequence: head, tag: number(parts[2]) },
    stored,
    reached: number(parts[12]),
    aimed: Number(aim) > stored.sequence ? { logId, sequence: Number(aim), tag: Number(aimTag) } : stored,
    base: baseOf(parts[16], logId),
    storedAt: head === stored.sequence ? nowMs : number(parts[5]),
    pendingRecords: number(parts[13]),
    pendingBytes: number(parts[6]),
    oldestAt: oldest === "" ? null : Number(oldest),
    broken: bytes(parts[8]) === "" ? null : bytes(parts[8]),
    owner: owner !== undefined && Number(until) > nowMs ? owner : null,
    letters: number(parts[9]),
    waitingBehind: number(parts[10]),
    heard: bytes(parts[11]) === "" ? null : bytes(parts[11]),
  };
}

/** The fleet, as the script `beat` answers it. */
export function fleetSeenOf([, now, paused, owners, workers]: readonly RedisReply[]): FleetSeen {
  const flat = list(workers);
  const seen: WorkerSeen[] = [];
  for (let at = 0; at < flat.length; at += 3) {
    seen.push({ id: bytes(flat[at]), seenAt: number(flat[at + 1]), report: bytes(flat[at + 2]) });
  }
  return {
    now: number(now),
    paused: bytes(paused) === "1",
    workers: seen,
    owners: list(owners).map((owner) => (bytes(owner) === "" ? null : bytes(owner))),
  };
}

/** A base, as scripts answer it; null where there is none. */
export function baseOf(reply: RedisReply | undefined, logId: string): BaseSeen | null {
  const parts = list(reply);
  if (parts.length === 0) return null;
  return {
    from: { logId, sequence: number(parts[0]), tag: number(parts[1]) },
    to: { logId, sequence: number(parts[2]), tag: number(parts[3]) },
    at: number(parts[4]),
    bytes: number(parts[5]),
    records: number(parts[6]),
  };
}

/** Records that are pending or parked, as the script `unsettled` answers them. */
export function unsettledOf([, next, found]: readonly RedisReply[]): UnsettledPage {
  const marks = [...pairsOf(found)];
  const records = new Map(marks.map(([record, mark]) => [record, mark === "a" ? "removed" : "other"] as const));
  return { records, next: bytes(next) === "" ? null : bytes(next) };
}

/** Names and values in turn. */
export function pairsOf(reply: RedisReply | undefined): Map<Bytes, Bytes> {
  const pairs = new Map<Bytes, Bytes>();
  const flat = list(reply);
  for (let at = 0; at < flat.length; at += 2) pairs.set(bytes(flat[at]), bytes(flat[at + 1]));
  return pairs;
}

/** What stands before the first space, and what behind it. */
export function cutAtSpace(text: string): [string, string] {
  const space = text.indexOf(" ");
  return [text.slice(0, Math.max(0, space)), text.slice(space + 1)];
}

const full = ["bytes", "records", "age"] as const;

/** What became of a frame, as the script `write` answers it. */
export function outcomeOf(reply: RedisReply): Outcome {
  const sequence = number(reply);
  if (sequence > 0) return { became: "kept", sequence };
  return sequence === 0 ? { became: "conflict" } : { became: "full", what: full[-1 - sequence] ?? "bytes" };
}
