/**
 * A fleet in a world: a keeper, a database, processes that come and go, clients, and one seed that decides everything.
 * First faults, then calm (fleet-course.ts), in which everything must converge. The same seed gives the same world,
 * event by event.
 */
import type { RecordChange } from "../../src/change.js";

import { WriteBehindError } from "../../src/errors.js";
import { Violation, type Invocation } from "../checkers/checker.js";
import { fleetCheckers } from "../checkers/fleet/all.js";
import type { FleetChecker, PartitionLook } from "../checkers/fleet/fleet-checker.js";
import { Client, type Town } from "../client.js";
import { SimulatedDatabase, type Commit } from "../database.js";
import { Dice } from "../host/random.js";
import { Machine, type Process } from "../machine.js";
import type { MemoryKeeperState } from "../redis/keeper-state.js";
import { Trace } from "../trace.js";
import type { Result } from "../world.js";
import { beCalm, type FleetStage } from "./fleet-course.js";
import { fleetIncidents, type FleetFate } from "./fleet-incidents.js";
import { FleetModel } from "./fleet-model.js";
import { fleetSwarm, type FleetOptions } from "./fleet-swarm.js";
import { Member, type FleetSurroundings } from "./member.js";
import { WatchedPlace } from "./watched-place.js";

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

class FleetWorld implements FleetSurroundings, Town, FleetFate, FleetStage {
  readonly dice: Dice;
  readonly options: FleetOptions;
  readonly machine: Machine;
  readonly database: SimulatedDatabase;
  readonly place: WatchedPlace;
  readonly model = new FleetModel();
  readonly makers = new WeakMap<RecordChange, Invocation>();
  members: Member[] = [];
  isCalm = false;
  readonly #trace: Trace;
  readonly #seed: number;
  readonly #checkers: readonly FleetChecker[];
  readonly #clients: Client[];
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
    const { crashes } = this.machine;
    this.database = new SimulatedDatabase(this.machine);
    Object.assign(this.database.temper, this.options.database);
    Object.assign(crashes.temper, { atStep: this.options.crashes, whileOpening: this.options.crashes });
    crashes.mayCrash = () => !this.isCalm;
    crashes.onCrash = (owner) => this.#crash(owner as Process);
    const { model, options, database } = this;
    const { checkers, outside } = fleetCheckers({ model, options, database });
    this.#checkers = checkers;
    this.place = new WatchedPlace(this, outside);
    this.database.onCommit = (commit) => this.#committed(commit);
    this.database.onOpen = (process, { partition = 0 }) => this.observe((each) => each.opened?.(process, partition));
    this.database.onWentBack = () => this.observe((each) => each.databaseWentBack?.());
    this.#left = options.operations;
    this.#clients = Array.from({ length: options.clients }, (_, index) => new Client(`c${index}`, this));
  }

  get state(): MemoryKeeperState {
    return this.place.state;
  }

  get mayMismatch(): boolean {
    return this.place.mayMismatch;
  }

  get wiped(): boolean {
    return this.place.wiped;
  }

  get nowMs(): number {
    return this.machine.loop.nowMs;
  }

  get isBroken(): boolean {
    return this.#failure !== null;
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
    const reached = {
      kills,
      powerLosses: 0,
      faults: this.place.faults + this.database.faults,
      points: crashes.reached,
    };
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
    const latencyMs = Math.min(this.place.temper.latencyMs, this.options.engine.leaseMs / 100);
    Object.assign(this.place.temper, { failsBefore: 0, failsAfter: 0, failsOver: 0, latencyMs });
    const calm = { readFails: 0, readSlow: 0, failsBefore: 0, failsAfter: 0, comesLate: 0, down: false };
    Object.assign(this.database.temper, calm);
    this.database.cutOff.clear();
    this.place.state.onAppend = () => {};
    this.place.down = false;
    for (const { process, road } of this.members) {
      Object.assign(road, { cut: false, slowness: 1 });
      this.machine.goOn(process);
    }
    this.place.state.paused = false;
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
    if (heart === null || member.leaving || this.place.wiped || (member.process.stopped ?? null) !== null) return;
    const heads = [...this.model.heads];
    heart.flush().then(
      () => this.observe((checker) => checker.toldStored?.(heads)),
      (error: unknown) => {
        if (!(error instanceof WriteBehindError)) this.fail(error);
      },
    );
  }

  #committed(commit: Commit): void {
    const { partition = 0 } = commit.batch;
    this.observe((checker) => checker.committed?.(commit, partition));
    this.place.lookApart(partition);
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
    this.place.open.add(invocation);
    this.observe((checker) => checker.asked?.(invocation));
  }

  closed(invocation: Invocation): void {
    this.place.open.delete(invocation);
  }

  tell(words: () => string): void {
    this.machine.tell(words);
  }

  fail(error: unknown): void {
    if (this.#failure !== null) return;
    const promise = error instanceof Violation ? error.promise : "the engine works";
    const isFault = error instanceof Error && !(error instanceof Violation);
    const message = isFault ? (error.stack ?? error.message) : error instanceof Error ? error.message : String(error);
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
    return this.place.looks();
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
