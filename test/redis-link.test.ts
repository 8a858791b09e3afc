/** The link to a Redis: what it says of a command is true, whatever becomes of connection and server. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { afterEach, expect, test } from "vitest";
import { WriteBehindError } from "../src/errors.js";
import { systemClock } from "../src/host/clock.js";
import { openLink, type LinkParts, type RedisLink, type Script } from "../src/redis/redis-link.js";
import { errorOfReply } from "../src/redis/redis-errors.js";
import { placeOf, shownUrl } from "../src/redis/redis-url.js";
import { startRedis, type RunningServer } from "./servers.js";
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

/** A server that one test may do what it likes with. */
async function ownServer(args: readonly string[] = []): Promise<RunningServer> {
  const server = await startRedis(args);
  open.push({ close: () => server.stop() });
  return server;
}

describeRedis("a network that fails", (server) => {
  test("an answer that is lost: UNKNOWN, and the command is not sent again", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port);
    await link.run(increment, ["cut"], [0]);
    await link.command("CONFIG", ["RESETSTAT"]);
    proxy.onData = (side) => {
      if (side === "client") return true;
      proxy.heal();
      return false;
    };
    const failure = await failureOf(link.run(increment, ["cut"], [1]));
    expect(failure.code).toBe("UNKNOWN");
    expect(failure.message).toContain("it is not known whether it was done");
    expect(await link.command("GET", ["cut"])).toBe("1");
    expect(await calls(link, "incrby")).toBe(1);
  });

  test("cut before anything reached the server: all that was sent is UNKNOWN", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port);
    await link.command("CONFIG", ["RESETSTAT"]);
    proxy.onData = () => {
      proxy.heal();
      return false;
    };
    const failures = await Promise.all(["a", "b", "c"].map((key) => failureOf(link.command("INCR", [key]))));
    expect(failures.map(({ code }) => code)).toEqual(["UNKNOWN", "UNKNOWN", "UNKNOWN"]);
    expect(await calls(link, "incr")).toBe(0);
  });

  test("without a connection a command waits for one, and is done once", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port, { waitMs: 30_000 });
    const down = state(link, "down");
    proxy.refuse();
    expect(await down).toMatchObject({ code: "CACHE_DOWN" });
    expect(link.isUp).toBe(false);
    const order = ["1", "2", "3"].map((each) => link.command("RPUSH", ["waited", each]));
    proxy.heal();
    expect(await Promise.all(order)).toEqual([1, 2, 3]);
    expect(await link.command("LRANGE", ["waited", 0, -1])).toEqual(["1", "2", "3"]);
  });

  test("where none comes in time: CACHE_DOWN, and nothing was written", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port, { waitMs: 50 });
    const down = state(link, "down");
    proxy.refuse();
    await down;
    const failure = await failureOf(link.command("SET", ["never", "x"]));
    expect(failure.code).toBe("CACHE_DOWN");
    expect(failure.message).toContain("nothing was written");
    const up = state(link, "up");
    proxy.heal();
    await up;
    expect(await link.command("EXISTS", ["never"])).toBe(0);
  });

  test("the server says goodbye: what was sent is UNKNOWN, and a new connection is made", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port);
    proxy.onData = (side) => {
      if (side === "client") proxy.halfClose();
      return false;
    };
    expect((await failureOf(link.command("INCR", ["half"]))).code).toBe("UNKNOWN");
    proxy.heal();
    expect(await link.command("PING", [])).toBe("PONG");
  });

  test("a slow network is no lost one", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port);
    proxy.delayMs = 30;
    expect(await Promise.all([1, 2, 3].map((each) => link.command("ECHO", [each])))).toEqual(["1", "2", "3"]);
  });

  test("an idle connection that died is noticed", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port, { answerMs: 100 });
    const down = state(link, "down");
    proxy.blackHole();
    expect(String(await down)).toContain("no answer for 0.1 s");
  });

  test("a server that lets nobody finish the greeting does not hold a command", async () => {
    const proxy = await proxyTo(server().port);
    const triedAgain = new Promise<void>((resolve) => {
      proxy.onData = () => {
        if (proxy.accepted > 1) resolve();
        return false;
      };
    });
    const link = await linkTo(proxy.port, { answerMs: 100, waitMs: 100 });
    expect((await failureOf(link.command("PING", []))).code).toBe("CACHE_DOWN");
    await triedAgain;
    proxy.heal();
    await state(link, "up");
    expect(await link.command("PING", [])).toBe("PONG");
  });

  test("closed: what was sent is answered, what waits and what comes is refused", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port);
    proxy.delayMs = 30;
    const sent = link.command("ECHO", ["sent"]);
    const closing = link.close();
    expect((await failureOf(link.command("ECHO", ["late"]))).code).toBe("CLOSED");
    expect(await sent).toBe("sent");
    await closing;
    const other = await linkTo(proxy.port);
    const down = state(other, "down");
    proxy.refuse();
    await down;
    const waiting = failureOf(other.command("ECHO", ["waits"]));
    await other.close();
    expect((await waiting).code).toBe("CLOSED");
  });
});

