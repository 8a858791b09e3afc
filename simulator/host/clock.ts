/**
 * The twin of src/host/clock.ts: virtual time. Nothing in a simulated world waits; the loop takes the earliest event,
 * sets the time to it, lets it run, and drains every promise that became ready before it takes the next. Events of the
 * same moment come in the order that the dice say.
 *
 * An event belongs to a process or to the world. When a process has died its events are dropped, so nothing of it runs
 * again: all it can be waiting for are events.
 */
import type { Clock, Timer } from "../../src/host/host.js";
import type { Trace } from "../trace.js";
import type { Dice } from "./random.js";

/** Whoever an event belongs to. */
export interface Owner {
  readonly alive: boolean;
  /** Whether it is a process that has not opened its queue yet. */
  readonly opening?: boolean;
  /** What has happened to a process that is stopped: it waits until that goes on. Null: it is not stopped. */
  readonly stopped?: Happened[] | null;
}

/** Something that happened. */
export interface Happened extends Timer {
  at: number;
  /** Events that wait for the end of a turn come after those that do not. */
  readonly late: boolean;
  readonly dice: number;
  readonly label: string;
  readonly owner: Owner | null;
  call: (() => void) | null;
}

/** The wall clock of every world starts here: a moment in 2026, in milliseconds since 1970. */
const wallStartMs = 1_770_000_000_000;

/** Time, and everything that will happen. */
export class EventLoop {
  /** Milliseconds since the world began. */
  nowMs = 0;
  /** How far the wall clock is off. The world moves it to make the clock jump. */
  wallSkewMs = 0;
  /** Events that ran. */
  count = 0;
  readonly #dice: Dice;
  readonly #trace: Trace;
  readonly #heap: Happened[] = [];

  constructor(dice: Dice, trace: Trace) {
    this.#dice = dice;
    this.#trace = trace;
  }

  /** The wall clock, milliseconds since 1970. */
  get wallMs(): number {
    return Math.floor(wallStartMs + this.nowMs + this.wallSkewMs);
  }

  /** Makes something happen later. `label` names the kind of event in the trace. */
  after(delayMs: number, label: string, owner: Owner | null, call: () => void, late = false): Timer {
    const event: Happened = {
      at: this.nowMs + Math.max(0, delayMs),
      late,
      dice: this.#dice.number(),
      label,
      owner,
      call,
      cancel() {
        event.call = null;
      },
    };
    this.#push(event);
    return event;
  }

  /** A result that arrives as an event. Where `owner` is dead by then it never does. */
  arrive<T>(delayMs: number, label: string, owner: Owner | null, make: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.after(delayMs, label, owner, () => {
        try {
          resolve(make());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** What happened to a process while it was stopped reaches it now, in the same order. */
  goOn(events: readonly Happened[]): void {
    for (const [place, event] of events.entries()) {
      event.at = this.nowMs + place * 1e-6;
      this.#push(event);
    }
  }

  /** Runs events until `done`, or until nothing will happen any more. Says whether it is done. */
  async run(done: () => boolean): Promise<boolean> {
    while (!done()) {
      const event = this.#pop();
      if (event === null) return done();
      if (event.call === null || event.owner?.alive === false) continue;
      const held = event.owner?.stopped ?? null;
      if (held !== null) {
        held.push(event);
        continue;
      }
      this.nowMs = event.at;
      this.count++;
      this.#trace.number(event.at);
      this.#trace.text(event.label);
      event.call();
      await drained();
    }
    return true;
  }

  #push(event: Happened): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent] as Happened)) break;
      heap[at] = heap[parent] as Happened;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Happened | null {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Happened, heap[child] as Happened)) child++;
      if (!before(heap[child] as Happened, last)) break;
      heap[at] = heap[child] as Happened;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(a: Happened, b: Happened): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.late !== b.late) return b.late;
  return a.dice < b.dice;
}

/**
 * Resolves when no promise is ready any more. The tick queue of Node is looked at only after the microtask queue has
 * run empty, however long the chains in it are, and the loop of a world runs in a microtask itself.
 */
function drained(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** The clock that one process sees. */
export function processClock(loop: EventLoop, owner: Owner): Clock {
  return {
    now: () => loop.wallMs,
    monotonic: () => loop.nowMs,
    after: (delayMs, call) => loop.after(delayMs, "timer", owner, call),
    soon: (call) => void loop.after(0, "soon", owner, call, true),
  };
}
