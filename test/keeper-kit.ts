/** Keepers for tests: the twin with a clock that is moved by hand, and real ones in a Redis. */
import type { KeeperWorld } from "../contract/keeper.js";
import { nodeRandom } from "../src/host/random.js";
import { systemClock } from "../src/host/clock.js";
import { RedisKeeper } from "../src/redis/redis-keeper.js";
import { openLink, type RedisLink } from "../src/redis/redis-link.js";
import { MemoryKeeperState } from "../simulator/redis/keeper-state.js";
import { MemoryKeeper } from "../simulator/redis/memory-keeper.js";

/** A twin whose time only passes when it is told to. */
export function memoryKeeperWorld(): KeeperWorld & { readonly state: MemoryKeeperState } {
  let now = 1_770_000_000_000;
  const state = new MemoryKeeperState({ now: () => now });
  return {
    state,
    connect: async () => new MemoryKeeper(state),
    passes: async (ms) => {
      now += ms;
    },
    lose: async (record) => state.lose(record),
    plant: async (record) => state.plant(record),
    forgetsIn: async (record) => {
      const at = state.key(record)?.forgottenAt ?? null;
      return at === null ? null : at - now;
    },
    wipe: async () => state.wipe(),
    end: async () => {},
  };
}