describeRedis("a server that fails", () => {
  test("another one in its place: the next commands work, scripts too", async () => {
    const first = await startRedis();
    let port = first.port;
    const proxy = await proxyTo(() => port);
    const link = await linkTo(proxy.port, { waitMs: 30_000 });
    expect(await link.run(increment, ["n"], [5])).toBe(5);
    const down = state(link, "down");
    await first.stop();
    proxy.cut();
    await down;
    const waiting = link.run(increment, ["n"], [1]);
    ({ port } = await ownServer());
    expect(await waiting).toBe(1);
  });

  test("restarted on its port: the next commands work", async () => {
    const server = await ownServer(["--enable-debug-command", "yes"]);
    const link = await linkTo(server.port, { waitMs: 30_000 });
    await link.run(increment, ["n"], [5]);
    expect((await failureOf(link.command("DEBUG", ["RESTART"]))).code).toBe("UNKNOWN");
    expect(await link.run(increment, ["n"], [1])).toBe(1);
  });

  test("one that stands still: UNKNOWN in time, and its late answers are nobody's", async () => {
    const server = await ownServer();
    const link = await linkTo(server.port, { answerMs: 200, waitMs: 30_000 });
    await link.run(increment, ["n"], [1]);
    server.process.kill("SIGSTOP");
    try {
      const failures = await Promise.all([1, 2].map(() => failureOf(link.run(increment, ["n"], [1]))));
      expect(failures.map(({ code }) => code)).toEqual(["UNKNOWN", "UNKNOWN"]);
      expect(failures[0]?.message).toContain("no answer for 0.2 s");
    } finally {
      server.process.kill("SIGCONT");
    }
    expect(await link.command("ECHO", ["mine"])).toBe("mine");
  });

  test("a full one, one whose disk is full, a replica, a busy one", async () => {
    const server = await ownServer(["--lua-time-limit", "10", "--enable-debug-command", "yes"]);
    const link = await linkTo(server.port);
    await link.command("CONFIG", ["SET", "maxmemory", 1]);
    expect(await failureOf(link.command("SET", ["a", "b"]))).toMatchObject({ code: "QUEUE_FULL" });
    const full = await failureOf(link.run(increment, ["n"], [1]));
    expect(full).toMatchObject({ code: "QUEUE_FULL" });
    expect(full.message).toContain("maxmemory");
    await link.command("CONFIG", ["SET", "maxmemory", 0]);

    const [, folder] = (await link.command("CONFIG", ["GET", "dir"])) as unknown as [string, string];
    rmSync(folder, { recursive: true });
    await link.command("CONFIG", ["SET", "save", "100 1"]);
    await link.command("SAVE", []).catch(() => {});
    await link.command("BGSAVE", []);
    const saved = async (): Promise<boolean> =>
      String(await link.command("INFO", ["persistence"])).includes("rdb_bgsave_in_progress:0");
    while (!(await saved()));
    expect(await failureOf(link.run(increment, ["n"], [1]))).toMatchObject({ code: "DISK_FULL" });
    await link.command("CONFIG", ["SET", "save", ""]);

    const other = await linkTo(server.port);
    const busy = link.command("EVAL", ["while true do end", 0]);
    let refused: WriteBehindError | null = null;
    while (refused === null) {
      await other.command("GET", ["n"]).catch((error: WriteBehindError) => (refused = error));
    }
    expect(refused).toMatchObject({ code: "CACHE_DOWN" });
    await other.command("SCRIPT", ["KILL"]);
    await expect(busy).rejects.toThrow("Script killed");

    await link.command("REPLICAOF", ["127.0.0.1", 1]);
    const down = state(link, "down");
    expect(await failureOf(link.run(increment, ["n"], [1]))).toMatchObject({ code: "CACHE_DOWN" });
    expect(String(await down)).toContain("is a replica");
    await other.command("REPLICAOF", ["NO", "ONE"]);
    expect(await link.run(increment, ["n"], [1])).toBe(1);
  });

  test("one that loads its data is not up yet", async () => {
    const slowly = ["--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"];
    const server = await ownServer([...slowly, "--enable-debug-command", "yes"]);
    const link = await linkTo(server.port, { waitMs: 30_000 });
    await Promise.all(Array.from({ length: 5000 }, (_, index) => link.command("SET", [`key:${index}`, "x"])));
    await link.command("SAVE", []);
    await failureOf(link.command("DEBUG", ["RESTART"]));
    expect(await link.command("DBSIZE", [])).toBe(5000);
  });
});

