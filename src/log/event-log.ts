/**
 * What an operator wants to read of an instance, as lines for any logger: one for each event that matters, none for a
 * write, none for a try. Never a key, a value or a secret. The library and `serve` say the same lines.
 */
import { counted, percent, size } from "../amounts.js";
import type { WriteBehindError } from "../errors.js";
import type { Emitter, Events } from "../events.js";
import type { CloseReport, Heart, Status } from "../heart.js";
import type { Clock, Timer } from "../host/host.js";
import type { EngineOptions } from "../options.js";
import { harmless, type Logger } from "./logger.js";
import type { Progress } from "../progress.js";
import { Outages, saidEveryMs, type Sight } from "./outages.js";

/** What the lines are about. */
export interface EventLogParts {
  readonly events: Emitter;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly options: Pick<EngineOptions, "data" | "durability" | "worker">;
  /** Where the progress of long works is drawn; without it, it is a line now and then. */
  readonly progress?: Progress | undefined;
}

/** Progress of a long work is a line so often, in milliseconds. */
const progressEveryMs = 10_000;
/** So often a drain is looked at, in milliseconds. */
const lookEveryMs = 250;

/** The log of one instance. It hears the events before there is a heart: opening one may take long. */
export class EventLog {
  readonly #parts: EventLogParts;
  readonly #logger: Logger;
  readonly #outages: Outages;
  #heart: Heart | null = null;
  /** Before there is a heart. */
  #early: Sight = { store: null, queue: null, retries: 0 };
  #stalled: string | null = null;
  #ended = false;
  #draining: Timer | null = null;
  readonly #quiet = new Map<string, number>();
  readonly #offs: (() => void)[] = [];

