/** SIGTERM whatever the server is at, and handing a folder over to the next one: real processes, real files. */
import { describe, expect, test } from "vitest";
import { RespClient } from "../src/cli/resp-client.js";
import type { Status } from "../src/heart.js";
import { run } from "./cli-process.js";
import type { ServerProcess } from "./crash/server-process.js";
import { eventually, onMachine, send, storeState, type Machine } from "./serve-machine.js";

async function status(server: ServerProcess): Promise<Status> {
  return (await server.ask("GET", "/api/status")) as Status;
}

function values(machine: Machine): unknown {
  return machine.open().prepare("SELECT key, value FROM write_behind_kv ORDER BY key").all();
}

/** Makes the insert of the key `slow` count this far; without a limit it never ends. */
function slowDown(machine: Machine, limit: string): void {
  const database = machine.open();
  database.exec(`
    CREATE VIEW counting AS WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c ${limit}) SELECT n FROM c;
    CREATE TRIGGER slow AFTER INSERT ON write_behind_kv WHEN NEW.key = 'slow'
      BEGIN SELECT count(*) FROM counting; END;
  `);
}

/** What is left goes on at the next start, and only once. */
async function goesOn(machine: Machine, expected: readonly { key: string; value: string }[]): Promise<void> {
  const next = await machine.serve("--delay", "0");
  await next.ask("POST", "/api/resume");
  await next.ask("POST", "/api/flush");
  expect(values(machine)).toEqual(expected);
}

const left = (machine: Machine): string =>
  `1 change is in the journal in ${machine.data} and goes on at the next start`;

describe("SIGTERM", () => {
  test(
    "while a commit is running: it is finished, nothing is left, 0",
    onMachine(async (machine) => {
      const server = await machine.serve("--delay", "0");
      slowDown(machine, "LIMIT 2000000");
      await send(server, ["SET", "slow", "v"]);
      expect(await server.end("SIGTERM")).toBe(0);
      expect(server.errors).toContain("stopped; everything is in the database");
      expect(values(machine)).toEqual([{ key: "slow", value: "v" }]);
    }),
  );

  test(
    "while a commit is running that never ends: after the deadline it kills itself, says so, and nothing is lost",
    onMachine(async (machine) => {
      const server = await machine.serve("--delay", "0", "--close-ms", "100");
      slowDown(machine, "");
      await send(server, ["SET", "slow", "v"]);
      expect(await server.end("SIGTERM")).toBe(null);
      expect(server.ended).toBe("code null, signal SIGKILL");
      expect(server.errors).toContain("without waiting for what hangs: 1 change not in the database yet");
      machine.open().exec("DROP TRIGGER slow");
      await goesOn(machine, [{ key: "slow", value: "v" }]);
    }),
  );

  test(
    "while the database is broken: what is left is said, 4",
    onMachine(async (machine) => {
      const server = await machine.serve(
        "--delay",
        "0",
        "--close-ms",
        "100",
        "--retry-min-ms",
        "1",
        "--retry-max-ms",
        "20",
      );
      const database = machine.open();
      await send(server, ["SET", "k", "before"]);
      await server.ask("POST", "/api/flush");
      database.exec("ALTER TABLE write_behind_kv RENAME TO taken_away");
      await send(server, ["SET", "k", "v"]);
      await expect.poll(() => storeState(server), eventually).toBe("broken");
      expect(await server.end("SIGTERM")).toBe(4);
      expect(server.errors).toContain(left(machine));
      database.exec("ALTER TABLE taken_away RENAME TO write_behind_kv");
      await goesOn(machine, [{ key: "k", value: "v" }]);
    }),
  );

  test(
    "while the database has been away since the start: what is left is said, 4",
    onMachine(async (machine) => {
      const first = await machine.serve("--delay", "1h");
      await send(first, ["SET", "k", "v"]);
      await first.end("SIGKILL");
      const unlock = machine.lock();
      const server = await machine.serve("--delay", "0", "--close-ms", "100");
      await expect
        .poll(() => status(server), eventually)
        .toMatchObject({
          state: "running",
          store: { kind: "sqlite", state: "down", error: expect.stringContaining("is locked") as string },
          queue: { pendingChanges: 1, stored: null },
        });
      expect(await send(server, ["GET", "k"])).toEqual(["v"]);
      expect(await server.end("SIGTERM")).toBe(4);
      expect(server.errors).toContain(left(machine));
      unlock();
      await goesOn(machine, [{ key: "k", value: "v" }]);
    }),
  );

  test(
    "while paused: nothing is drained, what is left is said, 4; it is still paused after the next start",
    onMachine(async (machine) => {
      const server = await machine.serve("--delay", "0", "--close-ms", "1h");
      await server.ask("POST", "/api/pause");
      await send(server, ["SET", "k", "v"]);
      expect(await server.end("SIGTERM")).toBe(4);
      expect(server.errors).toContain(left(machine));
      await goesOn(machine, [{ key: "k", value: "v" }]);
    }),
  );

  test(
    "while it waits for the folder: it ends with 4, and the owner has noticed nothing",
    onMachine(async (machine) => {
      const owner = await machine.serve();
      const newcomer = machine.spawn("--owner-wait-ms", "1h");
      await expect.poll(() => newcomer.errors, eventually).toContain("still starting");
      expect(await newcomer.end("SIGTERM")).toBe(4);
      expect(newcomer.errors).toContain("stopped while it started");
      expect(await send(owner, ["SET", "k", "v"], ["GET", "k"])).toEqual(["OK", "v"]);
    }),
  );

  test(
    "while it drains, a client is not left waiting: its connection ends, and readiness says that it stops",
    onMachine(async (machine) => {
      const server = await machine.serve("--delay", "0", "--close-ms", "1h");
      const unlock = machine.lock();
      const client = await RespClient.open("127.0.0.1", server.port);
      await client.send(["SET", "k", "v"]);
      const ended = server.end("SIGTERM");
      await expect.poll(() => client.ended?.message, eventually).toBe("the server closed the connection");
      const ready = await fetch(`${server.admin}/health/ready`);
      expect([ready.status, await ready.json()]).toEqual([
        503,
        { ready: false, state: "draining", reason: expect.stringContaining("stopping") as string },
      ]);
      unlock();
      expect(await ended).toBe(0);
      expect(values(machine)).toEqual([{ key: "k", value: "v" }]);
    }),
  );
});

