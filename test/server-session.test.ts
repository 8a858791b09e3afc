import { describe, expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { nodeHost } from "../src/host/node-host.js";
import { type Connection, type ConnectionEvents, type Sockets } from "../src/host/sockets.js";
import { startServer } from "../src/server/server.js";
import { FakeHeart } from "./server-fake-heart.js";
import { command, nothingHappens, RawClient, serve, until } from "./server-setup.js";

const queuedReply = "+QUEUED\r\n";

describe("transactions", () => {
  test("MULTI … EXEC is one execution and one frame; commands on the connection may be among its commands", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say(
      "MULTI",
      "SET a 1",
      "PING",
      "INCR a",
      "GET a",
      "CLIENT SETNAME me",
      "WAIT 1 0",
      "EXEC",
      "CLIENT GETNAME",
    );
    await client.expect(
      `+OK\r\n${queuedReply.repeat(6)}*6\r\n+OK\r\n+PONG\r\n:2\r\n$1\r\n2\r\n+OK\r\n:0\r\n$2\r\nme\r\n`,
    );
    expect([heart.executions, heart.accepted]).toEqual([1, 1]);
  });

  test("what writes nothing is done as a read, also in a transaction", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say(
      "SET a 1",
      "GET a",
      "HGETALL h",
      "MULTI",
      "GET a",
      "PING",
      "EXISTS a",
      "EXEC",
      "MULTI",
      "GET a",
      "INCR a",
    );
    await client.expect(
      `+OK\r\n$1\r\n1\r\n*0\r\n+OK\r\n${queuedReply.repeat(3)}*3\r\n$1\r\n1\r\n+PONG\r\n:1\r\n+OK\r\n${queuedReply.repeat(2)}`,
    );
    expect([heart.executions, heart.views]).toEqual([4, 3]);
    client.say("EXEC");
    await client.expect("*2\r\n$1\r\n1\r\n:2\r\n");
    expect([heart.executions, heart.views]).toEqual([5, 3]);
  });

  test("its reply waits until the frame is kept", async () => {
    const { heart, port } = await serve();
    heart.auto = false;
    const client = new RawClient(port);
    client.say("MULTI", "SET a 1");
    await client.expect("+OK\r\n+QUEUED\r\n");
    client.say("EXEC");
    await until(() => heart.accepted === 1);
    await nothingHappens();
    expect(client.received).toBe("");
    heart.keep(1);
    await client.expect("*1\r\n+OK\r\n");
  });

  test("a command that fails when it runs stops nobody else", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    client.say("SET a x", "MULTI", "INCR a", "HSET a f v", "SET b 1", "EXEC", "GET b");
    await client.expect(
      `+OK\r\n+OK\r\n${queuedReply.repeat(3)}*3\r\n-ERR value is not an integer or out of range\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n+OK\r\n$1\r\n1\r\n`,
    );
  });

  test("a command that is refused when it is queued aborts all", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say("MULTI", "SET a 1", "GET", "EXEC", "EXEC");
    await client.expect(
      "+OK\r\n+QUEUED\r\n-ERR wrong number of arguments for 'get' command\r\n-EXECABORT Transaction discarded because of previous errors.\r\n-ERR EXEC without MULTI\r\n",
    );
    client.say("MULTI", "NOSUCH", "FLUSHALL", "EXEC");
    await client.expect(
      "+OK\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n-ERR Command not allowed inside a transaction\r\n-EXECABORT Transaction discarded because of previous errors.\r\n",
    );
    client.say("MULTI", "EXEC x", "EXEC");
    await client.expect(
      "+OK\r\n-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n-ERR EXEC without MULTI\r\n",
    );
    expect(heart.accepted).toBe(0);
  });

  test("a client that queues without end is cut off", async () => {
    const { server, port } = await serve();
    const client = new RawClient(port);
    client.socket.resume();
    client.send(command("MULTI"));
    const large = command("SET", "a", "x".repeat(30 * 1024 * 1024));
    for (let i = 0; i < 10; i++) client.send(large);
    await until(() => server.counters.commands > 1 && server.counters.clients === 0);
    expect(server.counters.commands).toBeLessThan(11);
  });

  test("DISCARD, nesting, and an empty transaction", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say("DISCARD", "MULTI", "MULTI", "SET a 1", "DISCARD", "GET a", "MULTI", "EXEC");
    await client.expect(
      "-ERR DISCARD without MULTI\r\n+OK\r\n-ERR MULTI calls can not be nested\r\n+QUEUED\r\n+OK\r\n$-1\r\n+OK\r\n*0\r\n",
    );
    expect(heart.accepted).toBe(0);
  });

  test("a record that has to be loaded runs the whole transaction again, and it is applied once", async () => {
    const { heart, port } = await serve();
    heart.records.set(bytesOfText("n"), { content: bytesOfText("41"), expiresAt: null });
    heart.cold.set(bytesOfText("n"), Promise.resolve());
    const client = new RawClient(port);
    client.say("MULTI", "INCR m", "INCR n", "EXEC", "GET m");
    await client.expect(`+OK\r\n${queuedReply.repeat(2)}*2\r\n:1\r\n:42\r\n$1\r\n1\r\n`);
    expect(heart.accepted).toBe(1);
  });
});

