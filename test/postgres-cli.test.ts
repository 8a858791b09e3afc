/** The real program on PostgreSQL: serve, check, adopt, a kill in between; and no password anywhere. */
import { rmSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { run } from "./cli-process.js";
import { eventually, onMachine, send } from "./serve-machine.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

describePostgres("write-behind --store postgres://…", postgresVersions(), (server) => {
  let count = 0;

  /** A new database, and its URL with a password that nobody needs and nobody may see. */
  async function made(): Promise<{ name: string; url: string; place: string }> {
    const name = `cli_${count++}`;
    await server().sql(`CREATE DATABASE ${name}`);
    const url = server().url(name).replace("postgres@", "postgres:s3cret-word@");
    return { name, url, place: `postgres://127.0.0.1:${server().port}/${name}` };
  }

  test(
    "serves, is killed, goes on, is checked; a lost folder is adopted",
    onMachine(async (machine) => {
      const { name, url, place } = await made();
      const rows = (): Promise<string[]> =>
        server().sql("SELECT key, value FROM write_behind_kv_text ORDER BY key", name);
      const first = await machine.serve("--store", url, "--delay", "0");
      expect(await send(first, ["SET", "user:1:name", "Alice"], ["HSET", "h", "f", "1"])).toEqual(["OK", "1"]);
      await expect.poll(rows, eventually).toEqual(['h|{"f": "1"}', "user:1:name|Alice"]);
      await first.end("SIGKILL");

      const second = await machine.serve("--store", url, "--delay", "0");
      expect(await send(second, ["GET", "user:1:name"], ["SET", "b", "2"], ["WAIT", "1", "10000"])).toEqual([
        "Alice",
        "OK",
        "1",
      ]);
      const status = await second.ask("GET", "/api/status");
      expect(status).toMatchObject({ store: { kind: "postgres", state: "up" } });
      await second.end("SIGTERM");
      expect(await rows()).toEqual(["b|2", 'h|{"f": "1"}', "user:1:name|Alice"]);

      const checked = await run(["check", "--data", machine.data, "--store", url, "--json"]);
      expect(JSON.parse(checked.out)).toMatchObject({ database: { place, owner: null, error: null }, refusal: null });
      rmSync(machine.data, { recursive: true });
      const refused = machine.spawn("--store", url);
      expect(await refused.ready()).toBe(false);
      expect(refused.errors).toContain(`adopt --data ${machine.data} --store URL`);
      const adopted = await run(["adopt", "--data", machine.data, "--store", url]);
      expect(adopted).toMatchObject({ code: 0, err: "" });
      const third = await machine.serve("--store", url);
      expect(await send(third, ["GET", "b"])).toEqual(["2"]);

      const said = [first, second, third, refused].map(({ errors }) => errors).join("");
      expect(said + JSON.stringify(status) + checked.out + adopted.out).not.toContain("s3cret-word");
    }),
  );

  test(
    "routes: checked, served, killed, gone on with; what a client writes is in users' tables",
    onMachine(async (machine) => {
      const { name, url } = await made();
      await server().sql(
        `CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, seen numeric(10,1), "until" timestamptz);
        CREATE TABLE orders (customer bigint REFERENCES users, no int, total int, PRIMARY KEY (customer, no))`,
        name,
      );
      const routes = `${machine.data}.routes.yaml`;
      writeFileSync(
        routes,
        `- { key: "user:{id}", table: users, expiresAt: until }
- { key: "user:{id}:{column}", table: users }
- { key: "order:{customer}:{no}", table: orders }
`,
      );
      const checked = await run(["check", "--store", url, "--routes", routes]);
      expect(checked).toMatchObject({ code: 0, out: expect.stringContaining("everything fits") as string });
      const sql = await run(["sql", "--store", url]);
      expect(sql).toMatchObject({ code: 0, out: expect.stringContaining("write_behind_position") as string });

      const flags = ["--store", url, "--delay", "0", "--routes", routes];
      const first = await machine.serve(...flags);
      expect(
        await send(
          first,
          ["HSET", "user:7", "name", "Ada", "seen", "1.25"],
          ["HSET", "order:7:1", "total", "5"],
          ["SET", "user:7:name", "Ada L."],
          ["SET", "own", "x"],
          ["WAIT", "1", "10000"],
        ),
      ).toEqual(["2", "1", "OK", "OK", "1"]);
      expect(await server().sql("SELECT id, name, seen, until FROM users", name)).toEqual(["7|Ada L.|1.3|"]);
      await first.end("SIGKILL");

      const second = await machine.serve(...flags);
      expect(
        await send(
          second,
          ["GET", "user:7:name"],
          ["HGET", "user:7", "seen"],
          ["GET", "own"],
          ["EXPIRE", "user:7", "1000"],
          ["DEL", "order:7:1"],
          ["WAIT", "1", "10000"],
        ),
      ).toEqual(["Ada L.", "1.3", "x", "1", "1", "1"]);
      expect(await server().sql("SELECT until > now(), (SELECT count(*) FROM orders) FROM users", name)).toEqual([
        "true|0",
      ]);
      await second.end("SIGTERM");
    }),
  );

  test(
    "a database that is not there, a URL that is none: it ends, says why, and repeats no password",
    onMachine(async (machine) => {
      const { url } = await made();
      const server = machine.spawn("--store", `${url}_nowhere`);
      expect(await server.ready()).toBe(false);
      expect(server.errors).toMatch(/does not exist/);
      expect(server.errors).not.toContain("s3cret-word");
      const wrong = await run(["serve", "--store", "postgres://me:s3cret-word@h:port/d"]);
      expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining("needs the URL of a database") as string });
      expect(wrong.err).not.toContain("s3cret-word");
    }),
  );
});
