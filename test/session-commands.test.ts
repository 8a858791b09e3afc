/** What connections are told of themselves, of one another, of the server and its writer; and watches that end. */
import { describe, expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { commandRunner } from "../src/dashboard/command.js";
import { command, RawClient, serve, serveEngine, testFolder, until } from "./server-setup.js";

/** What comes of these lines; `last` is the end of it. */
async function heard(client: RawClient, last: string, ...lines: string[]): Promise<string> {
  client.say(...lines);
  await until(
    () => client.received.endsWith(last),
    () => `wanted an end ${JSON.stringify(last)}, got ${JSON.stringify(client.received)}`,
  );
  const { received } = client;
  client.received = "";
  return received;
}

/** The JSON of a bulk string. */
async function jsonOf(client: RawClient, line: string): Promise<Record<string, unknown>> {
  const text = await heard(client, "}\r\n+PONG\r\n", line, "PING");
  return JSON.parse(text.slice(text.indexOf("\r\n"), text.lastIndexOf("+PONG"))) as Record<string, unknown>;
}

describe("WATCH", () => {
  test("a watched record that ends trips it, and one that had ended before does not", async () => {
    const { port, stop } = await serveEngine(testFolder(), { durability: "os" });
    const client = new RawClient(port);
    client.say("SET a 1 PX 200", "SET b 1 PX 1");
    await client.expect("+OK\r\n+OK\r\n");
    for (let left = true; left;) left = (await heard(client, "\r\n", "EXISTS b")) === ":1\r\n";
    client.say("SET c 1", "SET a 1 PX 200", "WATCH a b", "MULTI", "SET c 2");
    await client.expect("+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n");
    const other = new RawClient(port);
    for (let left = true; left;) left = (await heard(other, "\r\n", "EXISTS a")) === ":1\r\n";
    client.say("EXEC", "GET c", "WATCH a b", "MULTI", "SET c 3", "EXEC");
    await client.expect("*-1\r\n$1\r\n1\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    await stop();
  });

  test("a record that is only in the database is looked at, so that its end is known", async () => {
    const folder = testFolder();
    const first = await serveEngine(folder, { durability: "os" });
    const writing = new RawClient(first.port);
    writing.say("SET a 1 PX 3000", "WAIT 1 0");
    await writing.expect("+OK\r\n:1\r\n");
    await first.stop();
    const { port, stop } = await serveEngine(folder, { durability: "os" });
    const client = new RawClient(port);
    client.say("WATCH a", "MULTI", "SET c 2");
    await client.expect("+OK\r\n+OK\r\n+QUEUED\r\n");
    const other = new RawClient(port);
    for (let left = true; left;) left = (await heard(other, "\r\n", "EXISTS a")) === ":1\r\n";
    client.say("EXEC", "EXISTS c");
    await client.expect("*-1\r\n:0\r\n");
    await stop();
  });

  test("a client that is gone watches nothing, and a limit holds for those that stay", async () => {
    const { port, stop, heart } = await serveEngine(testFolder(), { durability: "os" });
    const watched: string[] = [];
    const real = heart.watch.bind(heart);
    heart.watch = (key) => {
      const watch = real(key);
      watched.push(key);
      return {
        changed: (nowMs) => watch.changed(nowMs),
        cancel: () => {
          watched.splice(watched.indexOf(key), 1);
          watch.cancel();
        },
      };
    };
    const client = new RawClient(port);
    client.say("WATCH a b a", "WATCH b c");
    await client.expect("+OK\r\n+OK\r\n");
    expect(watched).toEqual(["a", "b", "c"]);
    client.say("MULTI", "EXEC", "WATCH a", "MULTI", "DISCARD", "WATCH b", "MULTI", "nosuch", "EXEC", "WATCH a");
    await until(() => client.received.endsWith("errors.\r\n+OK\r\n"));
    expect(watched).toEqual(["a"]);
    const many = Array.from({ length: 100_000 }, (_, index) => `k${index}`);
    client.received = "";
    client.send(command("WATCH", ...many));
    await client.expect("-ERR a client may watch 100000 keys at a time: UNWATCH, or watch fewer\r\n");
    client.socket.destroy();
    await until(() => watched.length === 0);
    await stop();
  });
});

describe("CLIENT", () => {
  test("lists who is connected, with what they have said of themselves", async () => {
    const { port } = await serve();
    const [one, two] = [new RawClient(port), new RawClient(port)];
    await heard(one, "+OK\r\n+OK\r\n", "CLIENT SETINFO LIB-NAME lib", "CLIENT SETINFO lib-ver 1.2");
    await heard(two, "+OK\r\n+OK\r\n+QUEUED\r\n", "CLIENT SETNAME two", "MULTI", "SET a 1");
    const list = await heard(one, "\n\r\n", "CLIENT LIST");
    const [first, second] = list.split("\n").slice(1);
    expect(first).toMatch(/^id=1 addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ name= age=0 idle=0 flags=N db=0 /);
    expect(first).toContain(`laddr=127.0.0.1:${port} `);
    expect(first).toMatch(/multi=-1 .* cmd=client\|list user=default redir=-1 resp=2 lib-name=lib lib-ver=1\.2$/);
    expect(second).toMatch(/^id=2 .* name=two .* flags=x .* multi=1 .* cmd=set /);
    expect(await heard(one, "\n\r\n", "CLIENT LIST ID 2 77")).toContain("\nid=2 ");
    expect(await heard(one, "\n\r\n", "CLIENT INFO")).toContain("\nid=1 ");
    expect(await heard(one, "\r\n", "CLIENT LIST TYPE pubsub")).toBe("$0\r\n\r\n");
  });

  test("ends connections by what they are: others at once, itself after the reply", async () => {
    const { port, server } = await serve();
    const clients = [1, 2, 3, 4].map(() => new RawClient(port));
    for (const client of clients) await heard(client, "+PONG\r\n", "PING");
    const [one, two, three, four] = clients as [RawClient, RawClient, RawClient, RawClient];
    const address = `127.0.0.1:${two.socket.localPort}`;
    expect(await heard(one, "\r\n", `CLIENT KILL ${address}`)).toBe("+OK\r\n");
    await until(() => two.ended || two.closed);
    expect(await heard(one, "\r\n", "CLIENT KILL ID 3 ADDR 1.1.1.1:1")).toBe(":0\r\n");
    expect(await heard(one, "\r\n", `CLIENT KILL ID 3 LADDR 127.0.0.1:${port} USER default`)).toBe(":1\r\n");
    await until(() => three.ended || three.closed);
    expect(await heard(one, "\r\n", "CLIENT KILL TYPE normal SKIPME no")).toBe(":2\r\n");
    await until(() => one.ended && (four.ended || four.closed));
    await until(() => server.counters.clients === 0);
  });
});

describe("COMMAND", () => {
  test("knows the commands behind a command, from the one table", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    const list = await heard(client, "\r\n+PONG\r\n", "COMMAND LIST", "PING");
    expect(list).toContain("\r\nclient|kill\r\n");
    const info = await heard(client, "*0\r\n", "COMMAND INFO client|list");
    expect(info).toMatch(/^\*1\r\n\*10\r\n\$11\r\nclient\|list\r\n:-2\r\n/);
    const docs = await heard(client, "\r\n+PONG\r\n", "COMMAND DOCS function", "PING");
    expect(docs).toContain("$11\r\nsubcommands\r\n");
    expect(docs).toContain("function|flush");
    const help = await heard(client, "+    Prints this help.\r\n", "CLIENT HELP");
    expect(help).toContain("+SETNAME name\r\n+    Names this connection.\r\n");
  });
});

describe("INFO", () => {
  test("tells the sections that were asked for, and all of them where none was", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    const titles = async (line: string) =>
      [...(await heard(client, "+PONG\r\n", line, "PING")).matchAll(/# (\w+)\r\n/g)].map(([, title]) => title);
    const always = "Server Clients Memory Persistence Stats Replication CPU Cluster Keyspace Writebehind".split(" ");
    for (const line of ["INFO", "INFO default", "INFO nosuch default"]) expect(await titles(line)).toEqual(always);
    expect(await titles("INFO all")).toEqual(always.toSpliced(7, 0, "Commandstats"));
    expect(await titles("INFO everything")).toEqual(always.toSpliced(7, 0, "Modules", "Commandstats"));
    expect(await titles("INFO keyspace SERVER server nosuch")).toEqual(["Server", "Keyspace"]);
    expect(await titles("INFO nosuch")).toEqual([]);
    expect(await heard(client, "+PONG\r\n", "INFO commandstats", "PING")).toContain("\r\ncmdstat_info:calls=8\r\n");
  });
});

describe("SHUTDOWN", () => {
  test("is refused where nobody can stop the program, and stops it without a word where somebody can", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    client.say("SHUTDOWN NOSAVE");
    await client.expect(
      "-ERR SHUTDOWN is refused: this server was not started by write-behind serve. Stop the program that runs it\r\n",
    );
    let stops = 0;
    const other = await serve({}, { stop: () => void stops++ });
    const stopping = new RawClient(other.port);
    stopping.say("PING", "SHUTDOWN NOW", "PING");
    await until(() => stopping.ended);
    expect([stopping.received, stops]).toEqual(["+PONG\r\n", 1]);
  });
});

describe("the writer's commands", () => {
  test("do what the admin API does", async () => {
    const { port, stop, heart } = await serveEngine(testFolder(), { durability: "os" });
    const client = new RawClient(port);
    expect(await jsonOf(client, "WB.PAUSE")).toMatchObject({ state: "paused" });
    await heard(client, "+OK\r\n+OK\r\n", "SET a 1", "SET b 2");
    expect(await jsonOf(client, "WB.STATUS")).toMatchObject({ state: "paused", queue: { pendingChanges: 2 } });
    expect(await jsonOf(client, "wb.inspect a")).toMatchObject({
      key: "a",
      queue: [{ value: { value: "1" } }],
      database: { value: null },
    });
    client.say("WB.FLUSH");
    await client.expect("-ERR the writer is paused, so nothing reaches the database (resume)\r\n");
    expect(await jsonOf(client, "WB.STEP")).toMatchObject({ batch: { changes: 2 } });
    expect(await jsonOf(client, "WB.RESUME")).toMatchObject({ state: "running" });
    await heard(client, "+OK\r\n", "SET a 3");
    expect(await jsonOf(client, "WB.FLUSH a b")).toMatchObject({ parked: [] });
    expect(await jsonOf(client, "WB.INSPECT a")).toMatchObject({ queue: [], database: { value: { value: "3" } } });
    client.say("MULTI", "WB.FLUSH", "EXEC", "WB.FLUSH x y");
    await until(() => client.received.includes("}"));
    expect(client.received).toContain("-ERR Command not allowed inside a transaction\r\n-EXECABORT");
    const run = commandRunner(heart, false);
    expect(await run([bytesOfText("WB.STATUS")])).toMatchObject({ type: "bulk" });
    expect(await run(["WB.FLUSH", "a"].map(bytesOfText))).toMatchObject({ type: "bulk" });
    await stop();
  });

  test("a flush waits alone: others are served, and the end of its connection calls it off", async () => {
    const { port, stop, heart } = await serveEngine(testFolder(), { durability: "os", delayMs: 60_000 });
    let flushes = 0;
    const real = heart.flush.bind(heart);
    heart.flush = async (options) => {
      flushes++;
      try {
        return await new Promise((_resolve, reject) => {
          options?.signal?.addEventListener("abort", () => reject(options.signal?.reason as Error));
        });
      } finally {
        flushes--;
      }
    };
    const [waiting, other] = [new RawClient(port), new RawClient(port)];
    waiting.say("WB.FLUSH", "PING");
    await until(() => flushes === 1);
    await heard(other, "+OK\r\n", "SET a 1");
    expect(waiting.received).toBe("");
    await heard(other, ":1\r\n", "CLIENT KILL ID 1");
    await until(() => flushes === 0);
    heart.flush = real;
    await stop();
  });
});
