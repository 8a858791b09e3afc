/** The link to a Redis: what it says of a command is true, whatever becomes of connection and server. */
import { inspect } from "node:util";
import { afterEach, expect, test } from "vitest";
import { WriteBehindError } from "../src/errors.js";
import { systemClock } from "../src/host/clock.js";
import { openLink, type LinkParts, type RedisLink, type Script } from "../src/redis/redis-link.js";
import { TcpProxy } from "./tcp-proxy.js";
import { describeRedis } from "./with-redis.js";

const everyByte = String.fromCharCode(...Array(256).keys());
const increment: Script = { name: "increment", text: "return redis.call('INCRBY', KEYS[1], ARGV[1])" };
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function linkTo(port: number, parts: Partial<LinkParts> = {}, user = ""): Promise<RedisLink> {
  const link = await openLink(`redis://${user}127.0.0.1:${port}`, { clock: systemClock(), waitMs: 5000, ...parts });
  open.push(link);
  return link;
}

async function proxyTo(port: number | (() => number)): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(port);
  open.push({ close: () => proxy.stop() });
  return proxy;
}

/** What a promise is rejected with. */
async function failureOf(promise: Promise<unknown>): Promise<WriteBehindError> {
  const answer = await promise.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
  if (answer instanceof WriteBehindError) return answer;
  throw new Error(`no error of ours but ${inspect(answer)}`);
}

/** Waits until the link is up, or down. */
function state(link: RedisLink, wanted: "up" | "down"): Promise<Error | null> {
  return new Promise((resolve) => {
    const stop = link.onState((state, error) => {
      if (state !== wanted) return;
      stop();
      resolve(error);
    });
  });
}

/** How often the server has run a command. */
async function calls(link: RedisLink, command: string): Promise<number> {
  const stats = String(await link.command("INFO", ["commandstats"]));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describeRedis("scripts and commands", (server) => {
  test("arguments and replies are bytes", async () => {
    const link = await linkTo(server().port);
    expect(await link.command("set", ["every", everyByte])).toBe("OK");
    expect(await link.command("get", ["every"])).toBe(everyByte);
    expect(await link.command("GET", ["nothing"])).toBeNull();
    expect(await link.command("HSET", ["h", "é", 1.5, "n", -7])).toBe(2);
    expect(await link.command("HGETALL", ["h"])).toEqual(["é", "1.5", "n", "-7"]);
    const lists: Script = { name: "lists", text: "return {1, 'a', {false, ARGV[1]}, {}}" };
    expect(await link.run(lists, [], [everyByte])).toEqual([1, "a", [null, everyByte], []]);
  });

  test("2,000 arguments, and answers in the order of their commands", async () => {
    const link = await linkTo(server().port);
    const all: Script = { name: "all", text: "return ARGV" };
    const values = Array.from({ length: 2000 }, (_, index) => `${index}\xff`);
    const [first, ...rest] = await Promise.all([
      link.run(all, ["k"], values),
      ...values.map((each) => link.command("ECHO", [each])),
    ]);
    expect(first).toEqual(values);
    expect(rest).toEqual(values);
  });

  test("a script's text is sent only where the server does not have it", async () => {
    const link = await linkTo(server().port);
    await link.command("CONFIG", ["RESETSTAT"]);
    for (const expected of [2, 4, 6]) expect(await link.run(increment, ["scripted"], [2])).toBe(expected);
    expect(await calls(link, "eval")).toBe(1);
    await link.command("SCRIPT", ["FLUSH"]);
    expect(await link.run(increment, ["scripted"], [2])).toBe(8);
    expect(await calls(link, "eval")).toBe(2);
  });

  test("what Redis refuses is said in its words, and the link goes on", async () => {
    const link = await linkTo(server().port);
    await link.command("SET", ["text", "x"]);
    await expect(link.command("INCR", ["text"])).rejects.toThrow("ERR value is not an integer or out of range");
    const fails: Script = { name: "fails", text: "return redis.error_reply('MINE too bad')" };
    await expect(link.run(fails, [], [])).rejects.toThrow(/^MINE too bad$/);
    expect(await link.command("PING", [])).toBe("PONG");
  });

  test("another database", async () => {
    const link = await openLink(`redis://127.0.0.1:${server().port}/3`, { clock: systemClock(), waitMs: 5000 });
    open.push(link);
    await link.command("SET", ["only here", "1"]);
    const zero = await linkTo(server().port);
    expect(await zero.command("EXISTS", ["only here"])).toBe(0);
    await zero.command("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "yes"]);
    await state(link, "up");
    expect(await link.command("EXISTS", ["only here"])).toBe(1);
  });
});

describeRedis("a network that fails", (server) => {
  test("an answer that is lost: UNKNOWN, and the command is not sent again", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port);
    await link.command("DEL", ["cut"]);
    proxy.onData = (side) => {
      if (side === "client") return true;
      proxy.heal();
      return false;
    };
    const failure = await failureOf(link.run(increment, ["cut"], [1]));
    expect(failure.code).toBe("UNKNOWN");
    expect(failure.message).toContain("it is not known whether it was done");
    expect(Number(await link.command("GET", ["cut"]))).toBeLessThanOrEqual(1);
    const counted = Promise.allSettled([1, 2, 3].map(() => link.command("INCR", ["counted"])));
    proxy.onData = () => {
      proxy.heal();
      return false;
    };
    expect((await counted).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(await link.command("GET", ["counted"])).toBeNull();
  });
});
