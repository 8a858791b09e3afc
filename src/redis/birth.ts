/**
 * Which fleet is in a Redis, and its birth where there is none. A Redis without a fleet beside a database that has the
 * positions of one was emptied, or is the wrong one: that is refused, never begun anew without a word.
 */
import { WriteBehindError } from "../errors.js";
import type { Host } from "../host/host.js";
import { rest } from "../rest.js";
import { positionText } from "../queue/queue.js";
import { isStoreAway, storeErrorKind, type LookedPosition } from "../store/store.js";
import type { Fleet, Keeper } from "./keeper.js";
import { fleetDigits } from "./partition.js";

/** Between two looks at a database that is away, in milliseconds. */
const lookEveryMs = 500;

/** What is asked before a fleet is made. */
export interface BirthParts {
  readonly host: Pick<Host, "clock" | "random">;
  /** Looks at the positions in the database. Throws a StoreError where it cannot be read. */
  readonly look: () => Promise<readonly LookedPosition[]>;
  readonly partitions: number;
  readonly signal?: AbortSignal | undefined;
  /** Told each time that the database cannot be asked. */
  readonly waits?: ((why: string) => void) | undefined;
}

/** The fleet that is there, or a new one. Waits for the database only where one is made. Rejects QUEUE_MISMATCH. */
export async function foundOrBorn(keeper: Keeper, parts: BirthParts): Promise<Fleet> {
  const found = await keeper.fleet(null);
  if (found !== null) return found;
  const [stranger] = (await positionsWhenThere(parts)).filter(({ position }) => position !== null);
  if (stranger !== undefined) throw anotherQueue(keeper.place, stranger);
  return bear(keeper, { id: newFleetId(parts.host), partitions: parts.partitions });
}

/** The id of a fleet that is not born yet. */
export function newFleetId({ random }: Pick<Host, "random">): string {
  return random.hex(fleetDigits / 2);
}

/** Makes a fleet. Where another process has made one meanwhile, it is that one. */
export async function bear(keeper: Keeper, unborn: Fleet): Promise<Fleet> {
  const fleet = await keeper.fleet(unborn);
  if (fleet === null) throw new Error("broken invariant: a fleet that may be made is there");
  return fleet;
}

async function positionsWhenThere(parts: BirthParts): Promise<readonly LookedPosition[]> {
  const { host, look, signal, waits } = parts;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await look();
    } catch (error) {
      if (storeErrorKind(error) !== "retryable" && !isStoreAway(error)) throw error;
      waits?.((error as Error).message);
      await rest(host.clock, lookEveryMs, true);
    }
  }
}

/** Why there is no fleet, by what the database says. */
export function noFleet(place: string, looked: readonly LookedPosition[]): WriteBehindError {
  const stranger = looked.find(({ position }) => position !== null);
  if (stranger !== undefined) return anotherQueue(place, stranger);
  const message = `there is no write queue in the Redis at ${place}, and the database has never had one`;
  return new WriteBehindError("QUEUE_MISMATCH", message, {
    hint: "start a server or a worker with both: it makes one",
  });
}

function anotherQueue(place: string, { position, partition }: LookedPosition): WriteBehindError {
  const at = position === null ? "" : ` (${positionText(position)}, partition ${partition})`;
  return new WriteBehindError(
    "QUEUE_MISMATCH",
    `there is no write queue in the Redis at ${place}, and the database has the position of one${at}: the Redis was emptied, or is another one`,
    {
      hint: "bring back the right Redis; or `write-behind adopt --cache URL --store URL` begins a new queue there, and says what is given up",
    },
  );
}
