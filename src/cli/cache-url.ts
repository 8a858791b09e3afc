/** What `--cache` takes: the Redis of a fleet as a URL. */
import { WriteBehindError } from "../errors.js";
import { redis } from "../redis/index.js";
import { shownUrl } from "../redis/redis-url.js";
import type { CacheDescriptor } from "../shared-cache.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes } from "./exit.js";

/** A Redis that was named. */
export interface NamedCache {
  /** For people and programs: the address without user and password. */
  readonly place: string;
  /** It may hold a password: it is shown to nobody. */
  readonly url: string;
  readonly descriptor: CacheDescriptor;
}

const hint = "--cache redis://user:password@host:6379";

/** The Redis of a `--cache` URL; null where none was given. */
export function namedCache(url: string | null): NamedCache | null {
  return url === null ? null : neededCache(url);
}

/** The Redis of a `--cache` URL, which must be given. */
export function neededCache(url: string | null): NamedCache {
  if (url === null)
    throw new CliError(exitCodes.usage, "--cache is missing: the Redis that holds cache and queue", hint);
  try {
    return { place: shownUrl(url), url, descriptor: redis(url) };
  } catch (error) {
    if (!(error instanceof WriteBehindError)) throw error;
    throw new CliError(exitCodes.usage, `--cache: ${error.message}`, error.hint ?? hint);
  }
}

/** Where the queue is, for people: the data folder, or a Redis. */
export function queueIn(cache: NamedCache | null, data: string): string {
  return cache === null ? data : `the Redis at ${cache.place}`;
}

/**
 * Whether a verb that is also about a data folder or tables is asked about a fleet: what is named by a flag counts
 * first.
 */
export function isAboutFleet(flags: Flags): boolean {
  if (flags["cache"] !== undefined) return true;
  if (flags["data"] !== undefined || flags["routes"] !== undefined) return false;
  return someOptions(flags, ["cache"]).cache !== null;
}