  constructor(parts: EventLogParts) {
    this.#parts = parts;
    this.#logger = harmless(parts.logger);
    this.#outages = new Outages({
      logger: this.#logger,
      clock: parts.clock,
      look: () => (this.#heart === null ? this.#early : sightOf(this.#heart.status())),
      kept: () => this.#kept(),
    });
    this.#hearStore();
    this.#hearOthers();
    this.#hearProgress();
  }

  /** The heart is open: says what is not as usual, what was left from before. */
  opened(heart: Heart): void {
    this.#heart = heart;
    this.#outages.look();
    this.#start(heart.status());
  }

  /** The journal could not be written. `then`: what comes of that. */
  failed({ code, message, hint }: WriteBehindError, then: string): void {
    const text = `the journal has failed, ${then}: ${message}${hint === null ? "" : ` (${hint})`}`;
    this.#logger.error({ event: "journalFailed", code }, text);
  }

  /** It stops, and so many changes are still to be written until then: says so while that takes. */
  drains(left: () => number): void {
    const { clock, progress } = this.#parts;
    const total = left();
    const beganAt = clock.monotonic();
    const look = (): void => {
      const done = Math.max(0, total - left());
      if (progress !== undefined) progress.at("draining", { things: "changes" }, done, total);
      else if (!this.#saidSince("progress", progressEveryMs, beganAt))
        this.#logger.info(
          { event: "draining", done, total },
          `draining: ${percent(done, total)} of ${counted(total, "change")} written`,
        );
      this.#draining = clock.after(lookEveryMs, look);
    };
    if (total > 0) look();
  }

  /** It has stopped; what is left, and where. */
  stopped(report: CloseReport): void {
    if (this.#ended) return;
    this.end();
    const isOfFleet = this.#heart?.status().fleet !== undefined;
    this.#logger.info({ event: "stopped", ...report }, stoppedText(report, isOfFleet));
  }

  /** Says no more. */
  end(): void {
    this.#ended = true;
    this.#draining?.cancel();
    this.#parts.progress?.end();
    this.#outages.stop();
    for (const off of this.#offs.splice(0)) off();
  }

  #on<Name extends keyof Events>(name: Name, call: (event: Events[Name]) => void): void {
    this.#offs.push(this.#parts.events.on(name, call));
  }

  #hearStore(): void {
    this.#on("storeDown", () => this.#outages.look());
    this.#on("storeUp", () => this.#outages.look());
    this.#on("retry", ({ error, attempt, delayMs }) => {
      const nextTryAt = this.#parts.clock.now() + delayMs;
      this.#early = { store: { state: "down", error: error.message, nextTryAt }, queue: null, retries: attempt };
      this.#stalled = null;
      this.#outages.look();
    });
    this.#on("batch", ({ changes }) => {
      this.#outages.stored(changes);
      this.#stalled = null;
    });
    this.#on("stalled", ({ reason }) => {
      // Before there is a heart, whoever opens it is told.
      if (this.#heart === null) return;
      const { store, fleet } = this.#heart.status();
      if (store.state === "broken") return this.#outages.look();
      if (reason === this.#stalled) return;
      this.#stalled = reason;
      this.#logger.error(
        { event: "stalled" },
        `the ${fleet === undefined ? "writer" : "fleet"} stands still: ${reason}`,
      );
    });
  }

  /** What takes long at the start. */
  #hearProgress(): void {
    const logger = this.#logger;
    const { progress, clock } = this.#parts;
    const beganAt = clock.monotonic();
    this.#on("recovering", ({ step, done, total }) => {
      const [what, things] = recoveringText[step];
      if (progress !== undefined) {
        progress.at(what, { things }, done, total);
        if (done >= total) progress.end();
      } else if (!this.#saidSince("progress", progressEveryMs, beganAt))
        logger.info(
          { event: "recovering", step, done, total },
          `${what}: ${percent(done, total)} of ${total} ${things}`,
        );
    });
    this.#on("warming", ({ table, records, state }) => {
      const text = warmingText[state](counted(records, "row"), table);
      if (state !== "reading") {
        progress?.end();
        logger.info({ event: "warming", table, records, state }, text);
      } else if (progress !== undefined)
        progress.at(`reading ${table} into the cache`, { things: "rows" }, records, null);
      else if (!this.#saidSince("progress", progressEveryMs, beganAt))
        logger.info({ event: "warming", table, records, state }, text);
    });
  }

  #hearOthers(): void {
    const logger = this.#logger;
    this.#on("warning", ({ text }) => logger.warn({ event: "warning" }, text));
    // Not the records: keys may be what nobody wants in a log.
    this.#on("deadLetter", ({ id, position, reason }) =>
      logger.error(
        { event: "deadLetter", id, position },
        `dead letter ${id}: ${reason}; everything else goes on (npx write-behind dead show ${id})`,
      ),
    );
    this.#on("deadLetterEnded", ({ ids, how }) =>
      logger.info({ event: "deadLetterEnded", ids, how }, `${counted(ids.length, "dead letter")} ${ended[how]}`),
    );
    this.#on("full", ({ pendingBytes, diskFull }) => {
      if (this.#saidSince("full", saidEveryMs)) return;
      logger.warn(
        { event: "full", pendingBytes, diskFull },
        diskFull
          ? `the disk is full (${size(pendingBytes)} pending): writes are refused until there is room, reads go on`
          : `the queue is full (${size(pendingBytes)} pending): writes wait or are refused`,
      );
    });
  }

  /** Whether a line of this kind was said less than so long ago; if not, it is said now. */
  #saidSince(kind: string, ms: number, before = Number.NEGATIVE_INFINITY): boolean {
    const now = this.#parts.clock.monotonic();
    if (now - (this.#quiet.get(kind) ?? before) < ms) return true;
    this.#quiet.set(kind, now);
    return false;
  }

  #kept(): string {
    if (this.#heart === null) return "the start waits for it";
    const { data, durability } = this.#parts.options;
    const { fleet } = this.#heart.status();
    if (fleet !== undefined) return `writes are kept in the queue in the Redis at ${fleet.place}`;
    return durability === "memory"
      ? "writes are kept in memory only (durability memory)"
      : `writes are kept in the queue in ${data}`;
  }

  /** What was pending and paused at the start; nothing where all is as usual. */
  #start({ state, reason, queue, store, deadLetters, fleet }: Status): void {
    const logger = this.#logger;
    if (queue.pendingChanges > 0 && fleet === undefined)
      logger.info(
        { event: "recovered", pendingChanges: queue.pendingChanges },
        `${counted(queue.pendingChanges, "change")} of the last run still pending: to the database now`,
      );
    if (deadLetters.count > 0)
      logger.warn(
        { event: "start", deadLetters: deadLetters.count },
        `${counted(deadLetters.count, "dead letter")}: changes that the database has refused (npx write-behind dead list)`,
      );
    // A worker of its own has not said yet that it lives. A database that must be mended was said.
    const isComing = fleet !== undefined && state === "stalled" && this.#parts.options.worker;
    if (state === "running" || isComing || store.state === "broken") return;
    const goesOn = state === "paused" ? " (npx write-behind resume)" : "";
    logger.warn({ event: "start", state }, `it starts ${state}: ${reason ?? ""}${goesOn}`);
  }
}

/** What an outage is told by. Of a fleet: before a worker has said how the database is, nobody knows. */
function sightOf({ store, queue, writer }: Status): Sight {
  return { store: store.since === 0 ? null : store, queue, retries: writer.retries };
}

const recoveringText = {
  journal: ["reading the journal", "files"],
  pending: ["taking what is pending into the cache", "frames"],
} as const;

const warmingText = {
  reading: (rows: string, table: string) => `reading ${table} into the cache: ${rows} until now`,
  done: (rows: string, table: string) => `${rows} of ${table} are in the cache`,
  full: (rows: string, table: string) => `${rows} of ${table} are in the cache, and no more fit (cacheBytes)`,
};

const ended = {
  retried: "accepted by the database now",
  superseded: "made obsolete by a later write, which the database has",
  discarded: "given up",
};

function stoppedText({ drained, pendingChanges, leftIn, deadLetters }: CloseReport, isOfFleet: boolean): string {
  if (!drained) return `stopped; ${leftIn ?? `${counted(pendingChanges, "change")} not in the database yet`}`;
  const what = isOfFleet ? "everything that was written through this process" : "everything";
  if (deadLetters === 0) return `stopped; ${what} is in the database`;
  return `stopped; ${what} is in the database, what it refuses (${counted(deadLetters, "dead letter")}) in its table write_behind_dead_letters`;
}
