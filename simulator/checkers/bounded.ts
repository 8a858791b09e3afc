/**
 * Promise 8: bounded, and honest about it. What is pending stays within the queue's limit, the journal's files and
 * the cache within theirs; who is refused for want of room has waited as long as it should, and no longer.
 *
 * The bytes of a frame are not known here, only that it is longer than the value that it sets: so the limit of the
 * queue is compared with less than there is.
 */
import { ModelChecker, Violation, type Invocation, type Rest } from "./checker.js";

const promise = "8 bounded, and honest about it";

/** Events of one moment come one after the other. */
const slackMs = 0.001;
/** So many files may be ready, in the making, being filled or on their way out beside what is retained. */
const filesMax = 16;
const headerBytes = 4096;

export class Bounded extends ModelChecker {
  readonly promise = promise;
  /** For each frame, the bytes of the values set up to here. */
  readonly #bytes: number[] = [0];
  #stored = 0;
  #largest = 0;

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
  }

  failed({ operation, askedMs }: Invocation, code: string, nowMs: number): void {
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
