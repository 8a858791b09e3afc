/**
 * The metrics: all there are, what each means, and where it is read. `GET /metrics`, OpenTelemetry and
 * docs/reference/metrics.md are made from this table. Reading asks nobody: it takes numbers that are there.
 */
import { retryClasses } from "../counters.js";
import type { FleetStatus, Status } from "../heart.js";
import type { HistogramMetric, Metric, MetricSources, NumberMetric, Sample } from "./metric.js";

type Read = NumberMetric["read"];
type Where = Pick<Metric, "inFleet" | "embedded">;

const shared: Where = { inFleet: "fleet", embedded: true };
const own: Where = { inFleet: "process", embedded: true };
const embeddedOnly: Where = { inFleet: null, embedded: true };
const fleetOnly: Where = { inFleet: "fleet", embedded: false };

const states: readonly Status["state"][] = ["running", "paused", "draining", "stalled", "broken"];
const storeStates: readonly Status["store"]["state"][] = ["up", "down", "broken"];

/** The table, in the order in which it is shown. */
export const metrics: readonly Metric[] = [
  // What it is, and how it goes.
  gauge("write_behind_info", own, "1; the labels say what runs", infoOf, ["version", "store", "durability"]),
  gauge(
    "write_behind_state",
    shared,
    "1 for the state that it is in, as in status, 0 for the others",
    ({ status }) => oneOf("state", states, status.state),
    ["state"],
  ),
  gauge(
    "write_behind_store_state",
    shared,
    "1 for the state that the database is in, as in status, 0 for the others",
    ({ status }) => oneOf("state", storeStates, status.store.state),
    ["state"],
  ),

  // The door.
  counter(
    "write_behind_accepted_writes_total",
    own,
    "commands, calls and transactions whose changes were queued",
    ({ counters }) => counters.accepted,
  ),
  counter(
    "write_behind_accepted_changes_total",
    own,
    "changes in them: one for each record of each",
    ({ counters }) => counters.acceptedChanges,
  ),
  counter(
    "write_behind_rejected_writes_total",
    own,
    "writes that were refused with an error of errors.md, and changed nothing; of the Redis protocol reads, too",
    ({ counters }) => [...counters.rejected].map(([code, value]) => ({ labels: { code }, value })),
    ["code"],
  ),

  // The cache.
  counter(
    "write_behind_cache_hits_total",
    own,
    "reads that memory (or the Redis) answered",
    ({ status }) => status.cache.hits,
  ),
  counter(
    "write_behind_cache_misses_total",
    own,
    "reads for which the database was asked",
    ({ status }) => status.cache.misses,
  ),
  counter(
    "write_behind_cache_evictions_total",
    embeddedOnly,
    "records that were dropped from memory to make room",
    embedded(({ status }) => status.cache.evictions),
  ),
  gauge(
    "write_behind_cache_records",
    embeddedOnly,
    "records in memory",
    embedded(({ status }) => status.cache.records),
  ),
  gauge(
    "write_behind_cache_bytes",
    embeddedOnly,
    "memory that the cache takes, estimated",
    embedded(({ status }) => status.cache.bytes),
  ),
  gauge("write_behind_cache_max_bytes", own, "what it may take (`cacheBytes`)", ({ status }) => status.cache.bytesMax),

  // The queue.
  gauge(
    "write_behind_pending_changes",
    shared,
    "changes that are not in the database yet",
    ({ status }) => status.queue.pendingChanges,
  ),
  gauge(
    "write_behind_pending_records",
    shared,
    "distinct records that they change",
    ({ status }) => status.queue.pendingRecords,
  ),
  gauge("write_behind_pending_bytes", shared, "bytes of log that they take", ({ status }) => status.queue.pendingBytes),
  gauge(
    "write_behind_oldest_pending_age_seconds",
    shared,
    "the lag: age of the oldest of them",
    ({ status }) => status.queue.oldestAgeMs / 1000,
  ),
  gauge(
    "write_behind_queue_max_bytes",
    embeddedOnly,
    "at so many pending bytes writers wait or are refused (`queueBytes`)",
    ({ counters }) => counters.queue()?.bytesMax ?? null,
  ),
  gauge(
    "write_behind_journal_bytes",
    embeddedOnly,
    "bytes on disk of all files of the journal, spare ones included",
    ({ counters }) => counters.queue()?.journalBytes ?? null,
  ),
  gauge(
    "write_behind_disk_full",
    embeddedOnly,
    "1 while the disk has no room for another file of the journal beside `diskReserve`",
    ({ counters }) => flag(counters.queue()?.diskFull),
  ),
  histogram(
    "write_behind_sync_seconds",
    embeddedOnly,
    "how long a group of frames took to be on disk: with `disk` the write itself, else the writer's sync before a run",
    ({ counters }) => (counters.queue() === null ? null : counters.syncSeconds),
  ),

  // The writer.
  counter("write_behind_runs_total", shared, "runs that were committed", ({ status }) => status.writer.batches),
  counter("write_behind_rows_total", shared, "rows that they have written", ({ status }) => status.writer.rows),
  counter(
    "write_behind_coalesced_changes_total",
    shared,
    "changes that needed no row of their own",
    ({ status }) => status.writer.coalesced,
  ),
  histogram(
    "write_behind_commit_seconds",
    shared,
    "how long a commit took",
    ({ counters }) => counters.writer.commitSeconds,
  ),
  counter(
    "write_behind_retries_total",
    shared,
    "tries of the writer that have failed and are made again: `retryable` (the database is away or busy), `moved` (the " +
      "position was not the expected one), `refused`, `broken` (the database is to be mended), `queue` (what waits " +
      "cannot be read), `other`",
    ({ counters }) => retryClasses.map((name) => ({ labels: { class: name }, value: counters.writer.retries[name] })),
    ["class"],
  ),

  // Dead letters.
  gauge(
    "write_behind_dead_letters",
    shared,
    "frames that the database has refused, and that wait for a person",
    ({ status }) => status.deadLetters.count,
  ),
  gauge(
    "write_behind_waiting_behind_changes",
    shared,
    "later changes of their records, which wait behind them",
    ({ status }) => status.deadLetters.waitingBehind,
  ),
  gauge(
    "write_behind_parked_bytes",
    embeddedOnly,
    "memory that dead letters (`letters`) and what waits behind them (`behind`) take, estimated",
    embedded(({ status: { deadLetters } }) => [
      { labels: { part: "letters" }, value: deadLetters.bytes },
      { labels: { part: "behind" }, value: deadLetters.behindBytes },
    ]),
    ["part"],
  ),

  // The fleet.
  gauge(
    "write_behind_workers",
    fleetOnly,
    "workers that live",
    fleet(({ workers }) => workers.length),
  ),
  gauge(
    "write_behind_partition_pending_changes",
    fleetOnly,
    "pending changes of one partition",
    partitions(({ pendingChanges }) => pendingChanges),
    ["partition"],
  ),
  gauge(
    "write_behind_partition_oldest_pending_age_seconds",
    fleetOnly,
    "the lag of one partition",
    partitions(({ oldestAgeMs }) => oldestAgeMs / 1000),
    ["partition"],
  ),
  gauge(
    "write_behind_partition_owned",
    fleetOnly,
    "1 while a worker writes the partition",
    partitions(({ owner }) => Number(owner !== null)),
    ["partition"],
  ),
  gauge(
    "write_behind_partition_broken",
    fleetOnly,
    "1 while the partition stands still until a person acts",
    partitions(({ broken }) => Number(broken !== null)),
    ["partition"],
  ),

  // The Redis protocol.
  gauge("write_behind_open_connections", own, "clients now", ({ server }) => server?.clients ?? null),
  gauge(
    "write_behind_max_connections",
    own,
    "so many may be (`maxClients`)",
    ({ server }) => server?.clientsMax ?? null,
  ),
  counter("write_behind_connections_total", own, "clients so far", ({ server }) => server?.connections ?? null),
  counter(
    "write_behind_rejected_connections_total",
    own,
    "clients that were turned away",
    ({ server }) => server?.rejected ?? null,
  ),
  counter(
    "write_behind_commands_total",
    own,
    "commands, by name; `unknown` for what is none",
    ({ server }) =>
      server === null
        ? null
        : [...server.byCommand].map(([command, { calls }]) => ({
            labels: { command: command?.name ?? "unknown" },
            value: calls,
          })),
    ["command"],
  ),
  counter("write_behind_error_replies_total", own, "replies that were errors", ({ server }) => server?.errors ?? null),
  counter("write_behind_received_bytes_total", own, "bytes from clients", ({ server }) => server?.bytesIn ?? null),
  counter("write_behind_sent_bytes_total", own, "bytes to clients", ({ server }) => server?.bytesOut ?? null),

  // The process.
  histogram(
    "write_behind_event_loop_lag_seconds",
    own,
    "how late a timer was, 20 times a second: so long every client waited",
    ({ eventLoopLag }) => eventLoopLag,
  ),
];

