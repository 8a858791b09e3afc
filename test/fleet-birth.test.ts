/** A fleet is found or born, never beside a database of another queue; and a Redis that was changed is named. */
import { describe, expect, onTestFinished, test } from "vitest";
import type { WriteBehindError } from "../src/errors.js";
import { nodeHost } from "../src/host/node-host.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { foundOrBorn } from "../src/redis/birth.js";
import { connect } from "../src/redis/connect.js";
import { StoreError, type LookedPosition } from "../src/store/store.js";
import { MemoryKeeperState } from "../simulator/redis/keeper-state.js";
import { MemoryKeeper } from "../simulator/redis/memory-keeper.js";
import { describeRedis } from "./with-redis.js";

const looked: LookedPosition = {
  partition: 3,
  position: { logId: "f".repeat(32), sequence: 7, tag: 1 },
  owner: null,
  ageMs: 0,
  runEnds: [],
};

/** A host whose long timers are called by hand. */
function handHost(): { host: ReturnType<typeof nodeHost>; fire: () => void } {
  const host = nodeHost();
  const timers: (() => void)[] = [];
  const after: typeof host.clock.after = (delayMs, call, keepsAlive) => {
    if (delayMs < 500) return host.clock.after(delayMs, call, keepsAlive);
    timers.push(call);
    return { cancel: () => {} };
  };
  const { now, monotonic, soon } = host.clock;
  const clock = {
    now: now.bind(host.clock),
    monotonic: monotonic.bind(host.clock),
    soon: soon.bind(host.clock),
    after,
  };
  return { host: { ...host, clock }, fire: () => timers.splice(0).forEach((call) => call()) };
}

describe("a fleet", () => {
  const state = (): MemoryKeeperState => new MemoryKeeperState({ now: () => 1000 });
  const never = (): Promise<never> => Promise.reject(new Error("it is not asked"));

  test("that is there is found, without a word to the database", async () => {
    const shared = state();
    const fleet = { id: "0".repeat(24), partitions: 3 };
    await new MemoryKeeper(shared).fleet(fleet);
    const parts = { host: nodeHost(), look: never, partitions: 8 };
    expect(await foundOrBorn(new MemoryKeeper(shared), parts)).toEqual(fleet);
  });

  test("is born beside an empty database, and not beside one of another queue", async () => {
    const shared = state();
    const parts = { host: nodeHost(), partitions: 8 };
    const refused = foundOrBorn(new MemoryKeeper(shared), { ...parts, look: () => Promise.resolve([looked]) });
    await expect(refused).rejects.toMatchObject({
      code: "QUEUE_MISMATCH",
      hint: expect.stringContaining("write-behind adopt --cache URL --store URL") as string,
    });
    expect(shared.fleet).toBeNull();
    const look = (): Promise<LookedPosition[]> => Promise.resolve([{ ...looked, position: null }]);
    expect(await foundOrBorn(new MemoryKeeper(shared), { ...parts, look })).toMatchObject({ partitions: 8 });
  });

  test("waits for a database that is away, until it is there or nobody wants it any more; a wrong one is said", async () => {
    const { host, fire } = handHost();
    const answers = [new StoreError("retryable", "it is starting up"), new StoreError("retryable", "still")];
    const said: string[] = [];
    const waits = (why: string): void => {
      said.push(why);
      setImmediate(fire);
    };
    const look = (): Promise<LookedPosition[]> => {
      const error = answers.shift();
      return error === undefined ? Promise.resolve([]) : Promise.reject(error);
    };
    const keeper = new MemoryKeeper(state());
    expect(await foundOrBorn(keeper, { host, look, waits, partitions: 2 })).toMatchObject({ partitions: 2 });
    expect(said).toEqual(["it is starting up", "still"]);

    const away = (): Promise<never> => Promise.reject(new StoreError("retryable", "gone"));
    const stop = new AbortController();
    const aborting = { host, look: away, partitions: 2, signal: stop.signal };
    const aborted = foundOrBorn(new MemoryKeeper(state()), {
      ...aborting,
      waits: () => {
        stop.abort(new Error("no more"));
        setImmediate(fire);
      },
    });
    await expect(aborted).rejects.toThrow("no more");
    const wrong = (): Promise<never> => Promise.reject(new StoreError("broken", "no such password"));
    await expect(
      foundOrBorn(new MemoryKeeper(state()), { ...aborting, look: wrong, signal: undefined }),
    ).rejects.toThrow("no such password");
  });
});

describeRedis("a Redis that a process is connected to", (server) => {
  test("is looked at again and again: what it must not be is told each time, with the command that repairs it", async () => {
    const { host, fire } = handHost();
    const url = `redis://127.0.0.1:${server().port}`;
    const connected = await connect(url, host, resolveEngineOptions({}), "safety");
    const other = await connect(url, nodeHost(), resolveEngineOptions({}), null);
    onTestFinished(async () => {
      await Promise.all([connected.close(), other.close()]);
    });
    const { openLink } = await import("../src/redis/redis-link.js");
    const link = await openLink(url, { clock: nodeHost().clock, waitMs: 1000 });
    const told: WriteBehindError[] = [];
    connected.watch((problem) => told.push(problem));
    await link.command("CONFIG", ["SET", "maxmemory-policy", "allkeys-lru"]);
    await expect.poll(() => (fire(), told.length), { interval: 10 }).toBeGreaterThan(1);
    expect(told[0]).toMatchObject({ code: "CONFIG", hint: "`CONFIG SET maxmemory-policy volatile-lru`" });
    await expect(connect(url, nodeHost(), resolveEngineOptions({}), "safety")).rejects.toMatchObject({
      code: "CONFIG",
    });
    await link.command("CONFIG", ["SET", "maxmemory-policy", "noeviction"]);
    await connected.close();
    const before = told.length;
    fire();
    expect(told.length).toBe(before);
    await link.close();
  });
});
