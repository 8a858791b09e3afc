/**
 * A world: a machine, a database, a system under test, clients, and one seed that decides everything. First faults,
 * then calm: no faults any more, and everything must converge.
 *
 * The same seed gives the same world, event by event (Result.hash).
 */
import type { Checker, Ending } from "./checkers/checker.js";
import { AnsweredMeansKept } from "./checkers/answered-means-kept.js";
import { KeptUntilItSucceeds } from "./checkers/kept-until-it-succeeds.js";
import { NewestWins } from "./checkers/newest-wins.js";
import { Once } from "./checkers/once.js";
import { OrderPerRecord } from "./checkers/order-per-record.js";
import { PastMoment } from "./checkers/past-moment.js";
import { RemembersItsPause } from "./checkers/remembers-its-pause.js";
import { Violation } from "./checkers/checker.js";
import type { EngineOptions } from "../src/options.js";
import type { Bytes } from "../src/bytes.js";
import { Client, type Town } from "./client.js";
import { SimulatedDatabase, type Commit } from "./database.js";
import type { FaultOf } from "./host/disk.js";
import { Dice } from "./host/random.js";
import { incidents, type Fate } from "./incidents.js";
import { Instance, type Surroundings } from "./instance.js";
import { Machine } from "./machine.js";
import { Model } from "./model.js";
import { swarm, type WorldOptions } from "./swarm.js";
import { Trace } from "./trace.js";

/** How a world ended. */
export interface Result {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  /** Null where every promise was kept. */
  readonly failure: { readonly promise: string; readonly message: string } | null;
  readonly story: readonly string[];
  readonly options: WorldOptions;
}

/** Another kind of world than the swarm's, and calls of its disk that fail. */
export interface Plan {
  readonly options: (dice: Dice) => WorldOptions;
  readonly faultOf: FaultOf;
  /** How long the faults go on at the most, in milliseconds of virtual time. */
  readonly faultsMs: number;
}

/** Runs the world of a seed. With `telling` the result has the story in words. */
export async function runWorld(seed: number, telling = false, plan: Plan | null = null): Promise<Result> {
  const world = new World(seed, telling, plan);
  return world.run();
}

/** How long anything may take once all is calm, in milliseconds of virtual time. */
const calmLimitMs = 1_000_000;

/** How long the faults go on at the most. */
const faultsLimitMs = 20_000;

/** After so many ends of processes there are only other faults: a world that never gets up shows nothing. */
const endsMax = 30;