/** Writes one key after the other, reconnects when it must, and remembers what was answered. */
class Writing {
  readonly answered: string[] = [];
  readonly #name: string;
  readonly #port: number;
  readonly #done: Promise<void>;
  #stop = false;

  constructor(name: string, port: number) {
    this.#name = name;
    this.#port = port;
    this.#done = this.#write();
  }

  /** Resolves when so many more writes were answered. */
  async more(count: number): Promise<void> {
    const enough = this.answered.length + count;
    await expect.poll(() => this.answered.length, eventually).toBeGreaterThanOrEqual(enough);
  }

  async end(): Promise<void> {
    this.#stop = true;
    await this.#done;
  }

  async #write(): Promise<void> {
    let client: RespClient | null = null;
    for (let n = 0; !this.#stop; n++) {
      const key = `${this.#name}:${n}`;
      try {
        client ??= await RespClient.open("127.0.0.1", this.#port);
        const reply = await client.send(["SET", key, key]);
        if (reply.type === "simple") this.answered.push(key);
      } catch {
        client?.close();
        client = null;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    client?.close();
  }
}

describe("a rolling restart: the newcomer waits for the folder, then serves; clients reconnect", () => {
  test.each([
    ["all is well", false, 0],
    ["the database is locked", true, 4],
  ] as const)("no answered write is lost while %s", (_, locked, code) =>
    onMachine(async (machine) => {
      const old = await machine.serve("--delay", "0", "--close-ms", "200");
      const clients = ["a", "b", "c"].map((name) => new Writing(name, old.port));
      await Promise.all(clients.map((client) => client.more(20)));
      const unlock = locked ? machine.lock() : (): void => {};
      await Promise.all(clients.map((client) => client.more(20)));
      const ports = ["--port", String(old.port), "--admin-port", new URL(old.admin).port];
      const newcomer = machine.spawn("--delay", "0", ...ports);
      await expect.poll(() => newcomer.errors, eventually).toContain("still starting");
      expect(await old.end("SIGTERM")).toBe(code);
      expect(await newcomer.ready()).toBe(true);
      await Promise.all(clients.map((client) => client.more(20)));
      await Promise.all(clients.map((client) => client.end()));
      const answered = clients.flatMap((client) => client.answered);
      const reads = answered.map((key) => ["GET", key]);
      expect(await send(newcomer, ...reads)).toEqual(answered);
      unlock();
      await newcomer.ask("POST", "/api/flush");
      const stored = new Set((values(machine) as { key: string }[]).map(({ key }) => key));
      expect(answered.filter((key) => !stored.has(key))).toEqual([]);
    })(),
  );
});

describe("two queues, one database", () => {
  test(
    "the second is refused while the first lives; when its claim is stale the command in the error goes on",
    onMachine(async (machine) => {
      const first = await machine.serve("--delay", "0");
      await send(first, ["SET", "k", "first"]);
      await first.ask("POST", "/api/flush");
      const other = ["--data", `${machine.data}-2`, "--store", `sqlite:${machine.file}`];
      const refused = machine.spawn(...other);
      expect(await refused.ready()).toBe(false);
      expect(refused.ended).toBe("code 1, signal null");
      expect(refused.errors).toMatch(/the queue [0-9a-f]{32} writes to the tables in .*last seen \d+ s ago/);
      expect(refused.errors).toContain("a dead one is forgotten after 30 s");
      // The first has noticed nothing.
      await send(first, ["SET", "k", "still first"]);
      await first.ask("POST", "/api/flush");
      await first.end("SIGKILL");
      const soon = machine.spawn(...other);
      expect(await soon.ready()).toBe(false);
      expect(soon.errors).toContain("writes to the tables");

      // The database's clock goes on by a minute, or the last heartbeat back: it is the same to a claim.
      machine.open().exec("UPDATE write_behind_position SET heartbeat_at = heartbeat_at - 60000");
      const stale = machine.spawn(...other);
      expect(await stale.ready()).toBe(false);
      expect(stale.errors).toContain("one of them is foreign");
      const command = /npx write-behind (adopt [^"\n]*)/.exec(stale.errors)?.[1]?.split(" ") ?? [];
      expect(await run(command)).toMatchObject({ code: 0 });
      const second = await machine.serve(...other, "--delay", "0");
      expect(await send(second, ["GET", "k"], ["SET", "k", "second"])).toEqual(["still first", "OK"]);
      await second.ask("POST", "/api/flush");
      expect(values(machine)).toEqual([{ key: "k", value: "second" }]);

      // Who comes back from the dead is refused, and writes nothing.
      const back = machine.spawn("--delay", "0");
      expect(await back.ready()).toBe(false);
      expect(back.errors).toContain("writes to the tables");
    }),
  );
});
