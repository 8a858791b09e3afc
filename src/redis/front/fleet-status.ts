/** How a fleet goes, as one of its processes shows it, and what of that is news. Pure but for those who are told. */
import type { WriteBehindError } from "../../errors.js";
import type { Emitter } from "../../events.js";
import type { FleetStatus, Status } from "../../heart.js";
import type { Backlog } from "../../log/outages.js";
import type { Durability } from "../../queue/queue.js";
import type { FleetSeen, PartitionState } from "../keeper.js";
import type { WorkerReport } from "../worker/report.js";

/** What status is made of. */
export interface FleetStatusParts {
  readonly place: string;
  readonly fleetId: string;
  /** What this Redis keeps, in a sentence. */
  readonly keeps: string;
  readonly durability: Durability;
  readonly cacheBytesMax: number;
  /** What may be pending in all. */
  readonly queueMax: QueueMax;
  readonly now: number;
  readonly states: readonly PartitionState[];
  readonly seen: FleetSeen;
  readonly storeKind: string;
  /** What its workers have done. */
  readonly totals: WorkerReport["totals"];
  readonly hits: number;
  readonly misses: number;
  readonly closing: boolean;
  /** Why the keeper cannot be asked; null where it was. */
  readonly down: string | null;
}

/** What may be pending in all partitions together. */
export type QueueMax = Pick<Status["queue"], "bytesMax" | "recordsMax">;

/** What is pending, and what may be. */
export function backlogOf(states: readonly PartitionState[], now: number, max: QueueMax): Backlog {
  const sum = (pick: (state: PartitionState) => number): number => states.reduce((all, state) => all + pick(state), 0);
  const oldest = states.map(({ oldestAt }) => oldestAt).filter((at) => at !== null);
  return {
    pendingChanges: sum(pendingChanges),
    pendingRecords: sum((state) => state.pendingRecords),
    pendingBytes: sum((state) => state.pendingBytes),
    ...max,
    oldestAgeMs: oldest.length === 0 ? 0 : Math.max(0, now - Math.min(...oldest)),
  };
}

/** The status. */
export function describeFleet(parts: FleetStatusParts): Status {
  const { states, seen, now, hits, misses, cacheBytesMax } = parts;
  const sum = (pick: (state: PartitionState) => number): number => states.reduce((all, state) => all + pick(state), 0);
  const reports = seen.workers.map(({ report }) => reportOf(report)).filter((report) => report !== null);
  const letters = sum((state) => state.letters);
  return {
    ...stateOf(parts, reports),
    cache: { records: 0, bytes: 0, bytesMax: cacheBytesMax, hits, misses, evictions: 0 },
    queue: {
      ...backlogOf(states, now, parts.queueMax),
      durability: parts.durability,
      accepted: `${parts.fleetId}:${sum(({ head }) => head.sequence)}`,
      durable: `${parts.fleetId}:${sum(({ head }) => head.sequence)}`,
      stored: `${parts.fleetId}:${sum(({ stored }) => stored.sequence)}`,
      exactUpTo: isExact(states) ? null : `${parts.fleetId}:${sum(exactUpTo)}`,
    },
    writer: { ...parts.totals, lastCommitMs: lastCommitOf(reports) },
    store: storeOf(parts.storeKind, reports),
    fleet: fleetOf(parts),
    deadLetters: {
      count: letters,
      bytes: 0,
      waitingBehind: sum(({ waitingBehind }) => waitingBehind),
      behindBytes: 0,
      bytesMax: cacheBytesMax,
    },
  };
}

/** What a worker has said of itself; null where that is of another version. */
export function reportOf(text: string): WorkerReport | null {
  try {
    return JSON.parse(text) as WorkerReport;
  } catch {
    return null;
  }
}

function pendingChanges({ head, stored }: PartitionState): number {
  return Math.max(0, head.sequence - stored.sequence);
}

/** Whether the database equals the cache at one past moment (with a fleet: per partition). */
function isExact(states: readonly PartitionState[]): boolean {
  return states.every(({ letters, base }) => letters === 0 && base === null);
}

