/** `write-behind status`: what the server is doing, what is pending, and how the database is. */
import type { Status } from "../heart.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { columns, count, counted, duration, print, size } from "./output.js";

/** Runs the verb. */
export async function status(flags: Flags): Promise<void> {
  const answer = (await ask(flags, "GET", "/api/status")) as Status;
  print(answer, flags["json"] === true, () => statusText(answer));
}

/** The status for people. */
export function statusText({ state, reason, cache, queue, writer, store, deadLetters }: Status): string {
  const pending =
    queue.pendingChanges === 0
      ? `nothing pending: the database has everything${deadLetters.count === 0 ? "" : " but what it refuses"}`
      : `${counted(queue.pendingChanges, "change")} of ${counted(queue.pendingRecords, "record")} pending (${size(queue.pendingBytes)}), the oldest for ${duration(queue.oldestAgeMs)}`;
  const asked = cache.hits + cache.misses;
  const hits = asked === 0 ? "" : `, ${Math.round((100 * cache.hits) / asked)} % of reads hit`;
  const lines: [string, string][] = [
    ["state", reason === null ? state : `${state}: ${reason}`],
    ["cache", `${counted(cache.records, "record")}, ${size(cache.bytes)} of ${size(cache.bytesMax)}${hits}`],
    ["queue", `${pending}; durability ${queue.durability}`],
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
    lines.push(["exact", `up to ${queue.exactUpTo}; of what came later the database lacks what it refuses`]);
  return columns(lines);
}