describeRedis(
  "who may come in",
  (server) => {
    test("the password", async () => {
      const wrong = await failureOf(linkTo(server().port, {}, ":s3cr3t-wrong@"));
      expect(wrong).toMatchObject({ code: "CONFIG" });
      expect(inspect(wrong, { depth: 9 })).not.toContain("s3cr3t");
      const none = await failureOf(linkTo(server().port));
      expect(none).toMatchObject({ code: "CONFIG" });
      expect(none.hint).toContain("redis://user:password@");
      const link = await linkTo(server().port, {}, ":s3cr3t%2F@");
      expect(await link.command("PING", [])).toBe("PONG");
    });

    test("a user without rights is told which", async () => {
      const admin = await linkTo(server().port, {}, ":s3cr3t%2F@");
      await admin.command("ACL", ["SETUSER", "little", "on", ">little", "~*", "+get"]);
      const link = await linkTo(server().port, {}, "little:little@");
      expect(await link.command("GET", ["x"])).toBeNull();
      const failure = await failureOf(link.command("SET", ["x", "y"]));
      expect(failure).toMatchObject({ code: "CONFIG" });
      expect(failure.message).toContain("'set'");
    });
  },
  ["--requirepass", "s3cr3t/"],
);

describeRedis("messages", (server) => {
  test("arrive as bytes, also after the connection was lost, until one leaves", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port, { waitMs: 30_000 });
    const heard: string[] = [];
    let next: () => void = () => {};
    const waitFor = async (count: number): Promise<void> => {
      while (heard.length < count) await new Promise<void>((resolve) => (next = resolve));
    };
    const hear = (text: string): void => {
      heard.push(text);
      next();
    };
    let back = (): void => {};
    const again = new Promise<void>((resolve) => (back = resolve));
    const leave = await link.subscribe(
      ["one", "é"],
      (channel, text) => hear(`${channel}: ${text}`),
      () => back(),
    );
    await link.subscribe(["one"], (_, text) => hear(`other: ${text}`));
    await link.command("PUBLISH", ["é", everyByte]);
    await waitFor(1);
    expect(heard).toEqual([`é: ${everyByte}`]);
    proxy.cut();
    await again;
    await link.command("PUBLISH", ["one", "b"]);
    await waitFor(3);
    expect(heard.slice(1).sort()).toEqual(["one: b", "other: b"]);
    leave();
    await link.command("PUBLISH", ["é", "c"]);
    await link.command("PUBLISH", ["one", "d"]);
    await waitFor(4);
    expect(heard.slice(3)).toEqual(["other: d"]);
  });

  test("a silent connection is noticed and made again", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port, { answerMs: 100, waitMs: 30_000 });
    const again = new Promise<void>((resolve, reject) => {
      link
        .subscribe(["x"], () => {}, resolve)
        .then(() => {
          proxy.blackHole();
          const down = state(link, "down");
          void down.then(() => proxy.heal());
        }, reject);
    });
    await again;
  });

  test("without a connection in time: CACHE_DOWN", async () => {
    const proxy = await proxyTo(server().port);
    const link = await linkTo(proxy.port, { waitMs: 50 });
    proxy.refuse();
    expect(await failureOf(link.subscribe(["x"], () => {}))).toMatchObject({ code: "CACHE_DOWN" });
  });
});

