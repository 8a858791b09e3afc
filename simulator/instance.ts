/** A process of the system under test: it opens a heart, does operations for clients, and dies when it is told to. */
import { WriteBehindError } from "../src/errors.js";
import type { Executed, Heart } from "../src/heart.js";
import type { EngineOptions } from "../src/options.js";
import type { Store } from "../src/store/store.js";
import type { Workspace } from "../src/workspace.js";
import { openHeart } from "../src/write-behind.js";
import { Violation, type Checker, type Invocation } from "./checkers/checker.js";
import { apply, type RecordChange } from "../src/change.js";
import type { GivenUp } from "./given-up.js";
import type { Process } from "./machine.js";
import type { Model } from "./model.js";
import {
  describe,
  expected,
  isReading,
  lookedAt,
  perform,
  recordsOf,
  withoutFilling,
  type Operation,
  type Outcome,
} from "./operation.js";

/** What an instance needs of its world. */
export interface Surroundings {
  readonly model: Model;
  readonly engine: EngineOptions;
  /** What an operator gives up; null where he never does. */
  readonly givenUp: GivenUp | null;
  readonly nowMs: number;
  /** Whether nothing fails any more. */
  readonly isCalm: boolean;
  /** Whether a promise is broken: nothing more is done. */
  readonly isBroken: boolean;
  /** Asks every checker. */
  observe(look: (checker: Checker) => void): void;
  tell(words: () => string): void;
  /** Something happened that must never happen. */
  fail(error: unknown): void;
  opened(instance: Instance): void;
  /** There is a new dead letter. */
  parked(): void;
  /** Whether a process may fail to open for this reason, as things are. */
  mayRefuse(error: unknown, code: string | null): boolean;
  /** The instance is of no more use: its process should end. */
  ended(instance: Instance, why: string): void;
}

/** What an engine may say while its surroundings are failing. */
const excuses: ReadonlySet<string> = new Set(["STORE_DOWN", "QUEUE_FULL", "DISK_FULL", "CLOSED"]);

/** Nothing comes of it. */
const nothing: Outcome = { reply: "", effects: new Map(), clears: false };

/** A process with a heart. */
export class Instance {
  readonly process: Process;
  heart: Heart | null = null;
  closing = false;
  /** When it began to serve. */
  openedMs = 0;
  readonly #world: Surroundings;
  /** Whose work ran last: an accepted frame is its. */
  #working: Invocation | null = null;
  /** Replies that wait until what they show is kept. */
  #waiting = 0;

  constructor(process: Process, store: Store, world: Surroundings) {
    this.process = process;
    this.#world = world;
    openHeart({ host: process.host, store, options: world.engine }).then(
      (heart) => this.#opened(heart),
      (error: unknown) => this.#notOpened(error),
    );
  }

  /** Whether clients can use it. */
  get serves(): boolean {
    return this.process.alive && this.heart !== null && !this.closing;
  }

  /** Does an operation; `done` is called when the client has its reply, or an error instead. */
  submit(client: string, operation: Operation, readOnly: boolean, done: () => void): void {
    const invocation: Invocation = {
      client,
      operation,
      askedMs: this.#world.nowMs,
      outcome: nothing,
      changes: [],
      inDoubt: false,
      at: 0,
      shows: 0,
      frame: 0,
      reply: null,
    };
    this.#world.tell(() => `${client} asks ${describe(operation)}`);
    this.#world.observe((checker) => checker.asked?.(invocation));
    const heart = this.heart as Heart;
    const work = (workspace: Workspace): string => this.#work(invocation, workspace);
    const replied = (executed: Executed<string>): void => this.#replied(invocation, executed, done);
    const failed = (error: unknown): void => this.#failed(invocation, error, done);
    try {
      const executed = readOnly && isReading(operation) ? heart.view(work) : heart.execute(work);
      if (executed instanceof Promise) executed.then(replied, failed);
      else replied(executed);
    } catch (error) {
      failed(error);
    }
  }

  /** Drains and stops, then ends the process. */
  close(): void {
    this.closing = true;
    this.#world.tell(() => `${this.process.name} closes`);
    const { nowMs: startedMs, isCalm: calm } = this.#world;
    (this.heart as Heart).close().then(
      (report) => {
        const tookMs = this.#world.nowMs - startedMs;
        this.#world.tell(() => `${this.process.name} is closed, ${report.pendingChanges} changes are left`);
        this.#world.observe((checker) => checker.closed?.({ report, tookMs, calm }));
        this.#world.ended(this, "close");
      },
      (error: unknown) => this.#world.fail(error),
    );
  }

  #work(invocation: Invocation, workspace: Workspace): string {
    const { model } = this.#world;
    const { operation } = invocation;
    this.#working = invocation;
    this.#world.observe((checker) => checker.worked?.(invocation));
    // Where work is begun again and again in no time, only this lets the world come to its end.
    if (this.#world.isBroken) throw new Error("the world is over");
    invocation.at = workspace.now;
    const records = recordsOf(operation);
    invocation.inDoubt = this.#world.givenUp?.anyInDoubt(this.heart as Heart, records) ?? false;
    invocation.outcome = invocation.inDoubt ? nothing : expected(operation, model.newest, workspace.now);
    invocation.shows = Math.max(0, ...lookedAt(operation).map((record) => model.shownBy(record)));
    const reply = perform(operation, workspace);
    if (this.#world.givenUp === null || workspace.hasMissing) return reply;
    // The cache goes on with the hashes that are in them.
    invocation.changes = structuredClone(workspace.changes());
    if (invocation.inDoubt) invocation.outcome = this.#done(invocation.changes, reply);
    return reply;
  }

  /** What an operation has done to records of which it is not known what it saw. */
  #done(changes: readonly RecordChange[], reply: string): Outcome {
    const { model } = this.#world;
    const effects = new Map(changes.map(({ record, change }) => [record, apply(model.newest(record), change)]));
    return { reply, effects, clears: false };
  }

