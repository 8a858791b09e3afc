/**
 * Connects to the Redis of a fleet: looks at what it keeps, and refuses what cannot give what was asked. Which fleet is
 * there is asked afterwards (birth.ts).
 */
import type { WriteBehindError } from "../errors.js";
import type { Host, Timer } from "../host/host.js";
import type { EngineOptions } from "../options.js";
import type { Keeper } from "./keeper.js";
import { RedisKeeper } from "./redis-keeper.js";
import { openLink, type RedisLink } from "./redis-link.js";
import { confirmation, lookAtRedis, problemOf, whatItKeeps } from "./redis-look.js";
import { shownUrl } from "./redis-url.js";

/** How much of a Redis' memory what is pending may take: its log and its values are both there. */
const shareOfMemory = 0.4;

/** How often a Redis is looked at again, in milliseconds: somebody may have changed its settings. */
const lookEveryMs = 30_000;

/**
 * What an answered write is to survive there; `safety`: it must not lose the queue by itself; null: it may be
 * anything.
 */
export type Demand = EngineOptions["durability"] | "safety" | null;

/** A keeper, and what was seen of its Redis. */
export interface Connected {
  readonly keeper: Keeper;
  /** What it keeps of an answered write, in a sentence. */
  readonly keeps: string;
  /** Bytes that may be pending in all. */
  readonly roomBytes: number;
  /**
   * Looks at the Redis again and again, and tells each time what it must not be, with the command that repairs it.
   */
  readonly watch: (tell: (problem: WriteBehindError) => void) => void;
  readonly close: () => Promise<void>;
}

/** The options that matter here. */
export type ConnectOptions = Pick<EngineOptions, "waitMs" | "absentMs" | "queueBytes">;

/**
 * Connects. Rejects CACHE_DOWN, CONFIG where this Redis cannot give what is demanded or must not hold a queue,
 * DRIVER_MISSING.
 */
export async function connect(url: string, host: Host, options: ConnectOptions, demand: Demand): Promise<Connected> {
  const { clock, random } = host;
  const link = await openLink(url, { clock, waitMs: options.waitMs });
  const links: RedisLink[] = [link];
  const watching: { timer: Timer | null; closed: boolean } = { timer: null, closed: false };
  const close = async (): Promise<void> => {
    watching.closed = true;
    watching.timer?.cancel();
    await Promise.allSettled(links.map((each) => each.close()));
  };
  const watch = (tell: (problem: WriteBehindError) => void): void => {
    watching.timer = clock.after(lookEveryMs, () => {
      void lookAtRedis(link)
        .then((facts) => (demand === null ? null : problemOf(facts, levelOf(demand))))
        // It cannot be asked now: that is said where something is written to it.
        .catch(() => null)
        .then((problem) => {
          if (watching.closed) return;
          if (problem !== null) tell(problem);
          watch(tell);
        });
    });
  };
  try {
    const facts = await lookAtRedis(link);
    const level = levelOf(demand);
    const problem = demand === null ? null : problemOf(facts, level);
    if (problem !== null) throw problem;
    const { wait } = confirmation(facts, level);
    const writing = wait === "none" ? link : await openLink(url, { clock, waitMs: options.waitMs });
    if (writing !== link) links.push(writing);
    const keeper = new RedisKeeper({
      place: shownUrl(url),
      link,
      writing,
      random,
      confirmation: { wait, timeoutMs: Math.max(1, options.waitMs) },
      absentMs: options.absentMs,
    });
    const memory = facts.maxmemory === null ? Number.POSITIVE_INFINITY : facts.maxmemory * shareOfMemory;
    const roomBytes = Math.floor(Math.min(options.queueBytes, memory));
    return { keeper, keeps: whatItKeeps(facts, level), roomBytes, watch, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Who does not write from here asks for no confirmation. */
function levelOf(demand: Demand): EngineOptions["durability"] {
  return demand === null || demand === "safety" ? "memory" : demand;
}
