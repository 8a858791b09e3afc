/**
 * Cache and queue that many processes share, as a value: what `redis(…)` returns. The module is loaded only where one is
 * given, so that nobody needs its driver who does not use it.
 */
import type { Emitter } from "./events.js";
import type { Heart } from "./heart.js";
import type { Host } from "./host/host.js";
import type { EngineOptions } from "./options.js";
import type { Store, StoreDescriptor } from "./store/store.js";

/** Where cache and queue are: the URL of a module that exports `openHeart`, and options that can cross threads. */
export interface CacheDescriptor {
  /** What it is: `redis`. */
  readonly kind: string;
  readonly module: string;
  readonly options: unknown;
}

/** What a heart is made of, apart from where its cache is. */
export interface SharedHeartParts {
  readonly host: Host;
  readonly store: Store | StoreDescriptor;
  readonly options: EngineOptions;
  /** Aborted: opening ends, whatever it waits for, and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Where the heart's events go, for whoever listens before it is open. */
  readonly events?: Emitter | undefined;
}

/** What a descriptor's module exports. */
export interface CacheModule {
  openHeart(cache: CacheDescriptor, parts: SharedHeartParts): Promise<Heart>;
}
