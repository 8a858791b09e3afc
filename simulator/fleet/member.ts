/** A process of a simulated fleet: it answers clients, or writes partitions, or both. */
import { keyIsRecord } from "../../src/address.js";
import type { Bytes } from "../../src/bytes.js";
import type { RecordChange } from "../../src/change.js";
import { WriteBehindError } from "../../src/errors.js";
import { Emitter } from "../../src/events.js";
import type { Executed } from "../../src/heart.js";
import type { FleetAddressing } from "../../src/redis/front/fleet-addressing.js";
import { FleetHeart } from "../../src/redis/front/fleet-heart.js";
import type { Fleet } from "../../src/redis/keeper.js";
import { FleetWorker } from "../../src/redis/worker/worker.js";
import { rest } from "../../src/rest.js";
import type { Store } from "../../src/store/store.js";
import type { Workspace } from "../../src/workspace.js";
import type { Invocation } from "../checkers/checker.js";
import type { FleetChecker } from "../checkers/fleet/fleet-checker.js";
import type { Server } from "../client.js";
import type { SimulatedDatabase } from "../database.js";
import type { Process } from "../machine.js";
import { describe, isReading, perform, withoutFilling, type Operation, type Step } from "../operation.js";
import type { FleetOptions } from "./fleet-swarm.js";
import { SimulatedKeeper, taggedKey, type KeeperPlace, type Road } from "./simulated-keeper.js";

/** What a member needs of its world. */
export interface FleetSurroundings {
  readonly options: FleetOptions;
  readonly place: KeeperPlace;
  readonly database: SimulatedDatabase;
  readonly nowMs: number;
  readonly isCalm: boolean;
  readonly isBroken: boolean;
  /** Whose work each change is of, as of the last try. */
  readonly makers: WeakMap<RecordChange, Invocation>;
  observe(look: (checker: FleetChecker) => void): void;
  /** A client asks; and is told the end of it. */
  asked(invocation: Invocation): void;
  closed(invocation: Invocation): void;
  tell(words: () => string): void;
  fail(error: unknown): void;
  later(delayMs: number, call: () => void): void;
  opened(member: Member): void;
  /** Whether the keeper has lost something. */
  readonly mayMismatch: boolean;
}

/** Nothing was written, and it is said. */
const nothingWritten: ReadonlySet<string> = new Set(["CACHE_DOWN", "QUEUE_FULL", "STORE_DOWN", "CLOSED"]);

/** Without routes a key is its own record. */
const addressing: FleetAddressing = {
  plan: null,
  resolve: keyIsRecord,
  freshMs: () => Number.POSITIVE_INFINITY,
  lookAgain: () => Promise.resolve(null),
};

const identity = { version: "simulated", pid: 0, host: "simulated" };

/** A process. */
export class Member implements Server {
  readonly process: Process;
  readonly road: Road = { cut: false, slowness: 1 };
  readonly isFront: boolean;
  readonly works: boolean;
  heart: FleetHeart | null = null;
  worker: FleetWorker | null = null;
  leaving = false;
  readonly #world: FleetSurroundings;

  constructor(process: Process, kind: { readonly front: boolean; readonly works: boolean }, world: FleetSurroundings) {
    this.process = process;
    this.isFront = kind.front;
    this.works = kind.works;
    this.#world = world;
    this.#begin().catch((error: unknown) => world.fail(error));
  }

  get serves(): boolean {
    return this.process.alive && this.heart !== null && !this.leaving;
  }

