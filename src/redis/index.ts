/** Cache and queue in a Redis or Valkey, for users: `redis("redis://user:password@host:6379")`. */
import type { Heart } from "../heart.js";
import type { CacheDescriptor, SharedHeartParts } from "../shared-cache.js";
import { openFleetHeart } from "./open-fleet.js";
import { placeOf } from "./redis-url.js";

/**
 * Cache and queue in a Redis or Valkey (6.2 or newer, no cluster), shared by all processes that name it. The URL is
 * redis://, rediss:// (TLS) or redis+unix://; the driver is the package `ioredis`, to be installed beside this one.
 * Throws CONFIG.
 */
export function redis(url: string): CacheDescriptor {
  placeOf(url);
  return { kind: "redis", module: import.meta.url, options: { url } };
}

/** What the engine calls: a process of the fleet. */
export function openHeart(cache: CacheDescriptor, parts: SharedHeartParts): Promise<Heart> {
  return openFleetHeart((cache.options as { readonly url: string }).url, parts);
}
