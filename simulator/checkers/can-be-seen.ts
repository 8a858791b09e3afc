/**
 * Promise 10: it can be seen. What status says is so: how much was accepted, durable and stored, what is pending, that
 * the database is away, that all is well again. A pause outlives a restart in remembers-its-pause.ts.
 */
import type { Status } from "../../src/heart.js";
import type { Commit } from "../database.js";
import { ModelChecker, Violation, type Look, type Rest } from "./checker.js";

const promise = "10 it can be seen";

/** A call of the slowest kind has no answer before: a database of 20 ms that hangs until a time-out (database.ts). */
const noticedMs = 21_000;

export class CanBeSeen extends ModelChecker {
  readonly promise = promise;
  /** The furthest that the database has ever been. */
  #furthest = 0;
  #commits = 0;

  committed({ batch }: Commit): void {
    this.#furthest = Math.max(this.#furthest, batch.to.sequence);
    this.#commits++;
  }

  opened(recovered: number, _ending: unknown, status: Status): void {
    this.#furthest = Math.min(this.#furthest, recovered);
    this.#commits = 0;
    if (sequenceOf(status.queue.accepted) !== recovered) {
      throw new Violation(promise, `after the start status says accepted ${status.queue.accepted}, not ${recovered}`);
    }
  }

  looked({ status, downMs, servedMs }: Look): void {
    const { model, engine } = this.parts;
    const { queue, store, state, reason } = status;
    const [accepted, durable, stored] = [queue.accepted, queue.durable, queue.stored].map(sequenceOf);
    if (accepted !== model.last) this.#wrong(`accepted ${accepted}`, `it is ${model.last}`);
    if ((durable as number) > model.last) this.#wrong(`durable ${durable}`, `only ${model.last} was accepted`);
    if ((stored as number) > this.#furthest) {
      this.#wrong(`stored ${stored}`, `the database was never beyond ${this.#furthest}`);
    }
    if (queue.pendingChanges < model.last - this.#furthest) {
      this.#wrong(`${queue.pendingChanges} changes pending`, `${model.last - this.#furthest} frames are not stored`);
    }
    if ((queue.pendingBytes === 0) !== (stored === accepted)) {
      this.#wrong(`${queue.pendingBytes} bytes pending`, `accepted is ${accepted}, stored ${stored}`);
    }
    if ((state === "running") !== (reason === null)) this.#wrong(`state ${state}`, `the reason is ${reason}`);
    if ((store.state === "up") !== (store.error === null && store.nextTryAt === null) && store.error !== null) {
      this.#wrong(`the store ${store.state}`, `its error is ${store.error}`);
    }
    const tries = state === "running" && model.last > this.#furthest;
    const noticed = engine.delayMs + engine.retryMaxMs + noticedMs;
    if (tries && store.state === "up" && Math.min(downMs, servedMs) > noticed) {
      this.#wrong("the store up", `nobody has reached it for ${downMs} ms, and ${queue.pendingChanges} changes wait`);
    }
  }

  atRest({ status }: Rest): void {
    const { queue, store, state, writer, deadLetters } = status;
    // A beat that failed in the last moments of trouble is told as down until the next one.
    const isUp = store.state === "up" || (store.state === "down" && store.nextTryAt !== null);
    const said = [state, isUp, queue.oldestAgeMs, deadLetters.count, queue.stored?.split(":")[1]];
    const is = ["running", true, 0, 0, queue.accepted.split(":")[1]];
    if (said.join() !== is.join()) this.#wrong(`${said.join(", ")} at rest`, `it should be ${is.join(", ")}`);
    if (writer.batches > this.#commits) this.#wrong(`${writer.batches} batches`, `there were ${this.#commits} commits`);
  }

  #wrong(says: string, is: string): never {
    throw new Violation(promise, `status says ${says}, but ${is}`);
  }
}

/** The sequence in a position's text; 0 where there is none. */
function sequenceOf(position: string | null): number {
  return Number(position?.split(":")[1] ?? 0);
}