/** A base is stored by record: then the database is at no past moment between its ends. */
function exactUpTo({ stored, base }: PartitionState): number {
  return base?.from.sequence ?? stored.sequence;
}

function stateOf(parts: FleetStatusParts, reports: readonly WorkerReport[]): Pick<Status, "state" | "reason"> {
  const { states, seen, closing, down } = parts;
  if (down !== null) return { state: "broken", reason: down };
  const broken = states.find((state) => state.broken !== null);
  if (broken !== undefined) return { state: "broken", reason: `partition ${broken.partition}: ${broken.broken}` };
  const ill = reports.find(({ store }) => store.state === "broken");
  if (ill !== undefined) return { state: "broken", reason: ill.store.error?.message ?? "unknown" };
  if (closing) return { state: "draining", reason: "stopping: what is pending is being written" };
  if (seen.workers.length === 0) return { state: "stalled", reason: "no worker lives: nothing reaches the database" };
  if (seen.paused) return { state: "paused", reason: "paused by an operator; `resume` goes on" };
  return { state: "running", reason: null };
}

function lastCommitOf(reports: readonly WorkerReport[]): number | null {
  const all = reports.flatMap(({ partitions }) => partitions.map((partition) => partition.lastCommitMs));
  return all.findLast((ms) => ms !== null) ?? null;
}

/** The worst of what the workers see of it. */
function storeOf(kind: string, reports: readonly WorkerReport[]): Status["store"] {
  const order = ["broken", "down", "up"] as const;
  for (const state of order) {
    const found = reports.find(({ store }) => store.state === state);
    if (found === undefined) continue;
    const { store } = found;
    return { ...store, kind: store.kind === "unknown" ? kind : store.kind, error: store.error?.message ?? null };
  }
  return { kind, state: "down", since: 0, error: "no worker has said how the database is", nextTryAt: null };
}

function fleetOf({ place, keeps, states, seen, now, down }: FleetStatusParts): FleetStatus {
  return {
    place,
    failure: down,
    keeps,
    partitions: states.map((state) => ({
      partition: state.partition,
      owner: seen.owners[state.partition] ?? null,
      pendingChanges: pendingChanges(state),
      pendingRecords: state.pendingRecords,
      pendingBytes: state.pendingBytes,
      oldestAgeMs: state.oldestAt === null ? 0 : Math.max(0, now - state.oldestAt),
      deadLetters: state.letters,
      broken: state.broken,
    })),
    workers: seen.workers.map(({ id, seenAt, report }) => ({
      id,
      seenAt,
      seenAgoMs: Math.max(0, now - seenAt),
      report: reportOf(report),
    })),
  };
}

/** Tells what an operator must hear of. `looked`: whether it was seen before how things are, else nothing is news. */
export function tellChanges(
  events: Emitter,
  before: Status,
  now: Status,
  { looked, accepted, at }: { readonly looked: boolean; readonly accepted: number; readonly at: number },
): void {
  // Before a worker has said how the database is, and after the last has left, nobody knows.
  if (now.store.state !== before.store.state && before.store.since > 0 && now.store.since > 0) {
    const error: WriteBehindError["code"] = "STORE_DOWN";
    if (now.store.state === "up") events.emit("storeUp", { downMs: Math.max(0, at - before.store.since) });
    else events.emit("storeDown", { error: { code: error, message: now.store.error ?? "unknown", hint: null } });
  }
  if (now.state !== before.state && now.state === "broken") events.emit("stalled", { reason: now.reason ?? "" });
  // What was said of the database ends with `storeUp`.
  if (before.state === "broken" && now.state !== "broken" && before.store.state !== "broken" && looked)
    events.emit("warning", { text: `it goes on; it stood still because: ${before.reason ?? ""}` });
  if (before.queue.pendingChanges > 0 && now.queue.pendingChanges === 0) events.emit("drained", { sequence: accepted });
}