  async #begin(): Promise<void> {
    const { process } = this;
    await this.#rest(0);
    if (this.works) await this.#work();
    if (this.isFront) await this.#serve();
    (process as { opening: boolean }).opening = false;
    this.#world.opened(this);
  }

  async #work(): Promise<void> {
    const { options } = this.#world;
    const [keeper, fleet] = await this.#join();
    this.worker = new FleetWorker({
      keeper,
      fleet,
      store: this.#store(),
      host: this.process.host,
      options: options.engine,
      identity,
      warn: (text) => this.#world.tell(() => `${this.process.name} warns: ${text}`),
    });
    const { worker } = this;
    void this.#listen(keeper, worker);
  }

  async #listen(keeper: SimulatedKeeper, worker: FleetWorker): Promise<void> {
    for (;;) {
      try {
        await keeper.listen((news) => worker.heard(news));
        return;
      } catch {
        await this.#rest(500);
      }
    }
  }

  async #serve(): Promise<void> {
    const { options } = this.#world;
    const [keeper, fleet] = await this.#join();
    this.heart = await FleetHeart.open({
      host: this.process.host,
      keeper,
      fleet,
      keeps: "all",
      options: options.engine,
      roomBytes: options.engine.queueBytes,
      reader: this.#store(),
      storeKind: "memory",
      limits: null,
      addressing,
      worker: this.worker === null ? null : { stop: (ms) => (this.worker as FleetWorker).stop(ms).then(() => true) },
      events: new Emitter(),
      end: () => Promise.resolve(),
    });
  }

  async #join(): Promise<readonly [SimulatedKeeper, Fleet]> {
    const { options, place } = this.#world;
    const birth = { id: this.process.host.random.hex(12), partitions: options.partitions };
    for (;;) {
      // One that was emptied meanwhile is another one.
      const keeper = new SimulatedKeeper(place, this.process, this.road);
      try {
        return [keeper, (await keeper.fleet(birth)) as Fleet];
      } catch {
        await this.#rest(20);
      }
    }
  }

  #store(): Store {
    return this.#world.database.storeOf(this.process);
  }

  #rest(ms: number): Promise<void> {
    return rest(this.process.host.clock, ms);
  }

  /** What is asked of a process travels to it: where that is stopped it waits. */
  submit(client: string, asked: Operation, readOnly: boolean, done: () => void): void {
    const operation = inFleet(asked, readOnly && isReading(asked), this.#world.options);
    const invocation: Invocation = {
      client,
      operation,
      askedMs: this.#world.nowMs,
      outcome: { reply: "", effects: new Map(), clears: false },
      changes: [],
      inDoubt: false,
      at: 0,
      shows: 0,
      frame: 0,
      reply: null,
    };
    this.#world.tell(() => `${client} asks ${this.process.name} ${describe(operation)}`);
    this.#world.asked(invocation);
    this.process.host.clock.after(0, () => this.#do(invocation, readOnly, done));
  }

  #do(invocation: Invocation, readOnly: boolean, done: () => void): void {
    const heart = this.heart as FleetHeart;
    const work = (workspace: Workspace): string => this.#perform(invocation, workspace);
    const replied = ({ value }: Executed<string>): void => this.#answered(invocation, value, done);
    const failed = (error: unknown): void => this.#failed(invocation, error, done);
    try {
      const reading = readOnly && isReading(invocation.operation);
      (reading ? heart.view(work) : heart.execute(work)).then(replied, failed);
    } catch (error) {
      failed(error);
    }
  }

  #perform(invocation: Invocation, workspace: Workspace): string {
    this.#world.observe((checker) => checker.worked?.(invocation));
    // Where work is begun again and again in no time, only this lets the world come to its end.
    if (this.#world.isBroken) throw new Error("the world is over");
    invocation.at = workspace.now;
    invocation.reply = perform(invocation.operation, workspace);
    if (workspace.hasMissing) return invocation.reply;
    invocation.changes = workspace.changes();
    for (const change of invocation.changes) this.#world.makers.set(change, invocation);
    return invocation.reply;
  }

  #answered(invocation: Invocation, reply: string, done: () => void): void {
    const { client, operation } = invocation;
    invocation.reply = reply;
    this.#world.tell(() => `${client} gets ${withoutFilling(reply)} for ${describe(operation)}`);
    this.#world.observe((checker) => checker.answered?.(invocation));
    this.#world.closed(invocation);
    done();
  }

  #failed(invocation: Invocation, error: unknown, done: () => void): void {
    const code = error instanceof WriteBehindError ? error.code : null;
    if (code === null) return this.#world.fail(error);
    if (code === "WRONG_TYPE" || code === "BAD_VALUE") {
      invocation.changes = [];
      return this.#answered(invocation, code, done);
    }
    this.#world.tell(() => `${invocation.client} gets ${code} for ${describe(invocation.operation)}`);
    if (code === "QUEUE_MISMATCH" && !this.#world.mayMismatch) return this.#world.fail(error);
    this.#world.closed(invocation);
    if (nothingWritten.has(code))
      this.#world.observe((checker) => checker.failed?.(invocation, code, this.#world.nowMs));
    if (!nothingWritten.has(code) && code !== "UNKNOWN" && code !== "QUEUE_MISMATCH") return this.#world.fail(error);
    done();
  }

  /** Hands over what it owns and ends; `ended` is called then. */
  leave(ended: () => void): void {
    if (this.leaving) return;
    this.leaving = true;
    this.#world.tell(() => `${this.process.name} leaves`);
    this.process.host.clock.after(0, () => {
      const left = this.heart !== null ? this.heart.close() : (this.worker?.stop(10_000) ?? Promise.resolve());
      Promise.resolve(left).then(ended, (error: unknown) => this.#world.fail(error));
    });
  }
}

/** The operation on keys with tags; a transaction that writes stays among those with the tag of its first key. */
function inFleet(operation: Operation, free: boolean, { tags, keys }: FleetOptions): Operation {
  const number = (step: Step): number => ("key" in step ? Number(step.key.slice(1)) : 0);
  const first = number(operation[0] as Step);
  return operation.map((step) => {
    if (step.kind === "clear") return step;
    const placed = (own: number): Bytes => {
      const near = own - (own % tags) + (first % tags);
      return taggedKey(`k${free ? own : near < keys ? near : first}` as Bytes, tags);
    };
    const key = placed(number(step));
    return step.kind === "rename" ? { ...step, key, to: placed(Number(step.to.slice(1))) } : { ...step, key };
  });
}
