/** Real servers, stopped, killed and started at the moments that matter, with the database looked into beside them. */
import { chmod, chown, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "./cli-process.js";
import { eventually, nobody, onMachine, send, storeState } from "./serve-machine.js";

describe("the database is locked by another process", () => {
  test(
    "SIGTERM: it drains for as long as it may, says what is left and where, and ends with 4; nothing is lost",
    onMachine(async (machine) => {
      const server = await machine.serve("--close-ms", "300", "--delay", "0");
      const unlock = machine.lock();
      expect(await send(server, ["SET", "k", "v"])).toEqual(["OK"]);
      await expect.poll(() => storeState(server), eventually).toBe("down");
      expect(await server.end("SIGTERM")).toBe(4);
      expect(server.errors).toContain("is locked by another connection");
      expect(server.errors).toContain(`1 change is in the journal in ${machine.data} and goes on at the next start`);

      unlock();
      const next = await machine.serve("--delay", "1h");
      await expect.poll(() => next.errors, eventually).toContain("1 change of the last run still pending");
      await next.ask("POST", "/api/flush");
      expect(machine.open().prepare("SELECT key, value FROM write_behind_kv").all()).toEqual([
        { key: "k", value: "v" },
      ]);
    }),
  );

  test(
    "a second SIGTERM stops it without waiting for the deadline, with 4",
    onMachine(async (machine) => {
      const server = await machine.serve("--close-ms", "1h", "--delay", "0");
      machine.lock();
      await send(server, ["SET", "k", "v"]);
      await expect.poll(() => storeState(server), eventually).toBe("down");
      // A signal that comes at once counts as the same key press, so it is sent until it counts.
      const again = (): string | null => {
        void server.end("SIGTERM");
        return server.ended;
      };
      await expect.poll(again, eventually).toBe("code 4, signal null");
      expect(server.errors).toContain("1 change is in the journal");
    }),
  );

  test(
    "SHUTDOWN is the same as SIGTERM, and the client hears nothing but the end",
    onMachine(async (machine) => {
      const server = await machine.serve("--close-ms", "300", "--delay", "0");
      const unlock = machine.lock();
      expect(await send(server, ["SET", "k", "v"])).toEqual(["OK"]);
      await expect.poll(() => storeState(server), eventually).toBe("down");
      await expect(send(server, ["SHUTDOWN", "NOSAVE"])).rejects.toThrow();
      await expect.poll(() => server.ended, eventually).toBe("code 4, signal null");
      expect(server.errors).toContain(`1 change is in the journal in ${machine.data} and goes on at the next start`);
      unlock();
    }),
  );

  test(
    "a first start waits, and says so; SIGTERM ends the wait with 4",
    onMachine(async (machine) => {
      await (await machine.serve()).end("SIGTERM");
      const unlock = machine.lock();
      const empty = machine.spawn("--data", `${machine.data}-2`, "--store", `sqlite:${machine.file}`);
      await expect.poll(() => empty.errors, eventually).toContain("still starting");
      expect(empty.errors).toContain(`${machine.file} may be in use by another process`);
      expect(await empty.end("SIGTERM")).toBe(4);
      expect(empty.errors).toContain("stopped while it started");
      unlock();
    }),
  );
});

describe("two processes on one folder", () => {
  test(
    "the newcomer says that it waits, and takes over what the old owner, killed, had answered",
    onMachine(async (machine) => {
      const old = await machine.serve("--delay", "1h");
      await send(old, ["SET", "k", "v"]);
      const newcomer = machine.spawn("--owner-wait-ms", "1m");
      await expect.poll(() => newcomer.errors, eventually).toContain("still starting");
      expect(await send(old, ["GET", "k"])).toEqual(["v"]);
      await old.end("SIGKILL");
      expect(await newcomer.ready()).toBe(true);
      expect(await send(newcomer, ["GET", "k"])).toEqual(["v"]);
    }),
  );

  test(
    "a newcomer that does not wait is refused, and the owner goes on",
    onMachine(async (machine) => {
      const owner = await machine.serve();
      const newcomer = machine.spawn("--owner-wait-ms", "0");
      expect(await newcomer.ready()).toBe(false);
      expect(newcomer.ended).toBe("code 1, signal null");
      expect(newcomer.errors).toContain(`another process owns the folder ${machine.data}`);
      expect(await send(owner, ["SET", "k", "v"])).toEqual(["OK"]);
    }),
  );
});

test(
  "death between commit and trim: killed as soon as a flush is answered, and nothing is written twice",
  onMachine(async (machine) => {
    const rounds = 4;
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    const filler = "x".repeat(5000);
    // Each round fills more than one segment, and none is retained: every commit has something to trim.
    const flags = ["--segment-bytes", "64kb", "--retain-bytes", "0", "--delay", "0"];
    let server = await machine.serve(...flags);
    await server.ask("POST", "/api/flush");
    const database = machine.open();
    database.exec("CREATE TABLE history (key, value)");
    for (const event of ["INSERT", "UPDATE"]) {
      database.exec(
        `CREATE TRIGGER on_${event} AFTER ${event} ON write_behind_kv BEGIN INSERT INTO history VALUES (NEW.key, NEW.value); END`,
      );
    }
    for (let round = 0; round < rounds; round++) {
      await send(server, ...keys.map((key) => ["SET", key, `${round} ${filler}`]));
      await server.ask("POST", "/api/flush");
      await server.end("SIGKILL");
      server = await machine.serve(...flags);
    }
    // What the last start still had to do is done when a later change has arrived.
    await send(server, ["SET", "last", "1"]);
    await server.ask("POST", "/api/flush");
    const twice = "SELECT key, count(*) AS times FROM history GROUP BY key, value HAVING times > 1";
    expect(database.prepare(twice).all()).toEqual([]);
    expect(database.prepare("SELECT count(*) AS rows FROM history").get()).toEqual({ rows: rounds * keys.length + 1 });
  }),
);

test(
  "a folder that was wiped beside its database: the command in the error makes it start again",
  onMachine(async (machine) => {
    const store = ["--store", `sqlite:${machine.data}.db`];
    const first = await machine.serve(...store);
    await send(first, ["SET", "k", "before"]);
    await first.end("SIGTERM");
    const wiped = ["--data", `${machine.data}-2`, ...store];
    const refused = machine.spawn(...wiped);
    expect(await refused.ready()).toBe(false);
    expect(refused.ended).toBe("code 1, signal null");
    const command = /npx write-behind (adopt [^"\n]*)/.exec(refused.errors)?.[1];
    expect(await run(command?.split(" ") ?? [])).toMatchObject({
      code: 0,
      out: expect.stringContaining("Given up: nothing that the database does not have") as string,
    });
    const again = await machine.serve(...wiped);
    expect(await send(again, ["GET", "k"], ["SET", "k", "after"])).toEqual(["before", "OK"]);
    await again.ask("POST", "/api/flush");
  }),
);

test.each([
  ["not a database", (data: string) => ["--store", `sqlite:${data}/text`], /is not an SQLite database[^]*--store/],
  [
    "in a folder that is not there",
    (data: string) => ["--store", `sqlite:${data}/no/a.db`],
    /its folder does not exist/,
  ],
  ["a data folder that is a file", (data: string) => ["--data", `${data}/text`], /making the folder [^]*--data/],
])("%s: what is wrong is said, without a stack, and it ends with 1", (_, flags, text) =>
  onMachine(async (machine) => {
    await (await machine.serve()).end("SIGTERM");
    await writeFile(join(machine.data, "text"), "This is a text and not a database.\n".repeat(50));
    const server = machine.spawn("--data", `${machine.data}-2`, ...flags(machine.data));
    expect(await server.ready()).toBe(false);
    expect(server.ended).toBe("code 1, signal null");
    expect(server.errors).toMatch(text);
    expect(server.errors).not.toMatch(/\n {4}at |looks again by itself/);
  })(),
);

test(
  "a database that is read-only: what is wrong is said and it ends with 1; nothing is lost when it may be written again",
  onMachine(async (machine) => {
    const folder = `${machine.data}.db`;
    await mkdir(folder);
    const store = ["--store", `sqlite:${folder}/app.db`, "--delay", "0"];
    const first = await machine.serve(...store);
    await send(first, ["SET", "k", "before"]);
    await first.ask("POST", "/api/flush");
    await first.ask("POST", "/api/pause");
    await send(first, ["SET", "k", "after"]);
    await first.end("SIGTERM");
    await giveToNobody(machine.data);
    await chmod(`${folder}/app.db`, 0o444);
    await chmod(folder, 0o555);
    const refused = machine.spawnAsNobody(...store);
    expect(await refused.ready()).toBe(false);
    expect(refused.ended).toBe("code 1, signal null");
    expect(refused.errors).toMatch(/cannot be written: the file or its folder is read-only/);
    await chmod(folder, 0o777);
    await chmod(`${folder}/app.db`, 0o666);
    const again = machine.spawnAsNobody(...store);
    expect(await again.ready()).toBe(true);
    expect(await send(again, ["GET", "k"])).toEqual(["after"]);
    await again.ask("POST", "/api/resume");
    await again.ask("POST", "/api/flush");
  }),
);

/** Lets the user of `spawnAsNobody` use a folder, and reach it. */
async function giveToNobody(folder: string): Promise<void> {
  await chmod(dirname(folder), 0o755);
  if (process.getuid?.() !== 0) return;
  for (const name of ["", ...(await readdir(folder, { recursive: true }))])
    await chown(join(folder, name), nobody, nobody);
}
