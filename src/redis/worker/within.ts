/** A wait with an end. */
import type { Clock } from "../../host/host.js";

/** Waits for something, however it ends, but not longer than this. */
export async function within(clock: Clock, ms: number, done: Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = clock.after(ms, resolve, true);
    const end = (): void => {
      timer.cancel();
      resolve();
    };
    done.then(end, end);
  });
}
