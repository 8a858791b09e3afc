/** A process of the system under test: it opens a heart, does operations for clients, and dies when it is told to. */
import { WriteBehindError } from "../src/errors.js";
import type { Executed, Heart } from "../src/heart.js";
import type { EngineOptions } from "../src/options.js";
import type { Store } from "../src/store/store.js";
import type { Workspace } from "../src/workspace.js";
import { openHeart } from "../src/write-behind.js";
import { Violation, type Checker, type Invocation } from "./checkers/checker.js";
import type { Process } from "./machine.js";
import type { Model } from "./model.js";
import { describe, expected, isReading, perform, recordsOf, withoutFilling, type Operation } from "./operation.js";

/** What an instance needs of its world. */
export interface Surroundings {
  readonly model: Model;
  readonly engine: EngineOptions;
  /** Asks every checker. */
  observe(look: (checker: Checker) => void): void;
  tell(words: () => string): void;
  /** Something happened that must never happen. */
  fail(error: unknown): void;
  opened(instance: Instance): void;
  /** The instance is of no more use: its process should end. */
  ended(instance: Instance, why: string): void;
}

/** What an engine may say while its surroundings are failing. */
const excuses: ReadonlySet<string> = new Set(["STORE_DOWN", "QUEUE_FULL", "DISK_FULL", "CLOSED"]);

/** A process with a heart. */
export class Instance {
  readonly process: Process;
  heart: Heart | null = null;
  closing = false;
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
      outcome: { reply: "", effects: new Map(), clears: false },
      at: 0,
      shows: 0,
      frame: 0,
      reply: null,
    };
    this.#world.tell(() => `${client} asks ${describe(operation)}`);
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
    (this.heart as Heart).close().then(
      (report) => {
        const { pendingChanges } = report;
        this.#world.tell(() => `${this.process.name} is closed, ${pendingChanges} changes are left`);
        this.#world.ended(this, "close");
      },
      (error: unknown) => this.#world.fail(error),
    );
  }

  #work(invocation: Invocation, workspace: Workspace): string {
    const { model } = this.#world;
    const { operation } = invocation;
    this.#working = invocation;
    invocation.at = workspace.now;
    invocation.outcome = expected(operation, model.newest, workspace.now);
    invocation.shows = Math.max(0, ...recordsOf(operation).map((record) => model.shownBy(record)));
    return perform(operation, workspace);
  }

  #accepted(sequence: number): void {
    const invocation = this.#working;
    const { model } = this.#world;
    if (invocation === null || sequence !== model.last + 1) {
      return this.#world.fail(new Error(`frame ${sequence} is accepted after ${model.last}, by nobody's work`));
    }
    invocation.frame = sequence;
    invocation.shows = sequence;
    const frame = model.accept(sequence, invocation.at, invocation.outcome);
    this.#world.tell(() => `frame ${sequence}: ${invocation.client}: ${describe(invocation.operation)}`);
    this.#world.observe((checker) => checker.accepted?.(frame));
  }

  #replied(invocation: Invocation, executed: Executed<string>, done: () => void): void {
    invocation.reply = executed.value;
    this.#world.observe((checker) => checker.replied?.(invocation));
    this.#waiting++;
    (this.heart as Heart).whenKept(executed.sequence, (error) => {
      this.#waiting--;
      if (!this.process.alive) return;
      if (error === null) {
        this.#world.tell(
          () => `${invocation.client} gets ${withoutFilling(executed.value)} for ${describe(invocation.operation)}`,
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
    this.#world.tell(() => `${invocation.client} gets ${code} for ${describe(invocation.operation)}`);
    if (code === "JOURNAL_FAILED") {
      // Said below, by whoever listens to the failure of the journal.
    } else if (excuses.has(code)) {
      this.#world.observe((checker) => checker.failed?.(invocation, code));
    } else {
      invocation.reply = code;
      this.#world.observe((checker) => checker.replied?.(invocation));
    }
    done();
  }

  #opened(heart: Heart): void {
    this.heart = heart;
    heart.events.on("accepted", ({ sequence }) => this.#accepted(sequence));
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
    if (code !== "FOLDER_IN_USE" && code !== "JOURNAL_FAILED" && code !== "DISK_FULL") return this.#world.fail(error);
    this.#world.ended(this, "not opened");
  }
}
