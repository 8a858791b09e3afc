/**
 * A fleet in a world: a keeper, a database, processes that come and go, clients, and one seed that decides everything.
 * First faults, then calm (fleet-course.ts), in which everything must converge. The same seed gives the same world,
 * event by event.
 */
import type { Bytes } from "../../src/bytes.js";
import type { RecordChange } from "../../src/change.js";
import { partitionOf } from "../../src/redis/partition.js";
import { recordsOf } from "../operation.js";
import { WriteBehindError } from "../../src/errors.js";
import { Violation, type Invocation } from "../checkers/checker.js";
import { fleetCheckers } from "../checkers/fleet/all.js";
import type { FleetChecker, PartitionLook } from "../checkers/fleet/fleet-checker.js";
import { Client, type Town } from "../client.js";
import { SimulatedDatabase, type Commit } from "../database.js";
import { Dice } from "../host/random.js";
import { Machine, type Process } from "../machine.js";
import { MemoryKeeperState } from "../redis/keeper-state.js";
import type { KeeperVerb } from "../redis/memory-keeper.js";
import { Trace } from "../trace.js";
import type { Result } from "../world.js";
import { beCalm, type FleetStage } from "./fleet-course.js";
import { fleetIncidents, type FleetFate, type Saved } from "./fleet-incidents.js";
import { FleetModel } from "./fleet-model.js";
import { fleetSwarm, type FleetOptions } from "./fleet-swarm.js";
import { Member, type FleetSurroundings } from "./member.js";
import { taggedKey, type KeeperPlace } from "./simulated-keeper.js";

/** How a fleet's world ended. */
export type FleetResult = Omit<Result, "options"> & { readonly options: FleetOptions };

/** Runs the fleet of a seed. With `telling` the result has the story in words. */
export async function runFleet(seed: number, telling = false): Promise<FleetResult> {
  return new FleetWorld(seed, telling).run();
}

/** How long anything may take once all is calm, in milliseconds of virtual time. */
const calmLimitMs = 1_000_000;
/** How long the faults go on at the most. */
const faultsMs = 20_000;
/** Processes that there are at the most. */
const membersMax = 8;
/** More events than any honest world needs. */
const eventsMax = 3_000_000;

class FleetWorld implements FleetSurroundings, Town, FleetFate, FleetStage, KeeperPlace {
  readonly dice: Dice;
  readonly options: FleetOptions;
  readonly machine: Machine;
  readonly database: SimulatedDatabase;
  readonly state: MemoryKeeperState;
  readonly model = new FleetModel();
  readonly makers = new WeakMap<RecordChange, Invocation>();
  readonly temper: KeeperPlace["temper"];
  readonly saved: Saved[] = [];
  members: Member[] = [];
  isCalm = false;
  down = false;
  life = 0;
  faults = 0;
  mayMismatch = false;
  /** The keeper has been emptied: the fleet that was is no more. */
  wiped = false;
  readonly #trace: Trace;
  readonly #seed: number;
  readonly #checkers: readonly FleetChecker[];
  readonly #outside: ReturnType<typeof fleetCheckers>["outside"];
  readonly #clients: Client[];
  /** What is asked and not answered. */
  readonly #open = new Set<Invocation>();
  #looks: PartitionLook[] = [];
  #idle: (() => void)[] = [];
  #left: number;
  #done = false;
  #failure: Result["failure"] = null;
  #awaited: { readonly condition: () => boolean; readonly came: () => void } | null = null;

