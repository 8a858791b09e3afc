/**
 * `write-behind adopt --cache URL --store URL`: the command that goes on where partitions of a fleet and the
 * database do not belong together. It sets the database's position to the newest one that the log still has, forgets
 * what is clean in the cache, lets the partition take writes again, and says what is given up.
 *
 * It is safe beside living workers: it takes each such partition from its owner, in the Redis and by a new
 * generation in the database, so that nothing which that owner still sends passes. It can be repeated: cut off in
 * the middle, it leaves what the next run finishes.
 */
import type { Bytes } from "../bytes.js";
import { nodeHost } from "../host/node-host.js";
import { positionText, samePosition, type FrameOnDisk } from "../queue/queue.js";
import { bear, newFleetId, noFleet } from "../redis/birth.js";
import { compareFleet, emptied, isSound, type Compared } from "../redis/compare.js";
import type { Claim, Fleet, Keeper } from "../redis/keeper.js";
import { logIdOf, partitionOf } from "../redis/partition.js";
import { loadStore } from "../store/load-store.js";
import type { ParkedGroup, Store } from "../store/store.js";
import { lossText, withFleet, type FleetAndStore } from "./check-fleet.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, cliError, exitCodes } from "./exit.js";
import { counted, print } from "./output.js";

/** How long a partition stays with this process without a sign of life. */
const leaseMs = 60_000;

/** Log that is read at once, in bytes. */
const pieceBytes = 1024 * 1024;

/** A partition that is adopted. */
interface Adopting {
  readonly compared: Compared;
  readonly logId: string;
  /** Dead letters of what is given up, and what waits behind them: they go with it. */
  readonly groups: readonly ParkedGroup[];
}

/** Runs the verb. */
export function adoptFleet(flags: Flags): Promise<void> {
  return withFleet(flags, async (both) => {
    const { keeper } = both.connected;
    const { partitions } = someOptions(flags, ["partitions"]);
    const { fleet, compared } = both.fleet === null ? await unborn(both, partitions) : await found(both, both.fleet);
    const store = await loadStore(both.store.descriptor);
    try {
      const adopting: Adopting[] = [];
      for (const each of compared) if (!isSound(each)) adopting.push(await lookedAt(store, fleet, each));
      refuseGaps(adopting, flags["acceptGap"] === true);
      const born = await bear(keeper, fleet);
      if (born.id !== fleet.id) throw moved("another process has begun a queue there");
      await adoptAll(keeper, fleet, store, adopting);
      print(adoptedJson(fleet, adopting), flags["json"] === true, () => adoptedText(fleet, adopting));
    } finally {
      await store.close();
    }
  });
}

interface FleetCompared {
  readonly fleet: Fleet;
  readonly compared: readonly Compared[];
}

async function found({ connected, look }: FleetAndStore, fleet: Fleet): Promise<FleetCompared> {
  return { fleet, compared: await compareFleet(connected.keeper, fleet, look) };
}

/** A new fleet for an empty Redis, cut as the old one was. It is not made before all is known. */
async function unborn({ connected, look }: FleetAndStore, partitions: number): Promise<FleetCompared> {
  const looked = await look();
  const { place } = connected.keeper;
  if (looked.every(({ position }) => position === null)) throw cliError(exitCodes.failed, noFleet(place, looked));
  const before = Math.max(...looked.map(({ partition }) => partition)) + 1;
  const fleet = { id: newFleetId(nodeHost()), partitions: before === 1 ? partitions : before };
  const written = looked.filter(({ position }) => position !== null);
  return { fleet, compared: written.map(({ partition, position }) => emptied(fleet, partition, position)) };
}

/** What of a partition is in the database. Another live queue there is respected (TABLES_IN_USE). */
async function lookedAt(store: Store, fleet: Fleet, compared: Compared): Promise<Adopting> {
  const { partition, database, goesOn, verdict } = compared;
  const logId = logIdOf(fleet.id, partition);
  const { position, parked = [] } = await store.open({ logId, partition });
  const isSame = position === null ? database === null : database !== null && samePosition(position, database);
  if (!isSame) throw moved(`the database has moved with partition ${partition} while it was looked at`);
  // Their numbers are taken by other frames from now on.
  const isGone = ({ letters }: ParkedGroup): boolean =>
    verdict === "emptied" || letters.some((letter) => letter.position.sequence > goesOn.sequence);
  return { compared, logId, groups: parked.filter(isGone) };
}

function moved(what: string): CliError {
  return new CliError(exitCodes.failed, `${what}; nothing was changed`, "run the same command again");
}

function refuseGaps(adopting: readonly Adopting[], accepted: boolean): void {
  const gaps = adopting.filter(({ compared, groups }) => compared.isGap || groups.length > 0);
  if (gaps.length === 0 || accepted) return;
  const message = `nothing was changed:\n${gaps.map((each) => `  - ${givenUp(each)}`).join("\n")}`;
  throw new CliError(exitCodes.failed, message, "go on all the same: the same command with --accept-gap");
}