describe("logging in", () => {
  const noauth = "-NOAUTH Authentication required.\r\n";
  const wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

  test("with a password nothing works before it, except AUTH, HELLO and QUIT", async () => {
    const { heart, port } = await serve({ password: "schlüssel" });
    const client = new RawClient(port);
    client.say("GET a", "SET a 1", "AUTH nope", "AUTH other schl\xc3\xbcssel", "PING");
    await client.expect(noauth + noauth + wrong + wrong + noauth);
    client.say("HELLO 3");
    await until(() => client.received.startsWith("-NOAUTH HELLO must be called with the client already authenticated"));
    client.received = "";
    client.say("AUTH schl\xc3\xbcssel", "SET a 1");
    await client.expect("+OK\r\n+OK\r\n");
    expect(heart.accepted).toBe(1);
    const other = new RawClient(port);
    other.say("AUTH default schl\xc3\xbcssel", "PING");
    await other.expect("+OK\r\n+PONG\r\n");
    const hello = new RawClient(port);
    hello.say("HELLO 2 AUTH default wrong", "HELLO 2 AUTH default schl\xc3\xbcssel SETNAME me", "CLIENT GETNAME");
    await until(() => hello.received.endsWith("$2\r\nme\r\n"));
    expect(hello.received.startsWith(`${wrong}*14\r\n`)).toBe(true);
    const stranger = new RawClient(port);
    stranger.say("QUIT");
    await stranger.expect("+OK\r\n");
    const greedy = new RawClient(port);
    greedy.send("*2\r\n$4\r\nAUTH\r\n$100000\r\n");
    await greedy.expect("-ERR Protocol error: unauthenticated bulk length\r\n");
  });

  test("without a password AUTH says so, except for the default user by name", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    client.say("AUTH default x", "AUTH x");
    await client.expect(
      "+OK\r\n-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
    );
  });
});

