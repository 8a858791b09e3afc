/** `write-behind status`: what the server is doing, what is pending, and how the database is. */
import type { FleetStatus, Status } from "../heart.js";
import type { WorkerReport } from "../redis/worker/report.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { columns, count, counted, duration, print, size } from "./output.js";

/** Runs the verb. */
export async function status(flags: Flags): Promise<void> {
  const answer = (await ask(flags, "GET", "/api/status")) as Status;
  print(answer, flags["json"] === true, () => statusText(answer));
}

/** The status for people. */
export function statusText({ state, reason, cache, queue, writer, store, fleet, deadLetters }: Status): string {
  const pending =
    queue.pendingChanges === 0
      ? `nothing pending: the database has everything${deadLetters.count === 0 ? "" : " but what it refuses"}`
      : `${counted(queue.pendingChanges, "change")} of ${counted(queue.pendingRecords, "record")} pending (${size(queue.pendingBytes)}), the oldest for ${duration(queue.oldestAgeMs)}`;
  const lines: [string, string][] = [
    ["state", reason === null ? state : `${state}: ${reason}`],
    ["cache", cacheText(cache, fleet)],
    ["queue", fleet === undefined ? `${pending}; durability ${queue.durability}` : pending],
    ...(fleet === undefined ? [] : fleetLines(fleet)),
    [
      "writer",
      `${count(writer.batches)} ${writer.batches === 1 ? "batch" : "batches"}, ${counted(writer.rows, "row")}, ${counted(writer.coalesced, "write")} saved${writer.lastCommitMs === null ? "" : `, last commit ${duration(writer.lastCommitMs)}`}${writer.retries === 0 ? "" : `, ${count(writer.retries)} retries`}`,
    ],
    ["database", `${store.kind}, ${store.state}${store.error === null ? "" : `: ${store.error}`}`],
  ];
  if (deadLetters.count > 0)
    lines.push([
      "refused",
      `${counted(deadLetters.count, "dead letter")}, ${counted(deadLetters.waitingBehind, "change")} waiting behind, ${size(deadLetters.bytes + deadLetters.behindBytes)} (npx write-behind dead list)`,
    ]);
  if (queue.exactUpTo !== null)
    lines.push([
      "exact",
      deadLetters.count > 0
        ? `up to ${queue.exactUpTo}; of what came later the database lacks what it refuses`
        : `up to ${queue.exactUpTo}; what came later is stored record by record, because the database was down`,
    ]);
  return columns(lines);
}

function cacheText(
  { records, bytes, bytesMax, hits, misses }: Status["cache"],
  fleet: FleetStatus | undefined,
): string {
  const asked = hits + misses;
  const share = asked === 0 ? "" : `, ${Math.round((100 * hits) / asked)} % of reads hit`;
  if (fleet !== undefined) return `${fleet.place}${share}; ${fleet.keeps}`;
  return `${counted(records, "record")}, ${size(bytes)} of ${size(bytesMax)}${share}`;
}

/** Who writes, what nobody writes, and where something is pending or stands still. */
function fleetLines({ partitions, workers }: FleetStatus): [string, string][] {
  const lines = workers.map(({ id, seenAgoMs, report }, at): [string, string] => {
    const owned = partitions.filter(({ owner }) => owner === id).length;
    const text = `${whoIs(id, report)}: ${counted(owned, "partition")}, seen ${duration(seenAgoMs)} ago`;
    return [at === 0 ? "workers" : "", text];
  });
  if (workers.length === 0) lines.push(["workers", "none: nothing reaches the database"]);
  const free = partitions.filter(({ owner }) => owner === null).map(({ partition }) => partition);
  const none = free.length === 0 ? "all are written" : `no worker writes ${free.join(", ")}`;
  lines.push(["partitions", `${partitions.length}, ${none}`]);
  for (const { partition, pendingChanges, pendingRecords, pendingBytes, oldestAgeMs } of partitions) {
    if (pendingChanges === 0) continue;
    const what = `${counted(pendingChanges, "change")} of ${counted(pendingRecords, "record")} pending`;
    lines.push(["", `${partition}: ${what} (${size(pendingBytes)}), the oldest for ${duration(oldestAgeMs)}`]);
  }
  for (const { partition, broken } of partitions) {
    if (broken !== null) lines.push(["broken", `partition ${partition}: ${broken}`]);
  }
  return lines;
}

function whoIs(id: string, report: unknown): string {
  if (report === null) return id;
  const { pid, host, version, store } = report as WorkerReport;
  const ill = store.error === null ? "" : `, database ${store.state}`;
  return `${id}, process ${pid} on ${host}, version ${version}${ill}`;
}
