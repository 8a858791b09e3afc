/** The real program is started while PostgreSQL is away, or does not let it in, or gives it no rights. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually, onMachine, send } from "./serve-machine.js";
import { TcpProxy } from "./tcp-proxy.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const quick = ["--retry-min-ms", "1", "--retry-max-ms", "50"];

describePostgres("serve is started, and PostgreSQL is not as it should be", postgresVersions(), (server) => {
  let proxy: TcpProxy;
  let count = 0;
  beforeAll(async () => {
    proxy = await TcpProxy.start(server().port);
  });
  afterAll(() => proxy.stop());
  afterEach(() => proxy.heal());

  /** A new database, and its URL for a user with a password, through the proxy. */
  async function made(user: string, password = "s3cret-word"): Promise<{ name: string; url: string }> {
    const name = `start_${count++}`;
    await server().sql(`CREATE DATABASE ${name}`);
    return { name, url: `postgres://${user}:${password}@127.0.0.1:${proxy.port}/${name}?connect_timeout=1` };
  }

  /** Lets `guarded` in with the right password only. */
  async function guard(): Promise<void> {
    await server()
      .sql("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 's3cret-word'")
      .catch(() => {});
    const [file = ""] = await server().sql("SHOW hba_file");
    const lines = "host all guarded all scram-sha-256\\nhost all all all trust";
    await server().sql(`COPY (SELECT unnest(string_to_array(E'${lines}', E'\\n'))) TO '${file}'`);
    await server().sql("SELECT pg_reload_conf()");
  }

  test(
    "away: the journal answers, writes are taken, readiness says why; stored when it is there, and nobody has to act",
    onMachine(async (machine) => {
      const { name, url } = await made("postgres");
      const first = await machine.serve("--store", url);
      await send(first, ["SET", "a", "1"], ["SET", "cold", "1"], ["WAIT", "1", "10000"]);
      await first.end("SIGTERM");
      proxy.refuse();
      const second = await machine.serve("--store", url, ...quick);
      expect(await send(second, ["SET", "a", "2"], ["GET", "a"])).toEqual(["OK", "2"]);
      await second.end("SIGKILL");
      const third = await machine.serve("--store", url, ...quick);
      expect(await send(third, ["GET", "a"], ["SET", "b", "3"])).toEqual(["2", "OK"]);
      const store = { kind: "postgres", state: "down", error: expect.stringContaining("the connection") as string };
      await expect.poll(() => third.ask("GET", "/api/status"), eventually).toMatchObject({ store });
      // What the journal has kept of what is stored is known, too; what it never had cannot be said to be absent.
      expect(await send(third, ["GET", "cold"], ["GET", "never"])).toEqual([
        "1",
        expect.stringMatching(/^WBSTORE the record is not in memory and the database does not answer/),
      ]);
      const why = { ready: true, state: "running", reason: expect.stringContaining("the connection") as string };
      expect(await third.ask("GET", "/health/ready")).toEqual(why);
      proxy.heal();
      await third.ask("POST", "/api/flush");
      expect(await send(third, ["GET", "never"])).toEqual([""]);
      await third.end("SIGTERM");
      const rows = await server().sql("SELECT key, value FROM write_behind_kv_text ORDER BY key", name);
      expect(rows).toEqual(["a|2", "b|3", "cold|1"]);
    }),
  );

  test(
    "a wrong password: exit code 1 at the first and at a later start, with what is wrong and without the password",
    onMachine(async (machine) => {
      await guard();
      const { url } = await made("guarded");
      const wrong = url.replace("s3cret-word", "wr0ng-word");
      const atFirst = machine.spawn("--store", wrong);
      expect([await atFirst.ready(), atFirst.ended]).toEqual([false, "code 1, signal null"]);
      const right = await machine.serve("--store", url);
      expect(await send(right, ["SET", "a", "1"])).toEqual(["OK"]);
      await right.end("SIGKILL");
      const later = machine.spawn("--store", wrong);
      expect([await later.ready(), later.ended]).toEqual([false, "code 1, signal null"]);
      for (const each of [atFirst, later]) {
        expect(each.errors).toContain("does not let this user in (password authentication failed");
        expect(each.errors + each.output).not.toMatch(/wr0ng-word|s3cret-word/);
      }
      const again = await machine.serve("--store", url);
      expect(await send(again, ["GET", "a"])).toEqual(["1"]);
    }),
  );

  test(
    "a role without rights: exit code 1 with what is missing; granted, it starts; taken away while running, it waits",
    onMachine(async (machine) => {
      await server()
        .sql("CREATE ROLE visitor LOGIN")
        .catch(() => {});
      const { name, url } = await made("visitor");
      const refused = machine.spawn("--store", url);
      expect([await refused.ready(), refused.ended]).toEqual([false, "code 1, signal null"]);
      expect(refused.errors).toMatch(/does not give this user a right that is needed \(permission denied for schema/);
      await server().sql("GRANT CREATE ON SCHEMA public TO visitor", name);
      const running = await machine.serve("--store", url, ...quick);
      expect(await send(running, ["SET", "a", "1"], ["WAIT", "1", "10000"])).toEqual(["OK", "1"]);
      await server().sql("ALTER TABLE write_behind_kv OWNER TO postgres", name);
      expect(await send(running, ["SET", "a", "2"], ["GET", "a"])).toEqual(["OK", "2"]);
      const broken = { state: "broken", reason: expect.stringContaining("permission denied for table") as string };
      await expect.poll(() => running.ask("GET", "/api/status"), eventually).toMatchObject(broken);
      await server().sql("GRANT ALL ON write_behind_kv TO visitor", name);
      await running.ask("POST", "/api/flush");
      expect(await server().sql("SELECT value FROM write_behind_kv_text", name)).toEqual(["2"]);
    }),
  );
});
