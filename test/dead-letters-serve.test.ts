/** Dead letters of a running server, as its clients and its operator meet them: WAIT, `write-behind dead`, status, log. */
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { expect, test } from "vitest";
import type { DeadLetter, DeadLetterPage, DeadLetterReport, Status } from "../src/heart.js";
import { inFolder, run, type Ran } from "./cli-process.js";
import { ServerProcess } from "./crash/server-process.js";
import { RawClient } from "./server-setup.js";

interface Lab {
  readonly server: ServerProcess;
  readonly client: RawClient;
  run(...args: string[]): Promise<Ran>;
  sql(text: string): void;
}

/** A server over a database in which no two records may have the same value. */
async function withServer(work: (lab: Lab) => Promise<void>): Promise<void> {
  await inFolder(async (data) => {
    // Nothing is tried again by itself while a test looks.
    const server = new ServerProcess(["--data", data, "--delay", "0", "--retry-min-ms", "1h", "--retry-max-ms", "1h"]);
    try {
      expect(await server.ready()).toBe(true);
      const sql = (text: string): void => {
        const connection = new DatabaseSync(join(data, "write-behind.db"), { timeout: 10_000 });
        connection.exec(text);
        connection.close();
      };
      sql("CREATE UNIQUE INDEX one_of_each ON write_behind_kv (value)");
      await work({
        server,
        client: new RawClient(server.port),
        run: (...args) => run(args, { WRITE_BEHIND_ADMIN: server.admin }),
        sql,
      });
    } finally {
      await server.end("SIGKILL");
    }
  });
}

/** Two records, of which the second is refused, and a later write of the second. */
async function refuseOne({ client }: Lab): Promise<void> {
  client.say("SET user:1 ann@example.org", "WAIT 1 0");
  await client.expect("+OK\r\n:1\r\n");
  client.say("SET user:2 ann@example.org", "WAIT 1 0");
  await client.expect("+OK\r\n:0\r\n");
}

test("WAIT answers 0 once where one of this connection's writes was parked, and others do not notice", () =>
  withServer(async (lab) => {
    await refuseOne(lab);
    const { client, server } = lab;
    client.say("WAIT 1 0", "SET user:3 eve@example.org", "WAIT 1 0", "WAITAOF 1 1 0", "GET user:2");
    await client.expect(":1\r\n+OK\r\n:1\r\n*2\r\n:1\r\n:1\r\n$15\r\nann@example.org\r\n");
    // In the midst of others, and not the last one.
    client.say("SET user:4 ann@example.org", "SET user:5 joe@example.org", "WAITAOF 1 1 0", "WAIT 1 0");
    await client.expect("+OK\r\n+OK\r\n*2\r\n:1\r\n:0\r\n:1\r\n");
    const other = new RawClient(server.port);
    other.say("SET user:6 sue@example.org", "WAIT 1 0");
    await other.expect("+OK\r\n:1\r\n");
    // What waits behind a refused one is not in the database either.
    other.say("HSET user:7 name joe", "WAIT 1 0", "MULTI", "SET user:2 x@example.org", "SET user:7x 1", "EXEC");
    await other.expect(":1\r\n:1\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n");
  }));