  #accepted(sequence: number): void {
    const invocation = this.#working;
    const { model } = this.#world;
    if (invocation === null || sequence !== model.last + 1) {
      return this.#world.fail(new Error(`frame ${sequence} is accepted after ${model.last}, by nobody's work`));
    }
    invocation.frame = sequence;
    invocation.shows = sequence;
    const frame = model.accept(sequence, invocation.at, invocation.outcome, invocation.changes);
    this.#world.tell(() => `frame ${sequence}: ${invocation.client}: ${describe(invocation.operation)}`);
    this.#world.observe((checker) => checker.accepted?.(frame, invocation));
  }

  #replied(invocation: Invocation, executed: Executed<string>, done: () => void): void {
    this.#reply(invocation, executed.value, executed.sequence, done);
  }

  /** A reply waits until all that it shows is kept. */
  #reply(invocation: Invocation, reply: string, sequence: number, done: () => void): void {
    invocation.reply = reply;
    this.#world.observe((checker) => checker.replied?.(invocation));
    this.#waiting++;
    (this.heart as Heart).whenKept(sequence, (error) => {
      this.#waiting--;
      if (!this.process.alive) return;
      if (error === null) {
        this.#world.tell(
          () => `${invocation.client} gets ${withoutFilling(reply)} for ${describe(invocation.operation)}`,
        );
        this.#world.observe((checker) => checker.answered?.(invocation));
      } else if (error.code !== "UNKNOWN" && error.code !== "CLOSED") {
        this.#world.fail(error);
      }
      done();
    });
  }

  #failed(invocation: Invocation, error: unknown, done: () => void): void {
    const code = error instanceof WriteBehindError ? error.code : null;
    if (code === null) return this.#world.fail(error);
    // An error may show what it has read, too: it waits as the server makes it wait.
    if (code !== "JOURNAL_FAILED" && !excuses.has(code)) {
      return this.#reply(invocation, code, (this.heart as Heart).accepted, done);
    }
    this.#world.tell(() => `${invocation.client} gets ${code} for ${describe(invocation.operation)}`);
    // That the journal failed is said below, by whoever listens to it.
    if (code !== "JOURNAL_FAILED") {
      // For room behind dead letters nobody waits: only a person or a mended database makes some.
      const atOnce = code === "QUEUE_FULL" && (error as WriteBehindError).message.includes("wait behind dead letter");
      const told = atOnce ? `${code} at once` : code;
      this.#world.observe((checker) => checker.failed?.(invocation, told, this.#world.nowMs));
    }
    done();
  }

  #opened(heart: Heart): void {
    this.heart = heart;
    this.process.opening = false;
    this.openedMs = this.#world.nowMs;
    heart.events.on("accepted", ({ sequence }) => this.#accepted(sequence));
    heart.events.on("deadLetter", () => this.#world.parked());
    heart.events.on("deadLetterEnded", ({ ids, how }) => {
      if (how === "discarded") this.#world.givenUp?.heard(heart, ids.map(Number));
    });
    heart.events.on("stalled", ({ reason }) => this.#world.tell(() => `${this.process.name} is stalled: ${reason}`));
    heart.onFailed((error) => {
      this.#world.tell(() => `${this.process.name}: the journal has failed: ${error.message}`);
      this.process.host.clock.soon(() => {
        this.#failedTruthfully(heart);
        this.#world.ended(this, "journal failed");
      });
    });
    this.#world.tell(() => `${this.process.name} serves, its queue ends at ${heart.accepted}`);
    this.#world.opened(this);
  }

  /** Whoever waits must have heard UNKNOWN before the process ends, and whoever comes later must hear why. */
  #failedTruthfully(heart: Heart): void {
    if (this.#waiting > 0) this.#world.fail(new Violation("nothing hangs", `${this.#waiting} replies were not told`));
    try {
      void heart.execute(() => null);
    } catch (error) {
      if ((error as WriteBehindError).code === "JOURNAL_FAILED" || this.closing) return;
      return this.#world.fail(error);
    }
    this.#world.fail(new Violation("9 stopping tells the truth", "an instance whose journal has failed goes on"));
  }

  #notOpened(error: unknown): void {
    const code = error instanceof WriteBehindError ? error.code : null;
    this.#world.tell(() => `${this.process.name} does not open: ${String(error)}`);
    if (!this.#world.mayRefuse(error, code)) {
      const kept = code === "JOURNAL_DAMAGED" || code === "QUEUE_MISMATCH";
      return this.#world.fail(kept ? new Violation("1 answered means kept", String(error)) : error);
    }
    this.#world.ended(this, "not opened");
  }
}
