/**
 * A world: a machine, a database, a system under test, clients, and one seed that decides everything. First faults,
 * then calm: no faults any more, and everything must converge.
 *
 * The same seed gives the same world, event by event (Result.hash).
 */
import type { Checker, Ending } from "./checkers/checker.js";
import { allCheckers } from "./checkers/all.js";
import { Violation } from "./checkers/checker.js";
import type { EngineOptions } from "../src/options.js";
import { beCalm } from "./course.js";
import { Client, type Town } from "./client.js";
import { SimulatedDatabase, type Commit } from "./database.js";
import type { FaultOf } from "./host/faults.js";
import { Dice } from "./host/random.js";
import type { Fate } from "./fate.js";
import { GivenUp } from "./given-up.js";
import { incidents } from "./incidents.js";
import { Instance, type Surroundings } from "./instance.js";
import { Machine, type Process } from "./machine.js";
import { Model } from "./model.js";
import { rowsTable } from "./rows.js";
import type { Stage } from "./stage.js";
import { swarm, type WorldOptions } from "./swarm.js";
import { Trace } from "./trace.js";

/** What a world has been through. */
export interface Reached {
  readonly kills: number;
  readonly powerLosses: number;
  /** Faults of disk and database. */
  readonly faults: number;
  /** Crashes at steps, by step and moment. */
  readonly points: ReadonlyMap<string, number>;
}

/** How a world ended. */
export interface Result {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  /** Null where every promise was kept. */
  readonly failure: { readonly promise: string; readonly message: string } | null;
  readonly story: readonly string[];
  readonly reached: Reached;
  readonly options: WorldOptions;
}

/** Another kind of world than the swarm's, and calls of its disk that fail. */
export interface Plan {
  readonly options: (dice: Dice) => WorldOptions;
  readonly faultOf?: FaultOf;
  /** How long the faults go on at the most, in milliseconds of virtual time. */
  readonly faultsMs?: number;
}

/** Runs the world of a seed. With `telling` the result has the story in words. */
export async function runWorld(seed: number, telling = false, plan: Plan | null = null): Promise<Result> {
  const world = new World(seed, telling, plan);
  return world.run();
}

/** How long anything may take once all is calm, in milliseconds of virtual time. */
const calmLimitMs = 1_000_000;

/** After so many events it is asked whether there will be an end. */
const askedEvents = 1000;

/** How long the faults go on at the most. */
const faultsLimitMs = 20_000;

/** After so many ends of processes there are only other faults: a world that never gets up shows nothing. */
const endsMax = 30;

class World implements Surroundings, Town, Fate, Stage {
  readonly seed: number;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly options: WorldOptions;
  readonly machine: Machine;
  readonly database: SimulatedDatabase;
  readonly model = new Model();
  /** Processes that live, oldest first. */
  instances: Instance[] = [];
  readonly givenUp: GivenUp | null;
  readonly rotten = { present: false, refused: false };
  isCalm = false;
  readonly #checkers: readonly Checker[];
  readonly #clients: Client[];
  readonly #faultsMs: number;
  #left: number;
  #ends = 0;
  #done = false;
  #awaited: { readonly condition: () => boolean; readonly came: () => void } | null = null;
  /** Clients that wait for a process to serve them. */
  #idle: (() => void)[] = [];
  #failure: Result["failure"] = null;
  /** The worst that happened to the queue since it was opened last. */
  #ending: Ending = "close";

  constructor(seed: number, telling: boolean, plan: Plan | null) {
    this.seed = seed;
    this.dice = new Dice(seed);
    this.trace = new Trace(telling);
    this.options = (plan?.options ?? swarm)(this.dice);
    this.#faultsMs = plan?.faultsMs ?? faultsLimitMs;
    this.machine = new Machine(this.dice, this.trace);
    this.database = new SimulatedDatabase(this.machine);
    if (this.options.rows) this.database.tables = [rowsTable];
    const diskMs = this.options.disk.latencyMs ?? 1;
    this.#checkers = allCheckers({ model: this.model, engine: this.options.engine, diskMs });
    const { incidents: weights, givesUpBehind } = this.options;
    this.givenUp = weights.discardLetters > 0 ? new GivenUp(this.model, givesUpBehind) : null;
    this.#left = this.options.operations;
    this.database.onCommit = (commit) => this.#committed(commit);
    this.database.onWentBack = (sequence) => this.observe((checker) => checker.wentBack?.(sequence));
    if (plan?.faultOf !== undefined) this.machine.disk.faults.planned = plan.faultOf;
    this.machine.disk.onMisuse = (message) => this.fail(new Error(message));
    const { crashes, disk } = this.machine;
    crashes.mayCrash = () => !this.isCalm && this.#ends <= endsMax;
    crashes.onCrash = (owner) => this.#crash(owner as Process);
    Object.assign(crashes.temper, this.options.crashes);
    Object.assign(disk.temper, this.options.disk);
    Object.assign(this.database.temper, this.options.database);
    this.#clients = Array.from({ length: this.options.clients }, (_, index) => new Client(`c${index}`, this));
  }

