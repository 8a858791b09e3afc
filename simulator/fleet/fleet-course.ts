/**
 * The course of a fleet once its clients are done: calm. What is pending reaches the database although it refuses some
 * changes still; then it has no objection any more, and dead letters are retried. Every partition is owned, all is read
 * warm, and once more when nothing is left in the cache, and somebody writes once more.
 */
import type { Bytes } from "../../src/bytes.js";
import type { FleetChecker, FleetRest, PartitionLook } from "../checkers/fleet/fleet-checker.js";
import type { SimulatedDatabase } from "../database.js";
import type { Machine } from "../machine.js";
import type { Operation } from "../operation.js";
import type { MemoryKeeperState } from "../redis/keeper-state.js";
import type { FleetModel } from "./fleet-model.js";
import type { FleetOptions } from "./fleet-swarm.js";
import type { Member } from "./member.js";

/** The world in calm. */
export interface FleetStage {
  readonly machine: Machine;
  readonly database: SimulatedDatabase;
  readonly state: MemoryKeeperState;
  readonly model: FleetModel;
  readonly options: FleetOptions;
  readonly members: readonly Member[];
  readonly wiped: boolean;
  /** The keeper has lost something. */
  readonly mayMismatch: boolean;
  serving(): Member | null;
  observe(look: (checker: FleetChecker) => void): void;
  fail(error: unknown): void;
  tell(words: () => string): void;
  later(delayMs: number, call: () => void): void;
  until(condition: () => boolean, what: string): Promise<void>;
  looks(): readonly PartitionLook[];
}

/** What is done in calm, to the end. */
export async function beCalm(stage: FleetStage): Promise<void> {
  await rest(stage, 4 * stage.options.engine.leaseMs + 500);
  await stage.until(() => stage.serving() !== null, "a process serves");
  if (stage.wiped) return afterWipe(stage);
  await settle(stage);
  await readAll(stage, "warm");
  await ask(stage, "last", [{ kind: "set", key: "k0" as Bytes, value: "the last value" as Bytes, ttlMs: null }]);
  await settle(stage);
  stage.state.evictAll();
  await readAll(stage, "cold");
}

/** Everything pending reaches the database, and every partition has its owner. */
async function settle(stage: FleetStage): Promise<void> {
  const { database, state, members } = stage;
  const lost = mismatched(stage);
  for (const partition of lost.keys()) {
    await stage.until(
      () => said(stage, partition) !== null,
      `it is said that partition ${partition} has lost something`,
    );
  }
  const sound = state.partitions.filter((_, partition) => !lost.has(partition));
  // That the database went back is seen by the next beat.
  const isStored = (each: MemoryKeeperState["partitions"][number]): boolean =>
    each.sequence === each.stored &&
    (database.position(state.partitions.indexOf(each))?.sequence ?? 0) === each.sequence &&
    each.pending.size === 0;
  await stage.until(() => sound.every(isStored), "what is pending is stored or parked");
  database.temper.refuses = false;
  const retry = (): void => {
    if (sound.every((each) => each.letters === 0)) return;
    const again = (): void => stage.later(1000, retry);
    stage.serving()?.heart?.deadLetters.retry("all").then(again, again);
  };
  retry();
  await stage.until(() => sound.every((each) => each.letters === 0 && isStored(each)), "dead letters are retried");
  // Whatever a keeper that went back had missed it has been told.
  stage.model.doubtful = false;
  // Who lives on while the keeper loses his frames waits for them in vain.
  if (!stage.mayMismatch) await flush(stage);
  // Looked at in the same moment: in the next one a worker may give back a partition to one that has come.
  let [looks, shares] = [stage.looks(), sharesOf(members)];
  const isWhole = (): boolean => {
    [looks, shares] = [stage.looks(), sharesOf(members)];
    return looks.every(({ owner }) => owner !== null) && isBalanced(shares);
  };
  await stage.until(isWhole, "every partition is owned, and the shares are equal");
  const mismatches = new Map([...lost.keys()].map((partition) => [partition, said(stage, partition)]));
  const letters = sound.reduce((sum, each) => sum + each.letters, 0);
  const at: FleetRest = { mismatched: mismatches, looks, shares, letters };
  stage.observe((checker) => checker.atRest?.(at));
}

/** Partitions of which the database has what their log has lost. */
function mismatched({ model, database, state }: FleetStage): Map<number, null> {
  const lost = new Map<number, null>();
  for (const partition of state.partitions.keys()) {
    if (!model.isPresent(partition, database.position(partition))) lost.set(partition, null);
  }
  return lost;
}

/** What is said of a partition that has lost something. */
function said({ state, members }: FleetStage, partition: number): string | null {
  const reports = members.flatMap(({ worker }) => worker?.report().partitions ?? []);
  const report = reports.find((each) => each.partition === partition && each.state === "broken");
  return state.partitions[partition]?.broken ?? report?.error?.message ?? null;
}

function sharesOf(members: readonly Member[]): Map<string, number> {
  const workers = members.filter(({ worker, leaving }) => worker !== null && !leaving);
  return new Map(workers.map(({ process, worker }) => [process.name, worker?.report().partitions.length ?? 0]));
}

function isBalanced(shares: ReadonlyMap<string, number>): boolean {
  const counts = [...shares.values()];
  return counts.length > 0 && Math.max(...counts) - Math.min(...counts) <= 1;
}

async function flush(stage: FleetStage): Promise<void> {
  let over = false;
  const ended = (): boolean => (over = true);
  stage
    .serving()
    ?.heart?.flush()
    .then(ended, (error: unknown) => stage.fail(error));
  await stage.until(() => over, "a flush ends");
}

async function readAll(stage: FleetStage, name: string): Promise<void> {
  for (let key = 0; key < stage.options.keys; key++) await ask(stage, name, [{ kind: "get", key: `k${key}` as Bytes }]);
}

async function ask(stage: FleetStage, name: string, operation: Operation): Promise<void> {
  let done = false;
  await stage.until(() => stage.serving() !== null, "a process serves");
  stage.serving()?.submit(name, operation, true, () => (done = true));
  await stage.until(() => done, `${name} has its reply`);
}

async function rest(stage: FleetStage, ms: number): Promise<void> {
  let over = false;
  stage.later(ms, () => (over = true));
  await stage.until(() => over, "a while is over");
}

/** The fleet that was is no more: who was of it says so, and nothing of it is written over. */
async function afterWipe(stage: FleetStage): Promise<void> {
  const known = (): boolean =>
    stage.members.every(({ worker }) => {
      const report = worker?.report();
      if (report === undefined || report.error?.code === "QUEUE_MISMATCH") return true;
      return report.partitions.every(({ partition, state }) => {
        const position = stage.database.position(partition);
        return position === null || state === "broken" || position.logId === stage.state.partitions[partition]?.logId;
      });
    });
  await stage.until(known, "whoever writes partitions says that the keeper was emptied");
}