  constructor(seed: number, telling: boolean) {
    this.#seed = seed;
    this.dice = new Dice(seed);
    this.#trace = new Trace(telling);
    this.options = fleetSwarm(this.dice);
    this.machine = new Machine(this.dice, this.#trace);
    const { loop, crashes } = this.machine;
    this.state = new MemoryKeeperState({ now: () => loop.wallMs });
    this.database = new SimulatedDatabase(this.machine);
    this.temper = { ...this.options.keeper };
    Object.assign(this.database.temper, this.options.database);
    Object.assign(crashes.temper, { atStep: this.options.crashes, whileOpening: this.options.crashes });
    crashes.mayCrash = () => !this.isCalm;
    crashes.onCrash = (owner) => this.#crash(owner as Process);
    const { model, options, database } = this;
    const { checkers, outside } = fleetCheckers({ model, options, database });
    this.#checkers = checkers;
    this.#outside = outside;
    this.database.onCommit = (commit) => this.#committed(commit);
    this.database.onOpen = (process, { partition = 0 }) => this.observe((each) => each.opened?.(process, partition));
    this.database.onWentBack = () => this.observe((each) => each.databaseWentBack?.());
    this.#left = options.operations;
    this.#clients = Array.from({ length: options.clients }, (_, index) => new Client(`c${index}`, this));
  }

  get nowMs(): number {
    return this.machine.loop.nowMs;
  }

  get absentMs(): number {
    return this.options.engine.absentMs;
  }

  get isBroken(): boolean {
    return this.#failure !== null;
  }

  get place(): KeeperPlace {
    return this;
  }

  async run(): Promise<FleetResult> {
    this.tell(() => JSON.stringify(this.options));
    for (let each = 0; each < this.options.fronts; each++) this.#start(true, this.dice.chance(this.options.both));
    for (let each = 0; each < this.options.workers; each++) this.#start(false, true);
    this.#nextIncident();
    this.#live().catch((error: unknown) => this.fail(error));
    const { loop } = this.machine;
    try {
      await loop.run(() => this.#isOver());
      if (!this.#done && !this.isBroken) this.fail(new Error("nothing will happen any more"));
    } catch (error) {
      this.fail(error);
    }
    const { kills, crashes } = this.machine;
    const reached = { kills, powerLosses: 0, faults: this.faults + this.database.faults, points: crashes.reached };
    return {
      seed: this.#seed,
      reached,
      hash: this.#trace.hash,
      events: loop.count,
      failure: this.#failure,
      story: this.#trace.story,
      options: this.options,
    };
  }

  async #live(): Promise<void> {
    let over = false;
    this.later(faultsMs, () => (over = true));
    await this.#wait(() => over || this.#clients.every((client) => client.finished));
    this.#beCalm();
    await this.until(() => this.#clients.every((client) => !client.waits), "every client has its replies");
    await beCalm(this);
    this.observe((checker) => checker.over?.());
    this.#done = true;
  }

  /** No faults from here on. */
  #beCalm(): void {
    this.isCalm = true;
    this.#left = 0;
    this.tell(() => "calm");
    // A lease that is shorter than the way to the keeper holds nothing.
    const latencyMs = Math.min(this.temper.latencyMs, this.options.engine.leaseMs / 100);
    Object.assign(this.temper, { failsBefore: 0, failsAfter: 0, latencyMs });
    const calm = { readFails: 0, readSlow: 0, failsBefore: 0, failsAfter: 0, comesLate: 0, down: false };
    Object.assign(this.database.temper, calm);
    this.database.cutOff.clear();
    this.state.onAppend = () => {};
    this.down = false;
    for (const { process, road } of this.members) {
      Object.assign(road, { cut: false, slowness: 1 });
      this.machine.goOn(process);
    }
    this.state.paused = false;
    this.#complete();
  }

  /** At least one that serves and one that works. */
  #complete(): void {
    const stay = this.members.filter(({ leaving }) => !leaving);
    if (!stay.some(({ isFront }) => isFront)) this.#start(true, false);
    if (!stay.some(({ works }) => works)) this.#start(false, true);
  }

  // What happens.

  start(): void {
    if (this.members.length >= membersMax) return;
    const front = this.dice.chance(0.4);
    this.#start(front, !front || this.dice.chance(this.options.both));
  }

  #start(front: boolean, works: boolean): void {
    this.members.push(new Member(this.machine.start(), { front, works }, this));
  }

  kill(member: Member): void {
    this.machine.kill(member.process);
    this.#forget(member);
  }

  leave(member: Member): void {
    member.leave(() => this.kill(member));
  }

