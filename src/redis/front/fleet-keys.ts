/**
 * Walks over all keys of a fleet: what is pending or parked in the keeper, partition by partition, beside what the
 * database has. What is clean in the keeper is in the database.
 */
import type { Bytes } from "../../bytes.js";
import { KeyWalk, type Presence, type TakenKeys } from "../../heart/key-walk.js";
import { existing, type OwnKeysParts } from "../../heart/own-keys.js";
import type { Host } from "../../host/host.js";
import type { EngineOptions } from "../../options.js";
import type { Plan } from "../../routes/plan.js";
import { rest } from "../../rest.js";
import { storeErrorKind, type Page, type ReachedMark, type StoreReader } from "../../store/store.js";
import type { Fleet, Keeper, Known, PartitionSeen } from "../keeper.js";
import { brokenPartition } from "../keeper-errors.js";
import { partitionOf } from "../partition.js";
import { inTime, movedRetryMs, storeDown } from "./cold.js";

/** So many records of the keeper are asked for at a time. */
const pageRecords = 1000;

/** What they are made with. */
export interface FleetKeysParts {
  readonly host: Pick<Host, "clock" | "random">;
  readonly keeper: Pick<Keeper, "read" | "unsettled">;
  readonly fleet: Fleet;
  readonly options: Pick<EngineOptions, "waitMs">;
  readonly reader: StoreReader;
  readonly addressing: { readonly plan: Plan | null };
  readonly view: OwnKeysParts["view"];
  /** Log time. */
  readonly now: () => number;
}

/** The walks of a process of a fleet. */
export function fleetKeys(parts: FleetKeysParts): KeyWalk {
  const { addressing, host, now, view } = parts;
  return new KeyWalk({
    take: () => take(parts),
    look: (records, of) => (of === "rows" ? records.map(() => "unknown") : look(parts, records)),
    // No fleet takes a FLUSHALL.
    clearPending: () => false,
    exist: (records) => existing(view, records),
    scan: (...asked) => scan(parts, ...asked),
    sample: () => null,
    plan: () => addressing.plan,
    random: host.random,
    now,
  });
}

async function take({ keeper, fleet: { partitions } }: FleetKeysParts): Promise<TakenKeys> {
  const held = new Set<Bytes>();
  const hidden = new Set<Bytes>();
  for (let partition = 0; partition < partitions; partition++) {
    for (let cursor: string | null = null; ;) {
      const { records, next }: Awaited<ReturnType<Keeper["unsettled"]>> = await keeper.unsettled(
        partition,
        cursor,
        pageRecords,
      );
      for (const [record, what] of records) (what === "removed" ? hidden : held).add(record);
      if (next === null) break;
      cursor = next;
    }
  }
  return { held, hidden };
}

async function look({ keeper, fleet }: FleetKeysParts, records: readonly Bytes[]): Promise<readonly Presence[]> {
  if (records.length === 0) return [];
  const asked = records.map((record) => ({ record, partition: partitionOf(record, fleet.partitions) }));
  const seen = await keeper.read(asked, null);
  refuseBroken(seen.partitions);
  return seen.records.map(presenceOf);
}

function presenceOf(known: Known): Presence {
  if (known.state === "value") return "present";
  if (known.state === "absent") return "absent";
  // A key of a foreign type lies there: no command can tell what the record is.
  if (known.state === "foreign") return "unknown";
  return known.lost || known.overlay !== null || known.parked !== null ? "unsure" : "unknown";
}

/** A page tells nothing of where the database is: one that went back would show keys of a past that is over. */
async function scan(
  { keeper, fleet, reader, host: { clock }, options: { waitMs } }: FleetKeysParts,
  ...asked: readonly [after: Bytes | null, limit: number, nowMs: number, table: string | null]
): Promise<Page> {
  const giveUpAt = clock.monotonic() + waitMs;
  for (;;) {
    try {
      const page = await inTime(clock, reader.scan(...asked));
      await inTime(clock, reader.read([], await marksOf(keeper, fleet.partitions)));
      return page;
    } catch (error) {
      if (storeErrorKind(error) !== "moved" || clock.monotonic() >= giveUpAt) throw storeDown(error);
      await rest(clock, movedRetryMs);
    }
  }
}

async function marksOf(keeper: FleetKeysParts["keeper"], partitions: number): Promise<readonly ReachedMark[]> {
  const all = Array.from({ length: partitions }, (_, partition) => ({ record: "" as Bytes, partition }));
  const seen = await keeper.read(all, null);
  refuseBroken(seen.partitions);
  return seen.partitions.flatMap(({ reached, partition }) => (reached === null ? [] : [{ ...reached, partition }]));
}

function refuseBroken(partitions: readonly PartitionSeen[]): void {
  const broken = partitions.find((partition) => partition.broken !== null)?.broken ?? null;
  if (broken !== null) throw brokenPartition(broken);
}
