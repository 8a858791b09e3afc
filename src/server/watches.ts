/**
 * The keys that a client watches, for its next EXEC. A watch begins with a look at its record: only then is known when
 * the record ends, and in a fleet that look is what a later write is compared with.
 */
import type { Bytes } from "../bytes.js";
import { failure, ok, type Reply } from "../commands/reply.js";
import type { Heart, Watch } from "../heart.js";

/** Keys that one client may watch at a time: each costs memory of the server. */
const watchesMax = 100_000;

const tooMany = failure(`ERR a client may watch ${watchesMax} keys at a time: UNWATCH, or watch fewer`);

/** The watches of one client. */
export class Watches {
  readonly #heart: Heart;
  #byKey = new Map<Bytes, Watch>();

  constructor(heart: Heart) {
    this.#heart = heart;
  }

  /** WATCH. What is watched already is watched from its first time on. */
  add(keys: readonly Bytes[]): Reply | Promise<Reply> {
    const fresh = [...new Set(keys)].filter((key) => !this.#byKey.has(key));
    if (fresh.length === 0) return ok;
    if (this.#byKey.size + fresh.length > watchesMax) return tooMany;
    const watches: Watch[] = [];
    const giveUp = (): void => {
      for (const [at, watch] of watches.entries()) {
        watch.cancel();
        this.#byKey.delete(fresh[at] as Bytes);
      }
    };
    try {
      for (const key of fresh) {
        const watch = this.#heart.watch(key);
        watches.push(watch);
        this.#byKey.set(key, watch);
      }
      const seen = this.#heart.view((workspace) => void fresh.map((key) => workspace.expiryOf(key)), { watches });
      if (!(seen instanceof Promise)) return ok;
      return seen.then(
        () => ok,
        (error: unknown) => {
          giveUp();
          throw error;
        },
      );
    } catch (error) {
      giveUp();
      throw error;
    }
  }

  /** What is watched, which is not the client's any more: whoever takes it cancels it. Null: nothing. */
  take(): readonly Watch[] | null {
    if (this.#byKey.size === 0) return null;
    const watches = [...this.#byKey.values()];
    this.#byKey = new Map();
    return watches;
  }

  /** UNWATCH. */
  clear(): void {
    cancelAll(this.take());
  }
}

/** Gives watches back. */
export function cancelAll(watches: readonly Watch[] | null): void {
  for (const watch of watches ?? []) watch.cancel();
}