  #crash(process: Process): void {
    const member = this.members.find((each) => each.process === process);
    if (member !== undefined) this.kill(member);
    else this.machine.kill(process);
  }

  #forget(member: Member): void {
    this.members = this.members.filter((each) => each !== member);
    for (const client of this.#clients) client.abandon(member);
    if (this.isCalm) this.#complete();
    else this.later(this.dice.number() * 50, () => this.#complete());
  }

  #nextIncident(): void {
    const names = Object.keys(this.options.incidents) as (keyof typeof fleetIncidents)[];
    const weights = Object.values(this.options.incidents);
    this.later(-Math.log(1 - this.dice.number()) * this.options.incidentMs, () => {
      if (this.isCalm) return;
      if (weights.some((weight) => weight > 0)) {
        fleetIncidents[names[this.dice.weighted(weights)] as keyof typeof fleetIncidents](this);
      }
      this.#nextIncident();
    });
  }

  flush(member: Member): void {
    const { heart } = member;
    if (heart === null || member.leaving || this.wiped || member.process.stopped != null) return;
    const heads = [...this.model.heads];
    heart.flush().then(
      () => this.observe((checker) => checker.toldStored?.(heads)),
      (error: unknown) => {
        if (!(error instanceof WriteBehindError)) this.fail(error);
      },
    );
  }

  // The keeper.

  save(): void {
    if (this.wiped || this.state.fleet === null) return;
    this.saved.push({ snapshot: this.state.snapshot(), heads: [...this.model.heads] });
    if (this.saved.length > 3) this.saved.shift();
  }

  /** It is started anew from an older file. */
  goBack({ snapshot, heads }: Saved): void {
    if (this.wiped) return;
    this.tell(() => `the keeper goes back to ${heads.map((head) => head?.position.sequence ?? 0).join(" ")}`);
    this.state.restore(snapshot);
    this.model.heads = [...heads];
    this.#lost();
  }

  wipe(): void {
    if (this.wiped || this.state.fleet === null) return;
    this.tell(() => "the keeper is emptied");
    this.wiped = true;
    this.state.wipe();
    this.model.heads = [];
    this.#lost();
  }

  restartKeeper(): void {
    this.life++;
    this.state.publish({ kind: "fleet" });
  }

  #lost(): void {
    this.mayMismatch = true;
    this.restartKeeper();
    this.#looks = this.state.partitions.map(lookAt);
    this.observe((checker) => checker.keeperWentBack?.());
    // What was answered may be lost: what comes after it is another history.
    this.#outside.opened(0, "rot");
    for (const invocation of this.#open) {
      invocation.inDoubt = true;
      // It may have read what is lost, and write it yet.
      if (invocation.frame === 0) this.#outside.givenUp(recordsOf(invocation.operation));
    }
    for (const partition of this.state.partitions.keys()) this.#lookApart(partition);
  }

  stepped(process: Process, verb: KeeperVerb): void {
    for (const [partition, data] of this.state.partitions.entries()) {
      const before = this.#looks[partition] ?? nothingYet;
      const after = lookAt(data);
      const frames = this.#frames(partition);
      this.#looks[partition] = after;
      if (verb === "release" && before.owner !== null && after.owner === null)
        this.observe((checker) => checker.released?.(process, partition));
      this.observe((checker) => checker.stepped?.(partition, before, after, frames));
    }
  }

  holds(process: Process, partition: number): void {
    this.observe((checker) => checker.holds?.(process, partition));
  }

  /** Takes the frames into the model that a step has written. Says how many. */
  #frames(partition: number): number {
    const data = this.state.partitions[partition] as MemoryKeeperState["partitions"][number];
    const last = this.model.heads[partition]?.position ?? { sequence: 0, tag: 0 };
    if (data.sequence === last.sequence && data.tag === last.tag) return 0;
    const fresh = data.log.flatMap(({ frames }) => frames).slice(-(data.sequence - last.sequence));
    let next = last.sequence;
    for (const { frame } of fresh) {
      const { position, at, body } = frame;
      if (position.sequence !== ++next)
        this.fail(
          new Violation(
            "3 order per record",
            `frame ${position.sequence} of partition ${partition} is after ${next - 1}`,
          ),
        );
      if (body.kind === "clear" || this.isBroken) break;
      const accepted = this.model.accept(partition, position, at, body.changes);
      const maker = this.makers.get(body.changes[0] as RecordChange);
      this.tell(() => `frame ${position.sequence} of partition ${partition}, of ${maker?.client}`);
      this.#trace.number(position.sequence);
      if (maker === undefined) this.fail(new Error(`frame ${position.sequence} is nobody's`));
      else {
        this.observe((checker) => checker.framed?.(accepted, maker));
        maker.frame = position.sequence;
      }
    }
    return fresh.length;
  }

  #committed(commit: Commit): void {
    const { partition = 0 } = commit.batch;
    this.observe((checker) => checker.committed?.(commit, partition));
    this.#lookApart(partition);
  }

  /** Where the database has what the keeper has lost, readers see some of it until that is found out. */
  #lookApart(partition: number): void {
    const { keys, tags, partitions } = this.options;
    if (!this.mayMismatch || this.model.isPresent(partition, this.database.position(partition))) return;
    const records = Array.from({ length: keys }, (_, key) => taggedKey(`k${key}` as Bytes, tags));
    this.#outside.givenUp(records.filter((record) => partitionOf(record, partitions) === partition));
  }

  // What members and clients ask of their world.

  serving(): Member | null {
    const serve = this.members.filter(({ serves }) => serves);
    return serve.length === 0 ? null : this.dice.pick(serve);
  }

  whenServing(call: () => void): void {
    this.#idle.push(call);
  }

  takeOperation(): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    return true;
  }

  opened(_member: Member): void {
    for (const call of this.#idle.splice(0)) this.later(this.dice.number(), call);
  }

  later(delayMs: number, call: () => void): void {
    this.machine.loop.after(delayMs, "world", null, call);
  }

  observe(look: (checker: FleetChecker) => void): void {
    for (const checker of this.#checkers) {
      try {
        look(checker);
      } catch (error) {
        this.fail(error);
      }
    }
  }

  asked(invocation: Invocation): void {
    this.#open.add(invocation);
    this.observe((checker) => checker.asked?.(invocation));
  }

  closed(invocation: Invocation): void {
    this.#open.delete(invocation);
  }

  tell(words: () => string): void {
    this.machine.tell(words);
  }

  fail(error: unknown): void {
    if (this.#failure !== null) return;
    const promise = error instanceof Violation ? error.promise : "the engine works";
    const isOwn = error instanceof Violation || !(error instanceof Error);
    const message = isOwn ? String((error as Error).message ?? error) : (error.stack ?? error.message);
    this.#failure = { promise, message };
    this.tell(() => `BROKEN: ${promise}: ${message}`);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const late = (): void => this.fail(new Violation("nothing hangs", `${what}: not within ${calmLimitMs} ms of calm`));
    const limit = this.machine.loop.after(calmLimitMs, "limit", null, late);
    await this.#wait(condition);
    limit.cancel();
  }

  looks(): readonly PartitionLook[] {
    return this.state.partitions.map(lookAt);
  }

  async #wait(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((came) => (this.#awaited = { condition, came }));
  }

  #isOver(): boolean {
    if (this.#awaited?.condition() === true) {
      const { came } = this.#awaited;
      this.#awaited = null;
      came();
    }
    if (this.machine.loop.count > eventsMax) this.fail(new Violation("nothing hangs", "the world has no end"));
    return this.#done || this.isBroken;
  }
}

const nothingYet: PartitionLook = { stored: 0, settled: 0, bytes: 0, pendingRecords: 0, owner: null };

function lookAt(data: MemoryKeeperState["partitions"][number]): PartitionLook {
  const { stored, settled, bytes, pending, owner } = data;
  return { stored, settled, bytes, pendingRecords: pending.size, owner: owner?.worker ?? null };
}
