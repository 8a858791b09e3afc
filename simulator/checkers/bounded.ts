/**
 * Promise 8: bounded, and honest about it. What is pending stays within the queue's limit, the journal's files and
 * the cache within theirs; who is refused for want of room has waited as long as it should, and no longer.
 *
 * And nothing goes on for ever: neither an operation that is begun again and again, nor the world as a whole.
 *
 * The bytes of a frame are not known here, only that it is longer than the value that it sets: so the limit of the
 * queue is compared with less than there is.
 */
import { describe } from "../operation.js";
import { ModelChecker, Violation, type Invocation, type Rest } from "./checker.js";

const promise = "8 bounded, and honest about it";

/** Events of one moment come one after the other. */
const slackMs = 0.001;
/** So many files may be ready, in the making, being filled or on their way out beside what is retained. */
const filesMax = 16;
const headerBytes = 4096;
/** So often an operation is begun at the most, ten times as often as in any of some thousands of worlds and more. */
const beginningsMax = 1000;
/** So many events a world has at the most; the same. */
const eventsMax = 1_000_000;

export class Bounded extends ModelChecker {
  readonly promise = promise;
  /** For each frame, the bytes of the values set up to here. */
  readonly #bytes: number[] = [0];
  #stored = 0;
  #largest = 0;
  /** How often the operations that have no reply were begun. */
  readonly #begun = new Map<Invocation, number>();

  asked(invocation: Invocation): void {
    this.#begun.set(invocation, 0);
  }

  worked(invocation: Invocation): void {
    const times = (this.#begun.get(invocation) ?? 0) + 1;
    this.#begun.set(invocation, times);
    if (times > beginningsMax) throw new Violation(promise, `there is no end: ${begun(invocation, times)}`);
  }

  replied(invocation: Invocation): void {
    this.#begun.delete(invocation);
  }

  happened(events: number, nowMs: number): void {
    if (events <= eventsMax) return;
    const [most] = [...this.#begun].toSorted(([, a], [, b]) => b - a);
    const what = most === undefined ? "no operation waits" : begun(...most);
    throw new Violation(promise, `there is no end: ${events} events in ${nowMs.toFixed(0)} ms, and ${what}`);
  }

  accepted({ sequence }: { readonly sequence: number }, { operation }: Invocation): void {
    const [step] = operation;
    const bytes = operation.length === 1 && step?.kind === "set" ? step.value.length : 0;
    this.#bytes.length = sequence;
    this.#bytes.push((this.#bytes[sequence - 1] as number) + bytes);
    this.#largest = Math.max(this.#largest, bytes, ...operation.map((one) => ("value" in one ? one.value.length : 0)));
    const pending = (this.#bytes[sequence] as number) - (this.#bytes[this.#stored] ?? 0);
    // A frame of any size may enter an empty queue.
    if (pending > this.parts.engine.queueBytes && sequence > this.#stored + 1) {
      throw new Violation(promise, `${pending} bytes are pending, the limit is ${this.parts.engine.queueBytes}`);
    }
  }

  committed({ batch }: { readonly batch: { readonly to: { readonly sequence: number } } }): void {
    // What a database has lost again was within the limit once.
    this.#stored = Math.max(this.#stored, batch.to.sequence);
  }

  opened(recovered: number): void {
    this.#bytes.length = Math.min(this.#bytes.length, recovered + 1);
    this.#stored = Math.min(this.#stored, recovered);
    // What the processes before this one owed will never come.
    this.#begun.clear();
  }

  failed(invocation: Invocation, code: string, nowMs: number): void {
    const { operation, askedMs } = invocation;
    this.#begun.delete(invocation);
    if (code !== "QUEUE_FULL" && code !== "DISK_FULL") return;
    const { waitMs } = this.parts.engine;
    const waited = nowMs - askedMs;
    if (waited < waitMs - slackMs) throw new Violation(promise, `${code} after ${waited} of ${waitMs} ms`);
    const [step] = operation;
    const loads = operation.length > 1 || step?.kind !== "set";
    if (!loads && waited > waitMs + slackMs) {
      throw new Violation(promise, `a blind write waited for ${waited} ms before ${code}, the limit is ${waitMs}`);
    }
  }

  atRest({ status, journalBytes }: Rest): void {
    const { engine } = this.parts;
    const { bytes, bytesMax } = status.cache;
    if (bytes > bytesMax) throw new Violation(promise, `at rest the cache has ${bytes} bytes of ${bytesMax}`);
    // A transaction has up to four values; a large frame gets a file of its own.
    const file = Math.max(engine.segmentBytes, headerBytes + 1000 + 4 * this.#largest);
    // What is retained counts in bytes of log; a file that the next frame did not fit into ends half empty.
    const most = 2 * engine.retainBytes + filesMax * file;
    if (journalBytes > most) throw new Violation(promise, `at rest the journal has ${journalBytes} bytes of ${most}`);
  }
}

function begun({ client, operation }: Invocation, times: number): string {
  return `"${describe(operation)}" of ${client} was begun ${times} times without a reply`;
}
