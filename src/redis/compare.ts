/**
 * Holds the positions of a database against the logs of a fleet, and changes nothing. The rule is the one of a worker
 * (worker/keeper-queue.ts): the frame at the database's position must be there and the same.
 */
import { samePosition, type Position } from "../queue/queue.js";
import type { LookedPosition } from "../store/store.js";
import type { Fleet, Keeper, PartitionState } from "./keeper.js";
import { logIdOf } from "./partition.js";

/**
 * `fits`: what the log has more is pending. `behind`: the database went back, and the log heals it. `emptied`: the
 * database has another queue's position. `older`: the log ends before it. `forked`: another frame is there. `trimmed`:
 * the log begins after it.
 */
export type Verdict = "fits" | "behind" | "emptied" | "older" | "forked" | "trimmed";

/** A partition in the log and in the database. */
export interface Compared {
  readonly partition: number;
  readonly verdict: Verdict;
  /** Where the database is; null where no queue has ever written this partition. */
  readonly database: Position | null;
  /** The log's last frame. */
  readonly head: Position;
  /** What a worker has said to be stored. */
  readonly stored: Position;
  /** Where it can go on: the database's position, or the newest earlier one that the log has too. */
  readonly goesOn: Position;
  /** Nothing that both have can be found: where it goes on is only where the log can be read from. */
  readonly isGap: boolean;
  /** Frames that the log has after that: they are written to the database. */
  readonly frames: number;
  /**
   * Frames that were written to the database and that the log has no more (older, forked), or that neither has
   * (trimmed); null where nobody can tell (emptied).
   */
  readonly lost: number | null;
  readonly broken: string | null;
  readonly owner: string | null;
}

/** Beside processes that write and trim, a look may see half a moment. What is seen so often is believed. */
const looksMax = 10;

/** Whether nothing is to be done: a worker goes on by itself. */
export function isSound({ verdict, broken }: Compared): boolean {
  return (verdict === "fits" || verdict === "behind") && broken === null;
}

/** A partition of a log that has nothing yet, beside a database that another queue has written to. */
export function emptied({ id }: Pick<Fleet, "id">, partition: number, database: Position | null): Compared {
  const base: Position = { logId: logIdOf(id, partition), sequence: 0, tag: 0 };
  return {
    partition,
    verdict: "emptied",
    database,
    head: base,
    stored: base,
    goesOn: base,
    isGap: false,
    frames: 0,
    lost: null,
    broken: null,
    owner: null,
  };
}

/** Compares every partition. `look`: the positions of the database. */
export async function compareFleet(
  keeper: Keeper,
  fleet: Fleet,
  look: () => Promise<readonly LookedPosition[]>,
): Promise<readonly Compared[]> {
  let before = "";
  for (let looks = 1; ; looks++) {
    const compared = await compareOnce(keeper, fleet, look);
    const wrong = JSON.stringify(
      compared
        .filter((each) => !isSound(each))
        .map(({ partition, verdict, database, goesOn }) => [partition, verdict, database, goesOn]),
    );
    if (wrong === "[]" || wrong === before || looks >= looksMax) return compared;
    before = wrong;
  }
}

async function compareOnce(
  keeper: Keeper,
  { id, partitions }: Fleet,
  look: () => Promise<readonly LookedPosition[]>,
): Promise<readonly Compared[]> {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  // First what was said to be stored, then the database: it can only have become more meanwhile. The heads come last.
  const early = (await keeper.states(all)).states;
  const looked = await look();
  const found = await Promise.all(
    all.map((partition) => {
      const database = looked.find((each) => each.partition === partition);
      const position = database?.position ?? null;
      const isOurs = position !== null && position.logId === logIdOf(id, partition);
      return isOurs ? frameAt(keeper, partition, position) : Promise.resolve(null);
    }),
  );
  const late = (await keeper.states(all)).states;
  return Promise.all(
    all.map((partition) =>
      compared(keeper, {
        logId: logIdOf(id, partition),
        early: early[partition] as PartitionState,
        late: late[partition] as PartitionState,
        looked: looked.find((each) => each.partition === partition) ?? null,
        found: found[partition] ?? null,
      }),
    ),
  );
}