async function adoptAll(keeper: Keeper, fleet: Fleet, store: Store, adopting: readonly Adopting[]): Promise<void> {
  const claims = new Map<number, Claim>();
  const generations = new Map<number, number>();
  for (const { compared, logId, groups } of adopting) {
    const { partition, goesOn, broken } = compared;
    // No write comes between the position and what is cleared for it.
    if (broken === null)
      await keeper.break(partition, "it is being adopted: run `write-behind adopt` again if that was cut off");
    const claim = await keeper.claim(`adopt by process ${process.pid}`, partition, leaseMs, true);
    if (claim === null) throw new Error("broken invariant: a partition can be taken from anybody");
    claims.set(partition, claim);
    const { generation } = await store.open({ logId, partition, adopt: goesOn });
    generations.set(partition, generation + (await dropped(store, { compared, logId, groups }, generation)));
  }
  await forgetClean(keeper, fleet, adopting, claims);
  for (const { compared } of adopting) {
    const { partition } = compared;
    const claim = claims.get(partition) as Claim;
    await mend(keeper, compared, claim, generations.get(partition) as number);
    await store.release?.(partition);
    await keeper.release(claim);
  }
}

/** Gives up dead letters; says by how much the generation has grown. */
async function dropped(store: Store, { compared, groups }: Adopting, generation: number): Promise<number> {
  if (groups.length === 0) return 0;
  const { partition, goesOn } = compared;
  await store.commit({
    partition,
    expected: goesOn,
    generation,
    to: goesOn,
    clear: false,
    rows: new Map(),
    frames: 0,
    sweepUpTo: null,
    parking: { drop: groups.map(({ id }) => id), put: [] },
  });
  return 1;
}

/** What is clean in the cache may be older than the rows of what is given up. */
async function forgetClean(
  keeper: Keeper,
  { partitions }: Fleet,
  adopting: readonly Adopting[],
  claims: ReadonlyMap<number, Claim>,
): Promise<void> {
  if (adopting.length === 0) return;
  const upTo = new Map(adopting.map(({ compared }) => [compared.partition, compared.goesOn.sequence]));
  const forget = async (records: readonly Bytes[]): Promise<void> => {
    for (const [partition, some] of byPartition(records, partitions)) {
      const claim = claims.get(partition);
      if (claim !== undefined) await keeper.forget(claim, upTo.get(partition) ?? 0, some);
    }
  };
  for (let after: string | null = null, more = true; more;) {
    const { records, next } = await keeper.records(after);
    await forget(records);
    for (const claim of claims.values()) await keeper.holds(claim, leaseMs);
    [after, more] = [next, next !== null];
  }
  for (const { compared } of adopting) {
    for await (const frames of logOf(keeper, compared.partition, compared.stored.sequence, compared.goesOn.sequence))
      await forget(frames.flatMap(recordsOf));
  }
}

function byPartition(records: readonly Bytes[], partitions: number): ReadonlyMap<number, Bytes[]> {
  const groups = new Map<number, Bytes[]>();
  for (const record of records) {
    const partition = partitionOf(record, partitions);
    const group = groups.get(partition);
    if (group === undefined) groups.set(partition, [record]);
    else group.push(record);
  }
  return groups;
}

function recordsOf({ frame: { body } }: FrameOnDisk): Bytes[] {
  return body.kind === "clear" ? [] : body.changes.map(({ record }) => record);
}

async function mend(keeper: Keeper, { partition, goesOn }: Compared, claim: Claim, generation: number): Promise<void> {
  // Broken as it is, the log cannot grow.
  const head = (await keeper.states([partition])).states[0]?.head.sequence ?? 0;
  let bytes = 0;
  for await (const frames of logOf(keeper, partition, goesOn.sequence, head))
    for (const frame of frames) bytes += frame.bytes;
  const [last] = goesOn.sequence === 0 ? [] : await keeper.frames(partition, goesOn.sequence - 1, 1);
  const mended = await keeper.mend(claim, { position: goesOn, at: last?.frame.at ?? 0, generation, head, bytes });
  if (!mended) throw new Error(`broken invariant: partition ${partition} has grown while it stood still`);
}

/** Frames after a sequence up to another one. */
async function* logOf(
  keeper: Keeper,
  partition: number,
  after: number,
  upTo: number,
): AsyncIterable<readonly FrameOnDisk[]> {
  for (let from = after; from < upTo;) {
    const frames = (await keeper.frames(partition, from, pieceBytes)).filter(
      ({ frame }) => frame.position.sequence <= upTo,
    );
    const last = frames.at(-1);
    if (last === undefined) return;
    yield frames;
    from = last.frame.position.sequence;
  }
}

function lettersOf({ groups }: Adopting): number {
  return groups.reduce((all, { letters }) => all + letters.length, 0);
}

function givenUp(adopting: Adopting): string {
  const { compared } = adopting;
  const letters = lettersOf(adopting);
  const dead = letters === 0 ? "" : `; ${counted(letters, "dead letter")} and what waits behind`;
  const isWhole = compared.verdict === "fits" || compared.verdict === "behind";
  const what = isWhole ? `nothing is given up; ${counted(compared.frames, "frame")} to be written` : lossText(compared);
  return `partition ${compared.partition}: ${what}${dead}`;
}

function adoptedJson(fleet: Fleet, adopting: readonly Adopting[]): unknown {
  const items = adopting.map((each) => ({
    partition: each.compared.partition,
    why: each.compared.verdict,
    position: positionText(each.compared.goesOn),
    framesKept: each.compared.frames,
    framesGivenUp: each.compared.lost,
    lettersGivenUp: lettersOf(each),
  }));
  return { fleet: fleet.id, items, next: null };
}

function adoptedText(fleet: Fleet, adopting: readonly Adopting[]): string {
  if (adopting.length === 0) return `the fleet ${fleet.id} and its database belong together; nothing was changed\n`;
  const lines = adopting.map((each) => `${givenUp(each)}\n`);
  return `${lines.join("")}the fleet ${fleet.id} goes on; its workers take these partitions by themselves\n`;
}
