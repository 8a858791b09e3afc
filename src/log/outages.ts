/**
 * An outage of the database as lines of a log: one when it begins, one a minute while it lasts, one when it ends, with
 * what it cost. It is shown how things are whenever they may have changed, and finds out by itself what is new; it asks
 * nobody, and knows neither engine nor fleet.
 */
import { count, counted, duration, percent, size } from "../amounts.js";
import type { Status } from "../heart.js";
import type { Clock, Timer } from "../host/host.js";
import type { Logger } from "./logger.js";

/** So often it is said that an outage lasts, in milliseconds. */
export const saidEveryMs = 60_000;
/** So often it is looked at how much is pending, in milliseconds. */
const lookEveryMs = 5000;

/** What is pending, and what may be. */
export type Backlog = Pick<
  Status["queue"],
  "pendingChanges" | "pendingRecords" | "pendingBytes" | "bytesMax" | "recordsMax" | "oldestAgeMs"
>;

/** The database. */
type Seen = Pick<Status["store"], "state" | "error" | "nextTryAt">;

/** How things are. */
export interface Sight {
  /** Null: not known at this moment, be it up or down. */
  readonly store: Seen | null;
  /** Null: not known. */
  readonly queue: Backlog | null;
  /** Failed tries since the start. */
  readonly retries: number;
}

/** What it works with. */
export interface OutageParts {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly look: () => Sight;
  /** Where what is written is safe meanwhile, as a sentence: `writes are kept in the queue in ./data`. */
  readonly kept: () => string;
}

/** An outage that lasts. Moments are on the monotonic clock. */
interface Outage {
  readonly since: number;
  readonly retriesBefore: number;
  state: "down" | "broken";
  saidAt: number;
  pendingMax: number;
}

/** The outages of one database. */
export class Outages {
  readonly #parts: OutageParts;
  #outage: Outage | null = null;
  #retriesUp = 0;
  #timer: Timer | null = null;

  constructor(parts: OutageParts) {
    this.#parts = parts;
  }

  /** Something may have changed. */
  look(): void {
    const sight = this.#parts.look();
    const { store } = sight;
    const outage = this.#outage;
    if (outage !== null && sight.queue !== null)
      outage.pendingMax = Math.max(outage.pendingMax, sight.queue.pendingChanges);
    if (store === null) return;
    if (store.state === "up") {
      if (outage !== null) this.#end(outage, sight);
      this.#retriesUp = sight.retries;
    } else if (outage === null) this.#begin(store.state, store, sight);
    else if (outage.state !== store.state) {
      outage.state = store.state;
      this.#say(outage, store);
    }
  }

  /** So many changes were pending until this moment. */
  stored(changes: number): void {
    if (this.#outage === null) return;
    const pending = this.#parts.look().queue?.pendingChanges ?? 0;
    this.#outage.pendingMax = Math.max(this.#outage.pendingMax, pending + changes);
  }

  /** Says no more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #begin(state: Outage["state"], store: Seen, sight: Sight): void {
    const since = this.#parts.clock.monotonic();
    const pendingMax = sight.queue?.pendingChanges ?? 0;
    this.#outage = { since, retriesBefore: this.#retriesUp, state, saidAt: since, pendingMax };
    this.#say(this.#outage, store);
    this.#wait();
  }

  #wait(): void {
    const { clock } = this.#parts;
    this.#timer = clock.after(lookEveryMs, () => {
      this.#wait();
      this.look();
      const outage = this.#outage;
      if (outage !== null && clock.monotonic() - outage.saidAt >= saidEveryMs) this.#lasts(outage, this.#parts.look());
    });
  }

  /** That it has begun, or is of the other kind now. */
  #say(outage: Outage, store: Seen): void {
    const { logger, clock, kept } = this.#parts;
    outage.saidAt = clock.monotonic();
    const text =
      outage.state === "down"
        ? `the database is down: ${why(store)}; ${kept()}`
        : `the database must be mended: ${why(store)}; nothing is written to it until then; ${kept()}`;
    if (outage.state === "down") logger.warn({ event: "storeDown" }, text);
    else logger.error({ event: "storeBroken" }, text);
  }

  #lasts(outage: Outage, { store, queue }: Sight): void {
    const { logger, clock, kept } = this.#parts;
    outage.saidAt = clock.monotonic();
    const forMs = outage.saidAt - outage.since;
    const nextTryAt = store?.nextTryAt ?? null;
    const nextTryMs = nextTryAt === null ? null : Math.max(0, nextTryAt - clock.now());
    const parts = [
      `the database has been ${outage.state === "down" ? "down" : "unusable"} for ${duration(forMs)}: ${why(store)}`,
      ...(nextTryMs === null ? [] : [`next try in ${duration(nextTryMs)}`]),
      ...(queue === null ? [] : [backlogText(queue)]),
      kept(),
    ];
    const pending = queue === null ? {} : { pendingChanges: queue.pendingChanges, pendingBytes: queue.pendingBytes };
    logger.warn({ event: "storeStillDown", downMs: Math.round(forMs), ...pending }, parts.join("; "));
  }

  #end(outage: Outage, { queue, retries }: Sight): void {
    const { logger, clock } = this.#parts;
    this.stop();
    this.#outage = null;
    const downMs = Math.round(clock.monotonic() - outage.since);
    const tries = Math.max(0, retries - outage.retriesBefore);
    const { pendingMax } = outage;
    const left = queue?.pendingChanges ?? null;
    const parts = [
      `the database is up again after ${duration(downMs)}${tries === 0 ? "" : ` and ${failedTries(tries)}`}`,
      ...(left === null
        ? []
        : [
            `${counted(pendingMax, "change")} waited at the most`,
            left === 0 ? "all is written" : `${counted(left, "change")} still to be written`,
          ]),
    ];
    const cost = left === null ? {} : { pendingChangesMax: pendingMax, pendingChanges: left };
    logger.info({ event: "storeUp", downMs, tries, ...cost }, parts.join("; "));
  }
}

function why(store: Seen | null): string {
  return store?.error ?? "it has not answered yet";
}

function failedTries(tries: number): string {
  return tries === 1 ? "1 failed try" : `${count(tries)} failed tries`;
}

/** What is pending, how old it is, and how near to the limit. */
function backlogText(queue: Backlog): string {
  const { pendingChanges, pendingRecords, pendingBytes, oldestAgeMs, bytesMax, recordsMax } = queue;
  if (pendingChanges === 0) return "nothing is pending";
  const byRecords = pendingRecords / recordsMax > pendingBytes / bytesMax;
  const share = byRecords
    ? `${percent(pendingRecords, recordsMax)} of queueRecords`
    : `${percent(pendingBytes, bytesMax)} of queueBytes`;
  return `${counted(pendingChanges, "change")} of ${counted(pendingRecords, "record")} pending (${size(pendingBytes)}, ${share}), the oldest for ${duration(oldestAgeMs)}`;
}
