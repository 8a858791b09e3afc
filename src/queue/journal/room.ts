/**
 * Waiting for room in the queue. Only clients wait here, and only the writer and the supply of segments free them; each
 * wait has an end (promise 8: nothing hangs).
 */
import type { WriteBehindError } from "../../errors.js";
import type { Clock, Timer } from "../../host/host.js";

/** How a wait for room ends without room. */
export interface RoomWait {
  /** After so many milliseconds it rejects QUEUE_FULL or DISK_FULL. */
  readonly waitMs: number;
  /** When it aborts, the wait rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

interface Waiter {
  readonly bytes: number;
  readonly settle: (error: Error | null) => void;
}

/** Those who wait for room, in order. */
export class Room {
  readonly #clock: Clock;
  readonly #hasRoom: (bytes: number) => boolean;
  readonly #refusal: (bytes: number) => WriteBehindError;
  readonly #waiters = new Set<Waiter>();

  constructor(clock: Clock, hasRoom: (bytes: number) => boolean, refusal: (bytes: number) => WriteBehindError) {
    this.#clock = clock;
    this.#hasRoom = hasRoom;
    this.#refusal = refusal;
  }

  /** Resolves when there seems to be room; whoever waited asks again. */
  wait(bytes: number, { waitMs, signal }: RoomWait): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      let timer: Timer | null = null;
      const aborted = (): void => waiter.settle((signal?.reason as Error | undefined) ?? new Error("aborted"));
      const waiter: Waiter = {
        bytes,
        settle: (error) => {
          this.#waiters.delete(waiter);
          timer?.cancel();
          signal?.removeEventListener("abort", aborted);
          if (error === null) resolve();
          else reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", aborted);
      timer = this.#clock.after(waitMs, () => waiter.settle(this.#refusal(bytes)), true);
    });
  }

  /** Something was freed: wakes, oldest first, everyone whom it may be enough for. */
  freed(): void {
    for (const waiter of this.#waiters) if (this.#hasRoom(waiter.bytes)) waiter.settle(null);
  }

  /** Nobody will get room any more. */
  fail(error: WriteBehindError): void {
    for (const waiter of this.#waiters) waiter.settle(error);
  }
}
