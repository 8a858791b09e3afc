/**
 * The twin of src/host/threads.ts. A module of a simulated world does not run in a thread: it is a function that the
 * world has registered under the module's URL, and gets its end of the channel. Messages are copied as structured
 * clone copies them, arrive in order, and each in an event of its own.
 *
 * Worlds with a plain store need none: the writer runs on the caller's thread then.
 */
import type { Channel, Thread, ThreadMain, Threads } from "../../src/host/host.js";
import type { EventLoop, Owner } from "./clock.js";

/** The threads of one process. */
export class SimulatedThreads implements Threads {
  readonly #loop: EventLoop;
  readonly #process: Owner;
  readonly #mains: ReadonlyMap<string, ThreadMain>;

  constructor(loop: EventLoop, process: Owner, mains: ReadonlyMap<string, ThreadMain>) {
    this.#loop = loop;
    this.#process = process;
    this.#mains = mains;
  }

  start<Out, In>(moduleUrl: string, data: unknown): Thread<Out, In> {
    const main = this.#mains.get(moduleUrl);
    if (main === undefined) throw new Error(`no module ${moduleUrl} in this world`);
    const loop = this.#loop;
    const parent = this.#process;
    let running = true;
    const thread: Owner = {
      get alive() {
        return running && parent.alive;
      },
    };
    let tellEnded: (error: Error | null) => void = () => {};
    const end = (error: Error | null): void => {
      if (!running) return;
      running = false;
      loop.after(0, "thread ended", parent, () => tellEnded(error));
    };
    const inside = new End<unknown, unknown>(loop, parent, end);
    // A fault of the parent is the parent's: it goes up to whoever runs the loop.
    const outside = new End<Out, In>(loop, thread, (error) => {
      throw error;
    });
    inside.other = outside as End<unknown, unknown>;
    outside.other = inside as unknown as End<In, Out>;
    const copy = structuredClone(data);
    loop.after(0, "thread starts", thread, () => {
      try {
        main(inside, copy);
      } catch (error) {
        end(error as Error);
      }
    });
    return {
      post: (message) => outside.post(message),
      receive: (call) => outside.receive(call),
      ended: (call) => {
        tellEnded = call;
      },
      terminate: () =>
        loop.arrive(0, "terminate", parent, () => {
          end(null);
        }),
    };
  }
}

/** One end of a channel. What is posted here is received by `receiver` at the other end. */
class End<Out, In> implements Channel<Out, In> {
  other: End<In, Out> | null = null;
  readonly #loop: EventLoop;
  readonly #receiver: Owner;
  readonly #failed: (error: Error) => void;
  #receive: ((message: In) => void) | null = null;
  /** What came before the module had begun to listen. */
  readonly #early: In[] = [];
  #last = 0;

  /** `receiver` runs what is posted here; `failed` gets what the code at this end throws. */
  constructor(loop: EventLoop, receiver: Owner, failed: (error: Error) => void) {
    this.#loop = loop;
    this.#receiver = receiver;
    this.#failed = failed;
  }

  post(message: Out): void {
    const copy = structuredClone(message);
    // In order: never earlier than the message before.
    this.#last = Math.max(this.#last + 1e-6, this.#loop.nowMs);
    this.#loop.after(this.#last - this.#loop.nowMs, "message", this.#receiver, () => this.other?.deliver(copy));
  }

  receive(call: (message: In) => void): void {
    this.#receive = call;
    for (const message of this.#early.splice(0)) this.deliver(message);
  }

  deliver(message: In): void {
    if (this.#receive === null) return void this.#early.push(message);
    try {
      this.#receive(message);
    } catch (error) {
      this.#failed(error as Error);
    }
  }
}