test("nobody there: the link is down, and comes up when somebody is", async () => {
  const link = await linkTo(1, { waitMs: 20 });
  expect(link.isUp).toBe(false);
  const failure = await failureOf(link.command("GET", ["x"]));
  expect(failure).toMatchObject({ code: "CACHE_DOWN" });
  expect(failure.message).toBe(
    "the Redis at redis://127.0.0.1:1 cannot be reached (nobody listens there); nothing was written",
  );
});

describeRedis("a socket of the machine", () => {
  test("redis+unix", async () => {
    const folder = mkdtempSync(join(tmpdir(), "redis-socket-"));
    const path = join(folder, "r.sock");
    try {
      await ownServer(["--unixsocket", path]);
      const link = await openLink(`redis+unix://${path}?db=2`, { clock: systemClock(), waitMs: 5000 });
      open.push(link);
      expect(await link.command("PING", [])).toBe("PONG");
      expect(String(await link.command("CLIENT", ["INFO"]))).toContain(" db=2 ");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test("URLs", () => {
  expect(placeOf("redis://u%40:p%3A@host:7000/5")).toEqual({
    at: { host: "host", port: 7000 },
    tls: null,
    username: "u@",
    password: "p:",
    db: 5,
    shown: "redis://host:7000/5",
  });
  expect(placeOf("rediss://cache.example").tls).toEqual({ servername: "cache.example" });
  expect(placeOf("rediss://[::1]:1")).toMatchObject({ at: { host: "::1", port: 1 }, tls: {} });
  expect(placeOf("redis+unix://u:p@/run/r.sock")).toMatchObject({ at: { path: "/run/r.sock" }, password: "p" });
  expect(shownUrl("redis://u:secret@h")).toBe("redis://h:6379");
  expect(shownUrl("redis+unix://u:secret@/r.sock?db=1")).toBe("redis+unix:///r.sock?db=1");
  const bad = ["", "host", "http://u:secret@h", "redis://u:secret@h/x", "redis://u:se%zzcret@h", "redis://h?secret=1"];
  for (const url of [...bad, "redis://u:secret@h:port", "redis+unix://u:secret@"]) {
    expect(() => placeOf(url)).toThrow(WriteBehindError);
    try {
      placeOf(url);
    } catch (error) {
      expect(error).toMatchObject({ code: "CONFIG", hint: expect.stringContaining("redis://user:password@host") });
      expect(String(error)).not.toContain("secret");
    }
  }
});

test("error replies that no server here gives", () => {
  const codeOf = (text: string): unknown => (errorOfReply(text, "redis://h:1") as { code?: unknown }).code;
  const inScript = "ERR Error running script (call to f_0a): @user_script:1: @user_script: 1: -OOM command not allowed";
  expect(codeOf(inScript)).toBe("QUEUE_FULL");
  expect(codeOf("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")).toBe("CACHE_DOWN");
  expect(codeOf("NOREPLICAS Not enough good replicas to write.")).toBe("CACHE_DOWN");
  expect(codeOf("TRYAGAIN Multiple keys request during rehashing of slot")).toBe("CACHE_DOWN");
  expect(codeOf("WRONGTYPE Operation against a key")).toBeUndefined();
  expect(errorOfReply("odd", "redis://h:1").message).toBe("odd");
});

test("without the driver: DRIVER_MISSING, and how to install it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "write-behind-driver-"));
  try {
    cpSync(join(dirname(fileURLToPath(import.meta.url)), "..", "src"), join(folder, "src"), { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const script = `
      import { openLink } from "./src/redis/redis-link.js";
      await openLink("redis://h", {}).catch(({ code, hint }) => console.log(code, hint));`;
    writeFileSync(join(folder, "try.mjs"), script);
    const { stdout } = spawnSync(process.execPath, ["try.mjs"], { cwd: folder, encoding: "utf8" });
    expect(stdout).toBe("DRIVER_MISSING npm install ioredis\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