describe("the connection", () => {
  test("HELLO changes the protocol from its own reply on", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    client.say("GET a", "HELLO 3", "GET a", "HGETALL a");
    await until(() => client.received.endsWith("_\r\n%0\r\n"));
    expect(client.received.startsWith("$-1\r\n%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n")).toBe(true);
    client.received = "";
    client.say("HELLO 2", "GET a", "HGETALL a");
    await until(() => client.received.endsWith("$-1\r\n*0\r\n"));
    client.received = "";
    client.say("HELLO 4", "HELLO x", "HELLO 2 FOO", "HELLO 2 SETNAME");
    await client.expect(
      "-NOPROTO unsupported protocol version\r\n-ERR Protocol version is not an integer or out of range\r\n-ERR Syntax error in HELLO option 'FOO'\r\n-ERR Syntax error in HELLO option 'SETNAME'\r\n",
    );
  });

  test("CLIENT, SELECT, ECHO, PING", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    client.say(
      "CLIENT GETNAME",
      "CLIENT SETNAME 'a b'",
      "CLIENT SETNAME me",
      "CLIENT GETNAME",
      "CLIENT SETINFO lib-name x",
      "CLIENT SETINFO foo x",
    );
    await client.expect(
      "$-1\r\n-ERR Client names cannot contain spaces, newlines or special characters.\r\n+OK\r\n$2\r\nme\r\n+OK\r\n-ERR Unrecognized option 'foo'\r\n",
    );
    client.say(
      "CLIENT FOO",
      "CLIENT SETNAME",
      "SELECT 0",
      "SELECT 1",
      "SELECT x",
      "ECHO hi",
      "PING",
      "PING hi",
      "PING a b",
    );
    await client.expect(
      "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n-ERR wrong number of arguments for 'client|setname' command\r\n+OK\r\n-ERR DB index is out of range\r\n-ERR value is not an integer or out of range\r\n$2\r\nhi\r\n+PONG\r\n$2\r\nhi\r\n-ERR wrong number of arguments for 'ping' command\r\n",
    );
  });

  test("an unknown command names its arguments as Redis does", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    client.send(command("foo", "a\r\nb", "x".repeat(200), "y"));
    await client.expect(`-ERR unknown command 'foo', with args beginning with: 'a  b' '${"x".repeat(121)}' \r\n`);
  });

  test("QUIT answers what was asked before, and nothing after", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say("SET a 1", "QUIT", "SET a 2");
    await client.expect("+OK\r\n+OK\r\n");
    await until(() => client.ended);
    expect(heart.accepted).toBe(1);
  });

  test("a protocol error is answered after the commands before it, then the connection closes", async () => {
    const { port } = await serve();
    const client = new RawClient(port);
    client.send(`${command("SET", "a", "1")}*1\r\nx\r\n`);
    await client.expect("+OK\r\n-ERR Protocol error: expected '$', got 'x'\r\n");
    await until(() => client.ended);
  });

  test("HTTP is cut off without a word", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a 1\r\n");
    await until(() => client.ended || client.closed);
    expect([client.received, heart.accepted]).toEqual(["", 0]);
  });

  test("FLUSHALL is refused, unless it was allowed", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say("SET a 1", "FLUSHALL", "FLUSHDB");
    await until(() => client.received.includes("FLUSHDB is refused"));
    expect(client.received).toContain(
      "-ERR FLUSHALL is refused: it empties the database. Start the server with --allow-flush to allow it\r\n",
    );
    expect(heart.records.size).toBe(1);
    const allowed = await serve({ allowFlush: true });
    const other = new RawClient(allowed.port);
    other.say("SET a 1", "FLUSHALL", "GET a");
    await other.expect("+OK\r\n+OK\r\n$-1\r\n");
  });

  test("INFO and COMMAND", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say("SET a 1", "INFO server writebehind keyspace");
    await until(() => client.received.includes("writebehind_dead_letters"));
    expect(client.received).toContain("# Server\r\nredis_version:7.2.0\r\n");
    expect(client.received).toContain(`writebehind_pending_changes:${heart.accepted}`);
    expect(client.received).toContain("# Keyspace\r\ndb0:keys=1,");
    expect(client.received).not.toContain("# Clients");
    client.received = "";
    client.say(
      "COMMAND GETKEYS MSET a 1 b 2",
      "COMMAND INFO nosuch",
      "COMMAND COUNT x",
      "COMMAND FOO",
      "COMMAND GETKEYS PING x",
    );
    await client.expect(
      "*2\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n*-1\r\n-ERR wrong number of arguments for 'command|count' command\r\n-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n-ERR The command has no key arguments\r\n",
    );
  });
});