/** What was read of a partition. */
interface Read {
  readonly logId: string;
  readonly early: PartitionState;
  readonly late: PartitionState;
  readonly looked: LookedPosition | null;
  /** The log's frame where the database is. */
  readonly found: Position | null;
}

/** What is found of a partition, before it is told. */
interface Found {
  readonly verdict: Verdict;
  readonly goesOn: Position;
  readonly lost: number | null;
  readonly isGap?: boolean;
}

async function compared(keeper: Keeper, read: Read): Promise<Compared> {
  const { early, late, looked } = read;
  const { partition, head, broken, owner } = late;
  const { verdict, goesOn, lost, isGap = false } = await verdictOf(keeper, read);
  const database = looked?.position ?? null;
  const frames = Math.max(0, head.sequence - goesOn.sequence);
  return { partition, verdict, database, head, stored: early.stored, goesOn, isGap, frames, lost, broken, owner };
}

function verdictOf(keeper: Keeper, { logId, early, late, looked, found }: Read): Found | Promise<Found> {
  const base: Position = { logId, sequence: 0, tag: 0 };
  const at = looked?.position ?? base;
  if (at.logId !== logId) return { verdict: "emptied", goesOn: base, lost: null };
  if (at.sequence === 0 || (found !== null && samePosition(found, at))) return whereItIs(keeper, early, late, at);
  return whereTheyParted(keeper, { early, late, at, base, found, runEnds: looked?.runEnds ?? [] });
}

/** The log has the frame where the database is, or the database is empty: all of the log must be there then. */
async function whereItIs(keeper: Keeper, early: PartitionState, late: PartitionState, at: Position): Promise<Found> {
  const first = await firstFrame(keeper, late.partition);
  const begins = at.sequence > 0 || first === null || first.sequence === 1 || late.base?.from.sequence === 0;
  if (!begins) return { verdict: "trimmed", goesOn: first, lost: first.sequence, isGap: true };
  return { verdict: at.sequence < early.stored.sequence ? "behind" : "fits", goesOn: at, lost: 0 };
}

/** A database, and a log that has another frame where it is, or none. */
interface Parted {
  readonly early: PartitionState;
  readonly late: PartitionState;
  readonly at: Position;
  readonly base: Position;
  readonly found: Position | null;
  readonly runEnds: readonly Position[];
}

async function whereTheyParted(keeper: Keeper, parted: Parted): Promise<Found> {
  const { early, late, at, base, found, runEnds } = parted;
  const { partition, head } = late;
  if (found === null && head.sequence >= at.sequence) {
    const first = late.base?.from.sequence === 0 ? base : ((await firstFrame(keeper, partition)) ?? head);
    return { verdict: "trimmed", goesOn: first, lost: Math.max(0, first.sequence - at.sequence), isGap: true };
  }
  const common = await newestCommon(keeper, partition, runEnds, base.logId);
  const goesOn = common ?? (await ownStored(keeper, early, base));
  const verdict = found === null ? "older" : "forked";
  return { verdict, goesOn, lost: at.sequence - goesOn.sequence, isGap: common === null };
}

/** The newest position that commits have reached and that the log still has. */
async function newestCommon(
  keeper: Keeper,
  partition: number,
  runEnds: readonly Position[],
  logId: string,
): Promise<Position | null> {
  for (const end of runEnds) {
    if (end.logId !== logId) continue;
    const found = await frameAt(keeper, partition, end);
    if (found !== null && samePosition(found, end)) return end;
  }
  return null;
}

/** Where the database was when this log was current, by what the log says itself; or before its first frame. */
async function ownStored(keeper: Keeper, state: PartitionState, base: Position): Promise<Position> {
  const { partition, stored } = state;
  if (stored.sequence > 0 && (await frameAt(keeper, partition, stored)) !== null) return stored;
  const first = await firstFrame(keeper, partition);
  return first === null || first.sequence === 1 || state.base?.from.sequence === 0 ? base : first;
}

function frameAt(keeper: Keeper, partition: number, { sequence }: Position): Promise<Position | null> {
  return sequence === 0 ? Promise.resolve(null) : keeper.positionAt(partition, sequence);
}

async function firstFrame(keeper: Keeper, partition: number): Promise<Position | null> {
  const [first] = await keeper.frames(partition, 0, 1);
  return first?.frame.position ?? null;
}