class World implements Surroundings, Town, Fate {
  readonly seed: number;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly options: WorldOptions;
  readonly machine: Machine;
  readonly database: SimulatedDatabase;
  readonly model = new Model();
  /** Processes that live, oldest first. */
  instances: Instance[] = [];
  readonly #checkers: readonly Checker[];
  readonly #clients: Client[];
  readonly #faultsMs: number;
  #left: number;
  #ends = 0;
  #calm = false;
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
    const parts = { model: this.model, durability: this.options.engine.durability };
    this.#checkers = [
      new AnsweredMeansKept(parts),
      new NewestWins(),
      new Once(parts),
      new PastMoment(parts),
      new OrderPerRecord(parts),
      new KeptUntilItSucceeds(parts),
      new RemembersItsPause(),
    ];
    this.#left = this.options.operations;
    this.database.onCommit = (commit) => this.#committed(commit);
    this.database.onWentBack = (sequence) => this.observe((checker) => checker.wentBack?.(sequence));
    if (plan !== null) this.machine.disk.faultOf = plan.faultOf;
    this.machine.disk.onMisuse = (message) => this.fail(new Error(message));
    Object.assign(this.machine.disk.temper, this.options.disk);
    Object.assign(this.database.temper, this.options.database);
    this.#clients = Array.from({ length: this.options.clients }, (_, index) => new Client(`c${index}`, this));
  }

  get engine(): EngineOptions {
    return this.options.engine;
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
    const { seed, options, trace } = this;
    return { seed, hash: trace.hash, events: loop.count, failure: this.#failure, story: trace.story, options };
  }

  /** First faults, then calm. */
  async #live(): Promise<void> {
    let over = false;
    this.later(this.#faultsMs, () => (over = true));
    await this.#until(() => over || this.#clients.every((client) => client.finished), null);
    this.#beCalm();
    let quiet = false;
    this.later(20 * this.machine.disk.temper.latencyMs, () => (quiet = true));
    await this.#until(() => quiet, "what had failed before has been told");
    await this.#until(() => this.serving() !== null, "a process serves");
    await this.#until(() => this.#clients.every((client) => !client.waits), "every client has its replies");
    await this.#settle();
    await this.#readAll("warm");
    await this.#reopen();
    await this.#readAll("cold");
    await this.#settle();
    this.#done = true;
  }

  /** No faults from here on. */
  #beCalm(): void {
    this.#calm = true;
    this.#left = 0;
    this.tell(() => "calm");
    Object.assign(this.machine.disk.temper, { writeFails: 0, syncFails: 0, capacityBytes: 2 ** 40 });
    this.machine.disk.faultOf = () => null;
    Object.assign(this.database.temper, { readFails: 0, failsBefore: 0, failsAfter: 0, comesLate: 0, down: false });
    if (this.instances.length === 0) this.start();
  }

  /** Everything pending reaches the database. */
  async #settle(): Promise<void> {
    const heart = this.#heart();
    this.observe((checker) => checker.pausing?.());
    await heart.resume();
    this.observe((checker) => checker.paused?.(false));
    let flushed = false;
    heart.flush().then(
      () => (flushed = true),
      (error: unknown) => this.fail(error),
    );
    await this.#until(() => flushed, "what is pending is flushed");
    // A database that went back just now is noticed by the next sign of life.
    await this.#until(() => this.database.sequence === this.model.last, "the database has everything");
    // The answer to its commit is on its way; only the heart that has heard it is at rest.
    await this.#until(() => heart.stored === this.model.last, "the heart has heard that the database has everything");
    const rest = { rows: this.database.rows, stored: this.database.sequence, status: heart.status() };
    this.observe((checker) => checker.atRest?.(rest));
  }

  async #reopen(): Promise<void> {
    const before = this.serving();
    before?.close();
    await this.#until(() => this.serving() !== null && this.serving() !== before, "it is closed and opened again");
  }

  async #readAll(name: string): Promise<void> {
    for (let key = 0; key < this.options.keys; key++) {
      let done = false;
      const operation = [{ kind: "get", key: `k${key}` as Bytes }] as const;
      this.serving()?.submit(name, operation, true, () => (done = true));
      await this.#until(() => done, "a reader has its reply");
    }
  }

  #heart(): NonNullable<Instance["heart"]> {
    const heart = this.serving()?.heart ?? null;
    if (heart === null) throw new Error("nobody serves");
    return heart;
  }

  // What happens.

  /** Starts a process. */
  start(): void {
    const process = this.machine.start();
    this.instances.push(new Instance(process, this.database.storeOf(process), this));
  }

  kill(instance: Instance): void {
    if (this.#ends++ > endsMax) return;
    if (instance.heart !== null) this.#worst("kill");
    this.machine.kill(instance.process);
    this.#forget(instance);
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
      if (this.#calm) return;
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
    this.observe((checker) => checker.opened?.(recovered, this.#ending, heart.status()));
    this.#ending = "close";
    this.model.truncate(recovered);
    this.observe((checker) => checker.resumed?.(recovered));
    for (const call of this.#idle.splice(0)) this.later(this.dice.number(), call);
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
    this.observe((checker) => checker.committed?.(commit));
  }

  /** Waits for something in virtual time. With a name it must come within the limit. */
  async #until(condition: () => boolean, what: string | null): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const came = (): void => {
        limit?.cancel();
        resolve();
      };
      const late = (): void =>
        this.fail(new Violation("nothing hangs", `${what}: not within ${calmLimitMs} ms of calm`));
      const limit = what === null ? null : this.machine.loop.after(calmLimitMs, "limit", null, late);
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
    return this.#done || this.#failure !== null;
  }
}
