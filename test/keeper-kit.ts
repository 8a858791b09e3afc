/** Keepers for tests: the twin with a clock that is moved by hand, and real ones in a Redis. */
import type { KeeperWorld } from "../contract/keeper.js";
import { bytesOfText } from "../src/bytes.js";
import { systemClock } from "../src/host/clock.js";
import { systemRandom } from "../src/host/random.js";
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

/** A keeper by this link. */
export function keeperBy(link: RedisLink): RedisKeeper {
  return new RedisKeeper({
    place: "here",
    link,
    writing: link,
    random: systemRandom(),
    confirmation: { wait: "none", timeoutMs: 0 },
    absentMs: 60_000,
  });
}

/** A link to the Redis at this port. */
export function linkTo(port: number): Promise<RedisLink> {
  return openLink(`redis://127.0.0.1:${port}`, { clock: systemClock(), waitMs: 5000 });
}

/** The Redis at this port, emptied. Time passes by its own clock. */
export async function redisKeeperWorld(port: number): Promise<KeeperWorld & { readonly link: RedisLink }> {
  const link = await linkTo(port);
  await link.command("FLUSHALL", []);
  const now = async (): Promise<number> => {
    const [seconds, micros] = (await link.command("TIME", [])) as readonly string[];
    return Number(seconds) * 1000 + Number(micros) / 1000;
  };
  return {
    link,
    connect: async () => keeperBy(link),
    passes: async (ms) => {
      const until = (await now()) + ms;
      while ((await now()) < until) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    lose: async (record) => void (await link.command("DEL", [record])),
    plant: async (record) => {
      await link.command("DEL", [record]);
      await link.command("RPUSH", [record, bytesOfText("planted")]);
    },
    forgetsIn: async (record) => {
      const ms = Number(await link.command("PTTL", [record]));
      return ms < 0 ? null : ms;
    },
    wipe: async () => void (await link.command("FLUSHALL", [])),
    end: () => link.close(),
  };
}
