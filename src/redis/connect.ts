/**
 * Connects to the Redis of a fleet: looks at what it keeps, refuses what cannot give what was asked, finds the fleet.
 */
import { WriteBehindError } from "../errors.js";
import type { Host } from "../host/host.js";
import type { EngineOptions } from "../options.js";
import type { Fleet, Keeper } from "./keeper.js";
import { fleetDigits } from "./partition.js";
import { RedisKeeper } from "./redis-keeper.js";
import { openLink, type RedisLink } from "./redis-link.js";
import { confirmation, lookAtRedis, problemOf, whatItKeeps, type RedisFacts } from "./redis-look.js";
import { shownUrl } from "./redis-url.js";

/** How much of a Redis' memory what is pending may take: its log and its values are both there. */
const shareOfMemory = 0.4;

/** A keeper that was found, and what was seen of its Redis. */
export interface Connected {
  readonly keeper: Keeper;
  readonly fleet: Fleet;
  readonly facts: RedisFacts;
  /** What it keeps of an answered write, in a sentence. */
  readonly keeps: string;
  /** Bytes that may be pending in all. */
  readonly roomBytes: number;
  /** Looks at the Redis again: what it must not be is said. */
  lookAgain(): Promise<WriteBehindError | null>;
  readonly close: () => Promise<void>;
}

/** The options that matter here. */
export type ConnectOptions = Pick<EngineOptions, "durability" | "waitMs" | "absentMs" | "partitions" | "queueBytes">;

/**
 * Connects. `birth` false: a fleet must be there. Rejects CACHE_DOWN, CONFIG where this Redis cannot give the
 * durability or must not hold a queue, QUEUE_MISMATCH.
 */
export async function connect(url: string, host: Host, options: ConnectOptions, birth: boolean): Promise<Connected> {
  const { clock, random } = host;
  const link = await openLink(url, { clock, waitMs: options.waitMs });
  const links: RedisLink[] = [link];
  const close = async (): Promise<void> => {
    await Promise.allSettled(links.map((each) => each.close()));
  };
  try {
    const facts = await lookAtRedis(link);
    const problem = problemOf(facts, options.durability);
    if (problem !== null) throw problem;
    const { wait } = confirmation(facts, options.durability);
    const writing = wait === "none" ? link : await openLink(url, { clock, waitMs: options.waitMs });
    if (writing !== link) links.push(writing);
    const place = shownUrl(url);
    const keeper = new RedisKeeper({
      place,
      link,
      writing,
      random,
      confirmation: { wait, timeoutMs: Math.max(1, options.waitMs) },
      absentMs: options.absentMs,
    });
    const born = birth ? { id: random.hex(fleetDigits / 2), partitions: options.partitions } : null;
    const fleet = await keeper.fleet(born);
    if (fleet === null) throw noFleet(place);
    const memory = facts.maxmemory === null ? Number.POSITIVE_INFINITY : facts.maxmemory * shareOfMemory;
    return {
      keeper,
      fleet,
      facts,
      keeps: whatItKeeps(facts, options.durability),
      roomBytes: Math.floor(Math.min(options.queueBytes, memory)),
      lookAgain: async () => problemOf(await lookAtRedis(link), options.durability),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function noFleet(place: string): WriteBehindError {
  return new WriteBehindError("QUEUE_MISMATCH", `there is no write queue in the Redis at ${place}`, {
    hint: "start a worker or a server with this --cache: it makes one",
  });
}
