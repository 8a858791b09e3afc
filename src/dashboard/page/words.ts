/** What an operator must know at a glance, in sentences: is all well, what is at risk, what to press. Pure. */
import { count, counted, duration, size } from "../../amounts.js";
import type { Status } from "../../heart.js";

/** How bad it is. */
export type Mood = "well" | "care" | "bad";

/** What a button offers: a verb of the writer, or the way to a view. */
export type Press = "resume" | "step" | "letters" | "queue" | "fleet";

/** The first thing on the screen. */
export interface Headline {
  readonly mood: Mood;
  readonly text: string;
  /** What to do about it, in a sentence; null where nothing is to be done. */
  readonly advice: string | null;
  readonly press: readonly Press[];
}

/** How it goes, the worst first. `now`: milliseconds since 1970. */
export function headlineOf(status: Status, now: number): Headline {
  const { state, reason, store, deadLetters, queue } = status;
  if (state === "broken" && store.state !== "broken")
    return bad(
      `It cannot go on: ${reason ?? "unknown"}.`,
      "Nothing that was answered is lost. What the text names must be mended by a person; see the guide “what to do when”.",
    );
  const unowned = unownedPartitions(status);
  // Where no worker lives nobody knows how the database is.
  if (status.fleet?.workers.length === 0) return unwritten(unowned);
  if (store.state !== "up") return storeTrouble(status, now);
  if (state === "stalled")
    return bad(
      `The writer stands still: ${reason ?? "unknown"}.`,
      "What was answered is safe in the queue. If it does not go on by itself, restart the process: it takes up the queue where it is.",
    );
  if (unowned > 0) return unwritten(unowned);
  if (state === "paused")
    return {
      mood: "care",
      text: `The writer is paused by a person; ${counted(queue.pendingChanges, "change")} waiting.`,
      advice: "Clients are served as before. The queue grows until somebody presses resume.",
      press: ["resume", "step"],
    };
  if (state === "draining")
    return { mood: "care", text: "The server is stopping: what is pending is being written.", advice: null, press: [] };
  if (deadLetters.count > 0)
    return {
      mood: "care",
      text: `The database refuses ${counted(deadLetters.count, "dead letter")}; ${counted(deadLetters.waitingBehind, "change")} behind ${deadLetters.count === 1 ? "it" : "them"} waiting.`,
      advice: "Everything else goes on. Look at the reason, mend it, and retry; or give them up.",
      press: ["letters"],
    };
  if (queue.oldestAgeMs > lateMs)
    return {
      mood: "care",
      text: `The database is ${duration(queue.oldestAgeMs)} behind.`,
      advice: "Writes come faster than the database takes them, for now. Nothing is lost; look whether the age grows.",
      press: ["queue"],
    };
  return {
    mood: "well",
    text:
      queue.pendingChanges === 0 ? "All is well: the database has everything." : "All is well: the writer keeps up.",
    advice: null,
    press: [],
  };
}

/** A lag that is worth a word. */
const lateMs = 10_000;

function unwritten(partitions: number): Headline {
  return {
    mood: "bad",
    text: `No worker writes ${counted(partitions, "partition")}: what is queued there does not reach the database.`,
    advice: "Start a worker: write-behind work --cache URL --store URL.",
    press: ["fleet"],
  };
}

function storeTrouble(status: Status, now: number): Headline {
  const { store, queue } = status;
  const since = store.since > 0 ? ` for ${duration(now - store.since)}` : "";
  const next =
    store.nextTryAt === null
      ? ""
      : store.nextTryAt <= now
        ? ", trying now"
        : `, next try in ${duration(store.nextTryAt - now)}`;
  const safe =
    queue.pendingChanges === 0
      ? "nothing is waiting"
      : `${counted(queue.pendingChanges, "change")} ${queue.pendingChanges === 1 ? "is" : "are"} ${whereSafe(status)}`;
  const error = store.error === null ? "" : ` It says: ${store.error}.`;
  if (store.state === "broken")
    return bad(
      `The database is not as it must be${since}${next}; ${safe}.${error}`,
      "Mend the table, the column or the permission; the writer looks again by itself, no restart is needed.",
    );
  return bad(
    `The database is unreachable${since}${next}; ${safe}.${error}`,
    "Clients are served. The writer goes on by itself once the database is back; watch how full the queue gets.",
  );
}

function bad(text: string, advice: string): Headline {
  return { mood: "bad", text, advice, press: ["queue"] };
}

/** Where pending changes are. */
export function whereSafe({ queue, fleet }: Status): string {
  if (fleet !== undefined) return `kept in ${fleet.place}`;
  return queue.durability === "memory" ? "in memory only" : "safe on disk";
}

/** What would be lost or late if this process ended now, in one sentence. */
export function riskOf(status: Status): string {
  const { queue, fleet, deadLetters } = status;
  const pending = queue.pendingChanges;
  const parked =
    deadLetters.count === 0
      ? ""
      : ` ${counted(deadLetters.count, "dead letter")} and what waits behind are kept in the database, beside the data.`;
  if (fleet !== undefined) {
    const late =
      pending === 0
        ? "nothing is late"
        : `${counted(pending, "change")} (${size(queue.pendingBytes)}) are on their way, the oldest for ${duration(queue.oldestAgeMs)}`;
    return `If this process dies now nothing is lost, ${late}: other processes go on. ${capital(fleet.keeps)}.${parked}`;
  }
  if (pending === 0)
    return `If this process dies now nothing is lost and nothing is late: the database has everything.${parked}`;
  const what = `${counted(pending, "change")} (${size(queue.pendingBytes)}, the oldest ${duration(queue.oldestAgeMs)} old)`;
  switch (queue.durability) {
    case "memory":
      return `If this process dies now ${what} may be LOST: with durability memory the queue survives nothing.${parked}`;
    case "os":
      return `If this process dies now nothing is lost; ${what} would reach the database late, after the next start. A loss of power may lose what was not synced yet.${parked}`;
    default:
      return `If this process dies or the machine loses power now nothing is lost; ${what} would reach the database late, after the next start.${parked}`;
  }
}

/** The database's state in a few words. */
export function storeWords({ store }: Status, now: number): string {
  if (store.state === "up") return store.since > 0 ? `up for ${duration(now - store.since)}` : "up";
  const word = store.state === "down" ? "unreachable" : "not as it must be";
  return store.since > 0 ? `${word} for ${duration(now - store.since)}` : word;
}

/** Partitions of a fleet that nobody writes. */
export function unownedPartitions({ fleet }: Status): number {
  return fleet?.partitions.filter(({ owner }) => owner === null).length ?? 0;
}

/** What a share is called: 93 %. */
export function percent(share: number | null): string {
  return share === null ? "–" : `${count(Math.round(100 * share))} %`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
