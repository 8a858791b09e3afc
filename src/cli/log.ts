/** The log of `serve`: JSON lines for machines (pino), short lines on a terminal. To stderr; never a secret or a value. */
import { pino, destination } from "pino";
import type { Heart } from "../heart.js";
import type { Clock } from "../host/host.js";
import { counted, duration, size } from "./output.js";

/** Where it goes. */
export interface Log {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

const quietMs = 10_000;

/** Text for a person on a terminal, else JSON lines. */
export function openLog(terminal: boolean): Log {
  if (!terminal) {
    // Written at once: the line that says why the process ends must not be lost.
    return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ dest: 2, sync: true }));
  }
  const line = (_: object, text: string): void => void process.stderr.write(`${text}\n`);
  return { info: line, warn: line, error: line };
}

/** Says what an operator wants to know: the database is down, up again, the queue is full, the writer stands still. */
export function logEvents(heart: Heart, log: Log, clock: Clock): void {
  const { events } = heart;
  let fullSaidAt = Number.NEGATIVE_INFINITY;
  events.on("storeDown", ({ error }) =>
    log.warn(
      { event: "storeDown", code: error.code },
      `the database is down: ${error.message}; writes are kept in the queue`,
    ),
  );
  events.on("storeUp", ({ downMs }) =>
    log.info({ event: "storeUp", downMs }, `the database is up again after ${duration(downMs)}`),
  );
  events.on("stalled", ({ reason }) => log.error({ event: "stalled" }, `the writer stands still: ${reason}`));
  events.on("warning", ({ text }) => log.warn({ event: "warning" }, text));
  // Not the records: keys may be what nobody wants in a log.
  events.on("deadLetter", ({ id, position, reason }) =>
    log.error(
      { event: "deadLetter", id, position },
      `dead letter ${id}: ${reason}; everything else goes on (npx write-behind dead show ${id})`,
    ),
  );
  events.on("deadLetterEnded", ({ ids, how }) =>
    log.info({ event: "deadLetterEnded", ids, how }, `${counted(ids.length, "dead letter")} ${ended[how]}`),
  );
  events.on("warming", ({ table, records, state }) =>
    log.info({ event: "warming", table, records, state }, warmingText[state](counted(records, "row"), table)),
  );
  events.on("full", ({ pendingBytes, diskFull }) => {
    if (clock.monotonic() - fullSaidAt < quietMs) return;
    fullSaidAt = clock.monotonic();
    log.warn(
      { event: "full", pendingBytes, diskFull },
      diskFull
        ? `the disk is full (${size(pendingBytes)} pending): writes are refused until there is room, reads go on`
        : `the queue is full (${size(pendingBytes)} pending): writes wait or are refused`,
    );
  });
}

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

/** What was pending and paused when the server started; nothing where all is as usual. `worker`: it writes, too. */
export function logStart(heart: Heart, log: Log, worker: boolean): void {
  const { state, reason, queue, deadLetters, fleet } = heart.status();
  if (queue.pendingChanges > 0 && fleet === undefined)
    log.info(
      { event: "recovered", pendingChanges: queue.pendingChanges },
      `${counted(queue.pendingChanges, "change")} of the last run still pending: to the database now`,
    );
  if (deadLetters.count > 0)
    log.warn(
      { event: "start", deadLetters: deadLetters.count },
      `${counted(deadLetters.count, "dead letter")}: changes that the database has refused (npx write-behind dead list)`,
    );
  // A worker of its own has not said yet that it lives.
  const isComing = fleet !== undefined && state === "stalled" && worker;
  if (state !== "running" && !isComing)
    log.warn(
      { event: "start", state },
      `the server starts ${state}: ${reason ?? ""}${state === "paused" ? " (npx write-behind resume)" : ""}`,
    );
}
