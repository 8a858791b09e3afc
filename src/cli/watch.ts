/** `status --watch`: the same lines again and again, with what happens in a second; a server that is away is waited for. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../heart.js";
import { parseOption } from "../options-parse.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { CliError, described, exitCodes, tryLine } from "./exit.js";
import { columns, count, duration } from "./output.js";
import { statusText } from "./status.js";

/** One look, on the monotonic clock. */
export interface Look {
  readonly at: number;
  readonly status: Status;
}

/** What happens in a second, between two looks. Null: not known. */
export interface Rates {
  /** Frames that were taken: a write or a transaction each. */
  readonly writes: number | null;
  readonly rows: number | null;
  readonly batches: number | null;
  /** Share of the reads between the looks that were answered from memory; null where there was none. */
  readonly hits: number | null;
}

/** The rates between two looks at the same queue; null where it is another one, or counts from the beginning. */
export function ratesOf(before: Look | null, now: Look): Rates | null {
  if (before === null || now.at <= before.at) return null;
  const perSecond = (pick: (status: Status) => number | null): number | null => {
    const [then, since] = [pick(before.status), pick(now.status)];
    if (then === null || since === null || since < then) return null;
    return (since - then) / ((now.at - before.at) / 1000);
  };
  const isSameLog = logOf(before.status) === logOf(now.status);
  const hits = now.status.cache.hits - before.status.cache.hits;
  const misses = now.status.cache.misses - before.status.cache.misses;
  return {
    writes: isSameLog ? perSecond(({ queue }) => sequenceOf(queue.accepted)) : null,
    rows: perSecond(({ writer }) => writer.rows),
    batches: perSecond(({ writer }) => writer.batches),
    hits: hits < 0 || misses < 0 || hits + misses === 0 ? null : hits / (hits + misses),
  };
}

function logOf({ queue }: Status): string {
  return queue.accepted.split(":", 1)[0] as string;
}

/** A position as text is log, sequence, and perhaps a checksum. */
function sequenceOf(position: string): number | null {
  const sequence = Number(position.split(":")[1]);
  return Number.isFinite(sequence) ? sequence : null;
}

/** The lines of one look. */
export function watchText({ status }: Look, rates: Rates | null): string {
  return statusText(status) + columns([["a second", rates === null ? "the next look tells" : ratesText(rates)]]);
}

function ratesText({ writes, rows, batches, hits }: Rates): string {
  const number = (value: number | null): string =>
    value === null ? "?" : value < 10 ? `${Math.round(value * 10) / 10}` : count(Math.round(value));
  const parts = [`${number(writes)} writes`, `${number(rows)} rows in ${number(batches)} batches`];
  if (hits !== null) parts.push(`${Math.floor(100 * hits)} % of reads hit`);
  return parts.join(", ");
}

/** How often to look, from `--every`. */
function everyMs(flags: Flags): number {
  const given = flags["every"] ?? "1s";
  const spec = { type: "ms", default: 1000, min: 100, max: 3_600_000, scope: "serve", doc: "" } as const;
  const parsed = parseOption(spec, given);
  if ("value" in parsed) return parsed.value as number;
  const hint = "npx write-behind status --watch --every 1s";
  throw new CliError(exitCodes.usage, `--every ${parsed.problem}`, hint);
}

/** Looks until Ctrl-C. */
export async function watch(flags: Flags): Promise<void> {
  const pauseMs = everyMs(flags);
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
  const json = flags["json"] === true;
  const show: Show = json ? print : process.stdout.isTTY ? redrawn() : blocks();
  let before: Look | null = null;
  while (!ended.signal.aborted) {
    let look: Look | null = null;
    try {
      look = { at: performance.now(), status: (await ask(flags, "GET", "/api/status")) as Status };
      const rates = ratesOf(before, look);
      const { status } = look;
      show(json ? { at: Date.now(), ...status, perSecond: rates } : watchText(look, rates), false);
    } catch (error) {
      if (error instanceof CliError && error.exit === exitCodes.usage) throw error;
      const { code, message, hint } = described(error);
      const again = `looked for again every ${duration(pauseMs)}`;
      show(
        json ? { at: Date.now(), error: { code, message, hint } } : `${message}; ${again}\n${tryLine(hint)}\n`,
        true,
      );
    }
    before = look;
    await sleep(pauseMs, undefined, { signal: ended.signal }).catch(() => {});
  }
}

function print(json: unknown): void {
  process.stdout.write(`${JSON.stringify(json)}\n`);
}

/** Shows a look. `failed`: nothing could be seen. */
type Show = (look: unknown, failed: boolean) => void;

/** In its place: home, each line cleared as it is written, and what is below. */
function redrawn(): Show {
  process.stdout.write("\u001B[2J");
  return (text) => {
    const foot = "Ctrl-C ends this\n";
    process.stdout.write(`\u001B[H${`${String(text)}\n${foot}`.replaceAll("\n", "\u001B[K\n")}\u001B[J`);
  };
}

/** One below the other, with the time; what is said of a server that is away is said once. */
function blocks(): Show {
  let said: unknown = null;
  return (text, failed) => {
    if (failed && text === said) return;
    said = failed ? text : null;
    process.stdout.write(`${new Date().toISOString()}\n${String(text)}\n`);
  };
}