  get nowMs(): number {
    return this.machine.loop.nowMs;
  }

  get engine(): EngineOptions {
    return this.options.engine;
  }

  get isBroken(): boolean {
    return this.#failure !== null;
  }

  async run(): Promise<Result> {
    this.tell(() => JSON.stringify(this.options));
    this.start();
    this.#nextIncident();
    this.#live().catch((error: unknown) => this.fail(error));
    const { loop } = this.machine;
    try {
      await loop.run(() => this.#isOver());
      if (!this.#done && this.#failure === null) this.fail(new Error("nothing will happen any more"));
    } catch (error) {
      this.fail(error);
    }
    const { seed, options, trace, machine } = this;
    const { kills, powerLosses, crashes, disk } = machine;
    const reached = { kills, powerLosses, faults: disk.faults.count + this.database.faults, points: crashes.reached };
    return { seed, reached, hash: trace.hash, events: loop.count, failure: this.#failure, story: trace.story, options };
  }

  /** First faults, then calm. */
  async #live(): Promise<void> {
    let over = false;
    this.later(this.#faultsMs, () => (over = true));
    await this.#wait(() => over || this.#clients.every((client) => client.finished));
    this.#beCalm();
    let quiet = false;
    this.later(20 * this.machine.disk.temper.latencyMs, () => (quiet = true));
    await this.until(() => quiet, "what had failed before has been told");
    // One whose journal had failed while it opened serves for a moment only.
    const serves = (): boolean => this.nowMs > (this.serving()?.openedMs ?? Infinity);
    await this.until(serves, "a process serves");
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
    const { disk } = this.machine;
    Object.assign(disk.temper, { writeFails: 0, syncFails: 0, callFails: 0, capacityBytes: 2 ** 40 });
    disk.faults.planned = () => null;
    Object.assign(this.database.temper, {
      readFails: 0,
      readSlow: 0,
      failsBefore: 0,
      failsAfter: 0,
      comesLate: 0,
      down: false,
      refuses: false,
    });
    if (this.instances.length === 0) this.start();
  }

  // What happens.

  /** Starts a process. */
  start(): void {
    const process = this.machine.start();
    this.instances.push(new Instance(process, this.database.storeOf(process), this));
  }

  kill(instance: Instance): void {
    if (this.#ends++ > endsMax && !this.isCalm) return;
    if (instance.heart !== null) this.#worst("kill");
    this.machine.kill(instance.process);
    this.#forget(instance);
  }

  /** A step of this process is its last. */
  #crash(process: Process): void {
    if (this.dice.chance(this.options.crashes.power)) return this.losePower();
    const instance = this.instances.find((one) => one.process === process);
    if (instance === undefined) this.machine.kill(process);
    else this.kill(instance);
  }

  losePower(): void {
    if (this.#ends++ > endsMax) return;
    this.#worst("power");
    this.machine.losePower();
    for (const instance of this.instances.slice()) this.#forget(instance);
  }

  /** After a process has gone, another one comes. */
  #forget(instance: Instance): void {
    this.instances = this.instances.filter((other) => other !== instance);
    for (const client of this.#clients) client.abandon(instance);
    if (this.instances.length === 0) {
      this.later(this.dice.number() * 50, () => {
        if (this.instances.length === 0) this.start();
      });
    }
  }

  #worst(ending: Ending): void {
    const order: readonly Ending[] = ["close", "kill", "power"];
    if (order.indexOf(ending) > order.indexOf(this.#ending)) this.#ending = ending;
  }

  #nextIncident(): void {
    const weights = Object.values(this.options.incidents);
    const names = Object.keys(this.options.incidents) as (keyof typeof incidents)[];
    this.later(-Math.log(1 - this.dice.number()) * this.options.incidentMs, () => {
      if (this.isCalm) return;
      incidents[names[this.dice.weighted(weights)] as keyof typeof incidents](this);
      this.#nextIncident();
    });
  }

  // What instances and clients ask of their world.

  serving(): Instance | null {
    return this.instances.find((instance) => instance.serves) ?? null;
  }

  whenServing(call: () => void): void {
    this.#idle.push(call);
  }

  takeOperation(): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    return true;
  }

  later(delayMs: number, call: () => void): void {
    this.machine.loop.after(delayMs, "world", null, call);
  }

  opened(instance: Instance): void {
    const other = this.instances.find((one) => one !== instance && one.heart !== null && one.process.alive);
    if (other !== undefined)
      return this.fail(new Error(`${instance.process.name} serves beside ${other.process.name}`));
    const heart = instance.heart as NonNullable<Instance["heart"]>;
    const recovered = heart.accepted;
    const ending = this.rotten.present ? "rot" : this.#ending;
    this.rotten.present = false;
    this.observe((checker) => checker.opened?.(recovered, ending, heart.status()));
    this.#ending = "close";
    this.model.truncate(recovered);
    this.givenUp?.opened(heart);
    this.observe((checker) => checker.resumed?.(recovered));
    for (const call of this.#idle.splice(0)) this.later(this.dice.number(), call);
  }

  /** An operator who discards letters hears of them, and looks into it a while. */
  parked(): void {
    if (this.givenUp === null || this.isCalm || !this.dice.chance(0.5)) return;
    this.later(this.dice.number() * this.dice.pick([1, 50]), () => {
      if (!this.isCalm) incidents.discardLetters(this);
    });
  }

  /** What a process may say instead of serving: that its surroundings are failing, or that a file is damaged. */
  mayRefuse(error: unknown, code: string | null): boolean {
    if (this.rotten.present && (code === "JOURNAL_DAMAGED" || code === "JOURNAL_VERSION")) {
      this.rotten.refused = true;
      return true;
    }
    // A read of the journal that failed in the writer has no code of its own.
    if (code === "UNKNOWN") return String(error).includes("EIO");
    return code === "FOLDER_IN_USE" || code === "JOURNAL_FAILED" || code === "DISK_FULL";
  }

  ended(instance: Instance, why: string): void {
    if (why === "journal failed") this.#worst("kill");
    this.machine.kill(instance.process);
    this.#forget(instance);
  }

  observe(look: (checker: Checker) => void): void {
    for (const checker of this.#checkers) {
      try {
        look(checker);
      } catch (error) {
        this.fail(error);
      }
    }
  }

  tell(words: () => string): void {
    this.machine.tell(words);
  }

  fail(error: unknown): void {
    if (this.#failure !== null) return;
    const promise = error instanceof Violation ? error.promise : "the engine works";
    const message =
      error instanceof Violation
        ? error.message
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error);
    this.#failure = { promise, message };
    this.tell(() => `BROKEN: ${promise}: ${message}`);
  }

  #committed(commit: Commit): void {
    const records = this.givenUp?.committed(commit) ?? [];
    if (records.length > 0) this.tell(() => `given up: ${records.join(" ")}`);
    if (records.length > 0) this.observe((checker) => checker.givenUp?.(records));
    this.observe((checker) => checker.committed?.(commit));
  }

  /** Waits for something in virtual time; it must come within the limit of calm. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const late = (): void => this.fail(new Violation("nothing hangs", `${what}: not within ${calmLimitMs} ms of calm`));
    const limit = this.machine.loop.after(calmLimitMs, "limit", null, late);
    await this.#wait(condition);
    limit.cancel();
  }

  async #wait(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((came) => {
      this.#awaited = { condition, came };
    });
  }

  /** After every event: has come what the world waits for? */
  #isOver(): boolean {
    if (this.#awaited?.condition() === true) {
      const { came } = this.#awaited;
      this.#awaited = null;
      came();
    }
    const { count, nowMs } = this.machine.loop;
    if (count % askedEvents === 0) this.observe((checker) => checker.happened?.(count, nowMs));
    return this.#done || this.isBroken;
  }
}