describe("WAIT and WAITAOF", () => {
  test("WAIT answers 1 once this connection's writes are in the database, and holds back only its own connection", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say("WAIT 1 0", "SET a 1", "WAIT 1 0", "PING");
    await client.expect(":1\r\n+OK\r\n");
    const other = new RawClient(port);
    other.say("SET b 1");
    await other.expect("+OK\r\n");
    await nothingHappens();
    expect(client.received).toBe("");
    heart.storedMark.reach(1);
    await client.expect(":1\r\n+PONG\r\n");
  });

  test("WAIT answers 0 at the timeout, and at once where no replica is asked for", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say("SET a 1", "WAIT 0 0", "WAIT 1 30");
    await client.expect("+OK\r\n:0\r\n:0\r\n");
    expect(heart.storedMark.waiting).toBe(0);
    client.say("WAIT x 0", "WAIT 1 x", "WAIT 1 -1");
    await client.expect(
      "-ERR value is not an integer or out of range\r\n-ERR timeout is not an integer or out of range\r\n-ERR timeout is negative\r\n",
    );
  });

  test("WAITAOF answers when the writes are on disk, and says whether they are in the database", async () => {
    const { heart, port } = await serve();
    const client = new RawClient(port);
    client.say("SET a 1", "WAITAOF 1 0 0");
    await client.expect("+OK\r\n*2\r\n:1\r\n:0\r\n");
    heart.storedMark.reach(1);
    client.say("WAITAOF 1 0 0", "WAITAOF 1 1 0");
    await client.expect("*2\r\n:1\r\n:1\r\n*2\r\n:1\r\n:1\r\n");
    heart.auto = false;
    client.say("SET a 2");
    await until(() => heart.accepted === 2);
    heart.keptMark.reach(2);
    await client.expect("+OK\r\n");
    client.say("WAITAOF 0 0 0", "WAITAOF 1 0 30", "WAITAOF 1 1 0");
    await client.expect("*2\r\n:0\r\n:0\r\n*2\r\n:0\r\n:0\r\n");
    heart.durableMark.reach(2);
    await nothingHappens();
    expect(client.received).toBe("");
    heart.storedMark.reach(2);
    await client.expect("*2\r\n:1\r\n:1\r\n");
    client.say("WAITAOF 2 0 0", "WAITAOF 1 -1 0");
    await client.expect(
      "-ERR value is out of range, value must between 0 and 1\r\n-ERR value is out of range, must be positive\r\n",
    );
  });
});

describe("who is served", () => {
  test("a client too many is told so", async () => {
    const { server, port } = await serve({ maxClients: 1 });
    const first = new RawClient(port);
    first.say("PING");
    await first.expect("+PONG\r\n");
    const second = new RawClient(port);
    await second.expect("-ERR max number of clients reached\r\n");
    await until(() => second.ended);
    second.socket.destroy();
    await until(() => server.counters.clients === 1);
    first.say("PING");
    await first.expect("+PONG\r\n");
  });

  test("a port that is taken is named, with the flag that changes it", async () => {
    const { port } = await serve();
    const error = await serve({ port }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "CONFIG",
      message: `port ${port} on 127.0.0.1 is taken by another process`,
      hint: "choose another with --port",
    });
  });

  test("without a password only the loopback interface is served", async () => {
    const written: string[] = [];
    const far: Connection = {
      peer: "192.0.2.1:1",
      local: "192.0.2.2:6380",
      isLoopback: false,
      unsent: 0,
      keepAlive: () => undefined,
      write: (text) => void written.push(text),
      pause: () => undefined,
      resume: () => undefined,
      end: () => void written.push("end"),
      destroy: () => undefined,
    };
    let events!: ConnectionEvents;
    const sockets: Sockets = {
      listen(port, host, accept) {
        events = accept(far);
        return Promise.resolve({ port, host, close: () => undefined, renew: () => undefined });
      },
    };
    const { clock, random } = nodeHost();
    const heart = new FakeHeart();
    const options = { port: 1, host: "0.0.0.0", password: null, allowFlush: false, maxClients: 10 };
    await startServer({
      heart: heart.heart,
      sockets,
      clock,
      random,
      options,
      version: "0",
      log: { info: () => undefined, error: () => undefined },
    });
    events.data(Buffer.from("SET a 1\r\n"));
    expect(written[0]).toMatch(/^-DENIED /);
    expect(written[1]).toBe("end");
    expect(heart.accepted).toBe(0);
  });
});
