/**
 * `write-behind check --cache URL --store URL`: holds the positions of the database against the logs of a fleet and
 * says what fits, what is pending, what is lost. It changes nothing, and may be run beside the fleet.
 */
import type { ErrorCode } from "../errors.js";
import { nodeHost } from "../host/node-host.js";
import { resolveEngineOptions } from "../options-resolve.js";
import { positionText } from "../queue/queue.js";
import { noFleet } from "../redis/birth.js";
import { compareFleet, isSound, type Compared } from "../redis/compare.js";
import { connect, type Connected } from "../redis/connect.js";
import type { Fleet } from "../redis/keeper.js";
import type { LookedPosition } from "../store/store.js";
import { neededCache } from "./cache-url.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, cliError, exitCodes, tryLine, type ExitCode } from "./exit.js";
import { columns, counted, print } from "./output.js";
import { lookAtPositions, namedStore, storeJson, type NamedStore } from "./store-url.js";

/** A fleet beside its database, and what was asked of them. */
export interface FleetAndStore {
  readonly connected: Connected;
  /** Null: there is none in that Redis. */
  readonly fleet: Fleet | null;
  readonly store: NamedStore;
  readonly look: () => Promise<readonly LookedPosition[]>;
}

/** Runs the verb. Failed where a worker would not go on by itself. */
export function checkFleet(flags: Flags): Promise<ExitCode> {
  return withFleet(flags, async ({ connected, fleet, store, look }) => {
    const { keeper, keeps } = connected;
    if (fleet === null) throw cliError(exitCodes.failed, noFleet(keeper.place, await look()));
    const compared = await compareFleet(keeper, fleet, look);
    const wrong = compared.filter((each) => !isSound(each));
    const refusal = wrong.length === 0 ? null : refusalOf(wrong);
    print(
      {
        fleet: { id: fleet.id, place: keeper.place, partitions: fleet.partitions, keeps },
        database: storeJson(store),
        items: compared.map(comparedJson),
        next: null,
        refusal,
      },
      flags["json"] === true,
      () =>
        columns([
          ["fleet", `${fleet.id} in ${keeper.place}; ${keeps}`],
          ["database", store.place],
          ...compared.map((each): [string, string] => [`partition ${each.partition}`, comparedText(each)]),
          ["verdict", refusal === null ? "sound: workers go on by themselves" : `${refusal.code}: ${refusal.message}`],
        ]) + (refusal === null ? "" : `${tryLine(refusal.hint)}\n`),
    );
    return refusal === null ? exitCodes.done : exitCodes.failed;
  });
}

/** Works on a fleet and its database, named by flags, and ends what it connects to. */
export async function withFleet<T>(flags: Flags, work: (both: FleetAndStore) => Promise<T>): Promise<T> {
  const { cache: url, store: storeUrl, data } = someOptions(flags, ["cache", "store", "data"]);
  const cache = neededCache(url);
  if (storeUrl === null)
    throw new CliError(exitCodes.usage, "--store is missing: the database of the fleet", "--store postgres://…");
  const store = namedStore(storeUrl, data);
  const connected = await connect(cache.url, nodeHost(), resolveEngineOptions({}), null);
  try {
    const fleet = await connected.keeper.fleet(null);
    return await work({ connected, fleet, store, look: () => lookAtPositions(store) });
  } finally {
    await connected.close();
  }
}

function refusalOf(wrong: readonly Compared[]): { code: ErrorCode; message: string; hint: string } {
  const which = wrong.map(({ partition }) => partition).join(", ");
  const what = wrong.length === 1 ? "partition" : "partitions";
  const gap = wrong.some(({ isGap }) => isGap) ? " --accept-gap" : "";
  return {
    code: "QUEUE_MISMATCH",
    message: `${what} ${which} of the queue and the database do not belong together, or wait for a person`,
    hint: `bring back what is missing; or go on without it: npx write-behind adopt --cache URL --store URL${gap}`,
  };
}

/** A partition as JSON; positions are text. */
export function comparedJson({ database, head, stored, goesOn, isGap, ...rest }: Compared): unknown {
  return {
    ...rest,
    database: database === null ? null : positionText(database),
    head: positionText(head),
    stored: positionText(stored),
    goesOn: positionText(goesOn),
    gap: isGap,
  };
}

/** A partition for people. */
export function comparedText(compared: Compared): string {
  const { verdict, broken } = compared;
  const stands = broken === null ? "" : `; it stands still: ${broken}`;
  const lost = verdict === "fits" || verdict === "behind" ? "" : `; ${lossText(compared)}`;
  return `${verdict}: ${whatText(compared)}${lost}${stands}`;
}

function whatText({ verdict, database, head, stored, frames }: Compared): string {
  const at = database?.sequence ?? 0;
  switch (verdict) {
    case "fits":
      return frames === 0 ? "the database has everything" : `${counted(frames, "frame")} pending`;
    case "behind":
      return `the database went back from frame ${stored.sequence} to ${at}; ${counted(frames, "frame")} are written (again)`;
    case "emptied":
      return "the database is at a position of another queue: the Redis was emptied, or is another one";
    case "older":
      return `the database is at frame ${at}, and the log ends at ${head.sequence}: the Redis is older`;
    case "forked":
      return `the database is at frame ${at}, and the log has another frame there (it ends at ${head.sequence})`;
    case "trimmed":
      return `the database is at frame ${at}, and the log does not have the frames after that any more`;
  }
}

/** What is given up where a partition goes on without what is missing. */
export function lossText({ verdict, goesOn, frames, lost, database }: Compared): string {
  const on = `it can go on at frame ${goesOn.sequence}, with ${counted(frames, "frame")} of the log to be written`;
  if (verdict === "emptied") return `what the old queue had pending is given up, nobody can tell how much; ${on}`;
  if (verdict === "trimmed") return `${counted(lost ?? 0, "frame")} that nobody has any more are given up; ${on}`;
  const range = `${goesOn.sequence + 1} to ${database?.sequence ?? 0}`;
  return `the order of ${counted(lost ?? 0, "frame")} that the database has (${range}) is given up: their rows stay until the log writes the same records; ${on}`;
}