function counter(name: string, where: Where, doc: string, read: Read, labels: readonly string[] = []): NumberMetric {
  return { name, type: "counter", labels, ...where, doc, read };
}

function gauge(name: string, where: Where, doc: string, read: Read, labels: readonly string[] = []): NumberMetric {
  return { name, type: "gauge", labels, ...where, doc, read };
}

function histogram(name: string, where: Where, doc: string, read: HistogramMetric["read"]): HistogramMetric {
  return { name, type: "histogram", labels: [], ...where, doc, read };
}

function infoOf({ status, version }: MetricSources): readonly Sample[] {
  return [{ labels: { version, store: status.store.kind, durability: status.queue.durability }, value: 1 }];
}

function oneOf(label: string, all: readonly string[], now: string): readonly Sample[] {
  return all.map((each) => ({ labels: { [label]: each }, value: Number(each === now) }));
}

function flag(isSo: boolean | undefined): number | null {
  return isSo === undefined ? null : Number(isSo);
}

function embedded(read: Read): Read {
  return (sources) => (sources.status.fleet === undefined ? read(sources) : null);
}

function fleet(read: (fleet: FleetStatus) => number | readonly Sample[]): Read {
  return ({ status }) => (status.fleet === undefined ? null : read(status.fleet));
}

function partitions(read: (partition: FleetStatus["partitions"][number]) => number): Read {
  return fleet((of) =>
    of.partitions.map((each) => ({ labels: { partition: String(each.partition) }, value: read(each) })),
  );
}