test("an operator is told what was refused, why, what waits behind it, and what to do next", () =>
  withServer(async (lab) => {
    expect(await lab.run("dead", "list")).toEqual({
      code: 0,
      err: "",
      out: "the database has refused nothing: there are no dead letters\n",
    });
    await refuseOne(lab);
    const list = JSON.parse((await lab.run("dead", "list", "--json")).out) as DeadLetterPage;
    const [{ id }] = list.items as [DeadLetter];
    expect(list).toMatchObject({
      items: [{ id, group: id, reason: expect.stringContaining("UNIQUE") as string, waitingBehind: 0 }],
      next: null,
    });
    lab.client.say("EXPIRE user:2 100000", "WAIT 1 0");
    await lab.client.expect(":1\r\n:0\r\n");

    const { code, out } = await lab.run("dead", "list");
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^${id}  refused .* ago.*: .*UNIQUE constraint failed: write_behind_kv.value`));
    expect(out).toContain('replace "user:2"');
    expect(out).toContain("1 later change waits behind it");
    expect(out).toContain("npx write-behind dead retry ID");
    const shown = (await lab.run("dead", "show", id)).out;
    expect(shown).toMatch(/because +.*UNIQUE constraint failed/);
    expect(shown).toContain('"user:2"  replace "ann@example.org"');
    expect(shown).toMatch(/behind +1 later change waits behind it\n +"user:2" {2}merge .*\(of 1 change\)/);
    expect(shown).toContain(`npx write-behind dead retry ${id}`);
    expect(shown).toContain(`npx write-behind dead discard ${id}`);
    expect(JSON.parse((await lab.run("dead", "show", id, "--json")).out)).toMatchObject({ id });

    expect((await lab.run("status")).out).toMatch(
      /refused +1 dead letter, 1 change waiting behind, \d.* \(npx write-behind dead list\)/,
    );
    expect((await lab.run("inspect", "user:2")).out).toContain(`npx write-behind dead show ${id}`);
    expect((await lab.run("flush", "user:2")).out).toContain(`but for what it refuses: dead letter ${id} (`);
    expect((await lab.run("flush", "user:1")).out).toBe(
      "everything that was pending of these keys is in the database\n",
    );
    expect(lab.server.errors).toContain(`dead letter ${id}`);
    expect(lab.server.errors).not.toContain("ann@example.org");
  }));

test("retry says what became of it, and fails where it is refused again", () =>
  withServer(async (lab) => {
    await refuseOne(lab);
    const again = await lab.run("dead", "retry", "--all");
    expect(again).toMatchObject({ code: 1, err: "" });
    expect(again.out).toMatch(/^\d+ {2}is refused again: .*UNIQUE constraint failed.*\ntry: /);
    // A person's retry is done while the writer is paused, too, and then nothing else comes before it.
    expect((await lab.run("pause")).code).toBe(0);
    lab.sql("DROP INDEX one_of_each");
    const mended = await lab.run("dead", "retry", "--all", "--json");
    expect(mended.code).toBe(0);
    const { items } = JSON.parse(mended.out) as DeadLetterReport;
    expect(items).toMatchObject([{ became: "stored", reason: null }]);
    expect((await lab.run("inspect", "user:2")).out).toMatch(/database +"ann@example.org"/);
    expect(await lab.run("dead", "retry", "--all")).toMatchObject({ code: 0, out: "there are no dead letters\n" });
    expect(await lab.server.end("SIGTERM")).toBe(0);
  }));

test("discard gives it up, and the database's row is what is read", () =>
  withServer(async (lab) => {
    await refuseOne(lab);
    const { items } = JSON.parse((await lab.run("dead", "list", "--json")).out) as DeadLetterPage;
    const [{ id }] = items as [DeadLetter];
    expect(await lab.run("dead", "discard", id)).toEqual({
      code: 0,
      err: "",
      out: `${id}  is given up; reads show what the database has\n`,
    });
    lab.client.say("GET user:2");
    await lab.client.expect("$-1\r\n");
    expect(JSON.parse((await lab.run("status", "--json")).out) as Status).toMatchObject({ deadLetters: { count: 0 } });
    expect(await lab.run("dead", "show", id)).toMatchObject({
      code: 1,
      err: `there is no dead letter ${id}\ntry: npx write-behind dead list\n`,
    });
  }));

test("what is asked for in the wrong way", () =>
  withServer(async (lab) => {
    const cases: [string[], number, string][] = [
      [["dead"], 2, "Usage: write-behind dead"],
      [["dead", "bury"], 2, "unknown command 'bury'"],
      [["dead", "retry"], 2, "name dead letters by their ids, or give --all"],
      [["dead", "discard", "1", "--all"], 2, "name dead letters by their ids, or give --all"],
      [["dead", "retry", "7"], 1, "there is no dead letter 7"],
      [["dead", "show", "x"], 2, '"x" is no dead letter\'s id'],
      [["dead", "show", "0"], 2, '"0" is no dead letter\'s id'],
      [["dead", "list", "--limit", "0"], 1, "limit must be between 1 and 1000"],
      [["dead", "list", "--after", "x"], 1, "there is no dead letter x"],
    ];
    for (const [args, code, text] of cases) {
      const ran = await lab.run(...args);
      expect(ran.err, args.join(" ")).toContain(text);
      expect(ran, args.join(" ")).toMatchObject({ code, out: "" });
    }
    expect(await run(["dead", "list", "--admin", "http://127.0.0.1:1"])).toMatchObject({ code: 3, out: "" });
  }));
