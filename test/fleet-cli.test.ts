/** The command line of a fleet, as real processes: servers and a worker on one Redis and one PostgreSQL. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test } from "vitest";
import type { Status } from "../src/heart.js";
import { run, type Ran } from "./cli-process.js";
import { ServerProcess } from "./crash/server-process.js";
import { RedisWithFiles } from "./redis-files.js";
import { eventually, send } from "./serve-machine.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeWith } from "./with-programs.js";
import { WorkProcess } from "./work-process.js";

interface Endable {
  end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null>;
}

describeWith(["redis-server", "redis-cli"], "the command line of a fleet", () => {
  describePostgres("with PostgreSQL", postgresVersions(), (postgres) => {
    let databases = 0;
    const running: Endable[] = [];
    const redises: RedisWithFiles[] = [];

    afterEach(async () => {
      await Promise.all(running.splice(0).map((each) => each.end("SIGKILL")));
      await Promise.all(redises.splice(0).map((each) => each.stop()));
    });

    /** A Redis and a database, both empty. */
    async function places(): Promise<{ redis: RedisWithFiles; name: string; store: string; flags: string[] }> {
      const redis = await RedisWithFiles.start();
      redises.push(redis);
      const name = `fleet_cli_${databases++}`;
      await postgres().sql(`CREATE DATABASE ${name}`);
      const store = postgres().url(name).replace("postgres@", "postgres:s3cret-word@");
      return { redis, name, store, flags: ["--cache", redis.url, "--store", store] };
    }

    const quick = ["--durability", "memory", "--lease-ms", "1s"];

    function serve(...flags: string[]): Promise<ServerProcess> {
      return started(new ServerProcess([...quick, ...flags]));
    }

    async function started(server: ServerProcess): Promise<ServerProcess> {
      running.push(server);
      if (!(await server.ready())) throw new Error(`it ended: ${server.ended}: ${server.errors}`);
      return server;
    }

    function work(...flags: string[]): WorkProcess {
      const worker = new WorkProcess(["--lease-ms", "1s", ...flags]);
      running.push(worker);
      return worker;
    }

    /** Its first worker has made the tables: what is not in the cache can be read. */
    async function canRead(server: ServerProcess): Promise<void> {
      await expect.poll(() => send(server, ["EXISTS", "user:9"]), eventually).toEqual(["0"]);
    }

    const rows = (name: string): Promise<string[]> =>
      postgres().sql("SELECT key, value FROM write_behind_kv_text ORDER BY key", name);

    const statusOf = async (...flags: string[]): Promise<Status> => {
      const { out, err } = await run(["status", "--json", ...flags]);
      expect(err).toBe("");
      return JSON.parse(out) as Status;
    };

    test("servers answer alike, a worker alone writes, hands over at SIGTERM; nobody tells a password", async () => {
      const { redis, name, flags } = await places();
      const one = await serve(...flags, "--no-worker", "--delay", "0");
      const worker = work(...flags, "--delay", "0");
      await worker.says(/"event":"partitions".*"partitions":\[0,1,2,3,4,5,6,7\]/);
      const two = await started(new ServerProcess([...flags, ...quick], { variables: { WRITE_BEHIND_WORKER: "no" } }));
      await canRead(two);
      expect(JSON.parse(one.output)).toMatchObject({
        data: null,
        cache: { kind: "redis", place: redis.url, partitions: 8, worker: false },
        store: { kind: "postgres" },
      });
      expect(JSON.parse(worker.output)).toMatchObject({ cache: { place: redis.url, partitions: 8 }, pid: worker.pid });
      expect(await send(one, ["SET", "user:1:name", "Alice"])).toEqual(["OK"]);
      expect(await send(two, ["GET", "user:1:name"], ["INCR", "n"])).toEqual(["Alice", "1"]);
      expect(await send(one, ["GET", "n"], ["WAIT", "1", "10000"])).toEqual(["1", "1"]);
      await expect.poll(() => rows(name), eventually).toEqual(["n|1", "user:1:name|Alice"]);

      const third = await serve(...flags);
      await worker.says(/"event":"partitions".*"partitions":\[\d,\d,\d,\d\]/);
      expect(await worker.end("SIGTERM")).toBe(0);
      expect(worker.errors).toContain("its partitions are free for other workers");
      await expect
        .poll(async () => (await statusOf("--cache", redis.url)).fleet?.workers.map(({ report }) => report), eventually)
        .toMatchObject([{ partitions: Array.from({ length: 8 }, (_, partition) => ({ partition })) }]);
      expect(await third.end("SIGTERM")).toBe(0);
      expect(third.errors).not.toMatch(/journal|write-behind-data/);
      expect(await send(one, ["SET", "left", "1"])).toEqual(["OK"]);
      expect(await one.end("SIGTERM")).toBe(4);
      expect(one.errors).toContain(`in the Redis at ${redis.url}`);
      const said = [one, two, worker, third].map(({ errors, output }) => errors + output).join("");
      expect(said).not.toMatch(/s3cret-word|journal/);
    });

    test("the verbs that ask reach a fleet through its Redis alone", async () => {
      const { redis, store, flags } = await places();
      const ask = (...args: string[]): Promise<Ran> => run([...args, "--cache", redis.url]);
      expect(await ask("status")).toMatchObject({ code: 3, err: expect.stringContaining("no write queue") as string });
      const server = await serve(...flags, "--no-worker");
      const worker = work(...flags);
      await worker.says(/"event":"partitions"/);
      expect(await ask("pause")).toMatchObject({ code: 0, err: "" });
      expect(await send(server, ["SET", "k", "v"])).toEqual(["OK"]);
      expect(await ask("flush")).toMatchObject({ code: 1, err: expect.stringContaining("resume") as string });
      const paused = await statusOf("--cache", redis.url);
      expect(paused).toMatchObject({ state: "paused", queue: { pendingChanges: 1 } });
      const { fleet, writer } = (await server.ask("GET", "/api/status")) as Status;
      expect([paused.fleet?.partitions.map(({ owner }) => owner), paused.writer]).toEqual([
        fleet?.partitions.map(({ owner }) => owner),
        writer,
      ]);
      const text = (await ask("status")).out;
      expect(text).toMatch(/workers +[0-9a-f]{16}, process \d+ on .*: 8 partitions, seen/);
      expect(text).toMatch(/\d: 1 change of 1 record pending/);
      const seen = JSON.parse((await ask("inspect", "k", "--json")).out) as unknown;
      expect(seen).toMatchObject({
        cache: { value: { value: "v" } },
        queue: [{ kind: "replace" }],
        database: { value: null, error: expect.stringContaining("--store URL") as string },
      });
      expect(JSON.parse((await ask("step", "--json")).out)).toMatchObject({ batch: { changes: 1 } });
      const stored = await run(["inspect", "k", "--json", "--store", store], { WRITE_BEHIND_CACHE: redis.url });
      expect(JSON.parse(stored.out)).toMatchObject({ queue: [], database: { value: { value: "v" }, error: null } });
      expect(await ask("resume")).toMatchObject({ code: 0, err: "" });
      expect(await ask("flush", "k")).toMatchObject({ code: 0, err: "" });
      expect(await ask("dead", "list", "--json")).toMatchObject({
        code: 0,
        out: expect.stringContaining("[]") as string,
      });
      expect(await ask("dead", "show", "3-17")).toMatchObject({
        code: 1,
        err: expect.stringContaining("3-17") as string,
      });
      // A server that was named wins.
      const through = await run(["status", "--json", "--admin", server.admin, "--cache", "redis://127.0.0.1:1"]);
      expect(through).toMatchObject({ code: 0, err: "" });
      await redis.kill();
      expect(await ask("status")).toMatchObject({
        code: 3,
        err: expect.stringContaining("cannot be reached") as string,
      });
    });

    test("what is missing or wrong is said at the start; a Redis that is not there yet is waited for", async () => {
      const { redis, name, store, flags } = await places();
      const needs = "needs a database that all of them reach";
      const noStore = await run(["serve", "--cache", redis.url]);
      expect(noStore).toMatchObject({ code: 2, err: expect.stringContaining(needs) as string });
      expect(await run(["work", "--cache", redis.url])).toMatchObject({ code: 2 });
      expect(await run(["work", "--store", store])).toMatchObject({ code: 2 });
      redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
      for (const verb of ["work", "serve"]) {
        const refused = await run([verb, ...flags, "--durability", "memory"].slice(0, verb === "work" ? 5 : 7));
        expect(refused).toMatchObject({ code: 1, out: "" });
        expect(refused.err).toContain("CONFIG SET maxmemory-policy volatile-lru");
      }
      await redis.kill();
      const early = work(...flags);
      await early.says(/cannot be reached .*it is waited for/);
      expect(await early.end("SIGTERM")).toBe(0);
      expect(await rows(name).catch(() => [])).toEqual([]);
    });

    test("an emptied Redis is named by who runs, refused at a start, and adopted", async () => {
      const { redis, name, store, flags } = await places();
      const server = await serve(...flags, "--no-worker");
      const worker = work(...flags, "--delay", "0");
      expect(await send(server, ["SET", "a", "1"], ["WAIT", "1", "10000"])).toEqual(["OK", "1"]);
      redis.ask("FLUSHALL");
      await worker.says(/"event":"failed".*was emptied, or exchanged/);
      const [answer] = await send(server, ["SET", "b", "1"]);
      expect(answer).toContain("was emptied, or exchanged");
      await expect
        .poll(async () => ((await server.ask("GET", "/api/status")) as Status).state, eventually)
        .toBe("broken");
      await Promise.all([server.end("SIGKILL"), worker.end("SIGTERM")]);

      for (const verb of ["work", "serve"]) {
        const refused = await run([verb, ...flags, ...(verb === "serve" ? ["--durability", "memory"] : [])]);
        expect(refused).toMatchObject({ code: 1, out: "" });
        expect(refused.err).toContain("write-behind adopt --cache URL --store URL");
      }
      const checked = await run(["check", ...flags]);
      expect(checked).toMatchObject({ code: 1, err: expect.stringContaining("was emptied") as string });
      expect(redis.ask("DBSIZE")).toBe("0");
      // A worker that was killed would have left a claim in the database, which is respected for half a minute.
      const adopted = await run(["adopt", ...flags, "--json"]);
      expect(adopted).toMatchObject({ code: 0, err: "" });
      const { items } = JSON.parse(adopted.out) as { items: { why: string }[] };
      expect(items.map(({ why }) => why)).toContain("emptied");
      expect(await run(["check", ...flags])).toMatchObject({ code: 0, err: "" });
      const again = await serve(...flags, "--delay", "0");
      expect(await send(again, ["GET", "a"], ["SET", "b", "2"], ["WAIT", "1", "10000"])).toEqual(["1", "OK", "1"]);
      expect(await rows(name)).toEqual(["a|1", "b|2"]);
      expect(store).toContain("s3cret-word");
      expect(adopted.out + checked.out + checked.err).not.toContain("s3cret-word");
    });

    test("dead letters of a fleet, by its Redis and its routes; what is adopted over a gap gives them up", async () => {
      const { redis, name, flags } = await places();
      await postgres().sql("CREATE TABLE users (id bigint PRIMARY KEY, name text CHECK (name <> 'bad'))", name);
      const folder = mkdtempSync(join(tmpdir(), "fleet-cli-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const routes = join(folder, "routes.yaml");
      writeFileSync(routes, '- { key: "user:{id}", table: users }\n');
      const server = await serve(...flags, "--no-worker", "--routes", routes, "--partitions", "1");
      const worker = work(...flags, "--routes", routes, "--delay", "0");
      await canRead(server);
      expect(await send(server, ["HSET", "user:1", "name", "bad"], ["HSET", "user:2", "name", "Ada"])).toEqual([
        "1",
        "1",
      ]);
      const ask = (...args: string[]): Promise<Ran> => run([...args, "--cache", redis.url]);
      await expect.poll(async () => (await statusOf("--cache", redis.url)).deadLetters.count, eventually).toBe(1);
      expect(await ask("dead", "list")).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^0-1 {2}refused/) as string,
      });
      const shown = await ask("dead", "show", "0-1", "--json");
      expect(JSON.parse(shown.out)).toMatchObject({ id: "0-1", changes: [{ key: "user:1" }] });
      expect(await ask("inspect", "user:1")).toMatchObject({
        code: 1,
        err: expect.stringContaining("--routes FILE") as string,
      });
      const inspected = await ask("inspect", "user:1", "--json", "--routes", routes);
      expect(JSON.parse(inspected.out)).toMatchObject({ route: "user:{id}", cache: { state: "present" } });
      expect((await ask("dead", "retry", "--all")).out).toContain("0-1");
      expect(await ask("flush", "user:2", "--routes", routes)).toMatchObject({ code: 0, err: "" });

      redis.ask("FLUSHALL");
      await worker.says(/was emptied, or exchanged/);
      await worker.end("SIGTERM");
      const refused = await run(["adopt", ...flags]);
      expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("1 dead letter") as string });
      expect(await postgres().sql("SELECT count(*) FROM write_behind_dead_letters", name)).toEqual(["1"]);
      expect(await run(["adopt", ...flags, "--accept-gap"])).toMatchObject({ code: 0, err: "" });
      expect(await postgres().sql("SELECT count(*) FROM write_behind_dead_letters", name)).toEqual(["0"]);
      expect(await run(["check", ...flags])).toMatchObject({ code: 0, err: "" });
      expect(await postgres().sql("SELECT id, name FROM users", name)).toEqual(["2|Ada"]);
    });

    test("a Redis that was started from an older file is named while processes run, checked, adopted, and goes on", async () => {
      const { redis, name, flags } = await places();
      const server = await serve(...flags, "--no-worker", "--partitions", "1");
      const worker = work(...flags, "--delay", "0");
      const store = async (...commands: string[][]): Promise<void> => {
        const replies = await send(server, ...commands, ["WAIT", "1", "10000"]);
        expect(replies.at(-1)).toBe("1");
      };
      await store(["SET", "a", "1"]);
      // What the Redis has been told of it is in the file, too.
      await expect.poll(async () => (await statusOf("--cache", redis.url)).queue.pendingChanges, eventually).toBe(0);
      redis.keep();
      await store(["SET", "a", "2"]);
      await store(["SET", "b", "2"]);
      await store(["SET", "lost", "2"]);
      expect(await run(["check", ...flags])).toMatchObject({ code: 0, err: "" });
      expect(JSON.parse((await run(["adopt", ...flags, "--json"])).out)).toMatchObject({ items: [] });
      await redis.restartFromKept();

      await worker.says(/"event":"broken".*is older/);
      expect((await send(server, ["SET", "d", "4"]))[0]).toContain("is older");
      const text = (await run(["status", "--cache", redis.url])).out;
      expect(text).toMatch(/broken +partition 0: .*is older/);
      const checked = await run(["check", ...flags, "--json"]);
      expect(checked.code).toBe(1);
      const older = { partition: 0, verdict: "older", frames: 0, lost: 3, gap: false };
      expect(JSON.parse(checked.out)).toMatchObject({ items: [older], refusal: { code: "QUEUE_MISMATCH" } });

      const adopted = await run(["adopt", ...flags]);
      expect(adopted).toMatchObject({ code: 0, err: "" });
      expect(adopted.out).toMatch(/partition 0: the order of 3 frames that the database has \(2 to 4\) is given up/);
      // What was clean in the older file is forgotten: the database has newer rows.
      expect(await send(server, ["GET", "a"], ["GET", "b"])).toEqual(["2", "2"]);
      await store(["SET", "d", "4"]);
      expect(await rows(name)).toEqual(["a|2", "b|2", "d|4", "lost|2"]);
      await worker.says(/partition 0 is written again/);
      expect(await run(["check", ...flags])).toMatchObject({ code: 0, err: "" });
      await worker.end("SIGTERM");
    });

    test("a Redis that has forked is found before anything is written over, and goes on where both were", async () => {
      const { redis, name, flags } = await places();
      const server = await serve(...flags, "--no-worker", "--partitions", "1");
      const first = work(...flags, "--delay", "0");
      const store = async (...commands: string[][]): Promise<void> => {
        expect((await send(server, ...commands, ["WAIT", "1", "10000"])).at(-1)).toBe("1");
      };
      await store(["SET", "a", "1"]);
      await expect.poll(async () => (await statusOf("--cache", redis.url)).queue.pendingChanges, eventually).toBe(0);
      redis.keep();
      await store(["SET", "a", "2"]);
      await store(["SET", "b", "2"]);
      await first.end("SIGTERM");
      await redis.restartFromKept();
      await expect.poll(async () => (await send(server, ["SET", "c", "3"]))[0], eventually).toBe("OK");
      expect(await send(server, ["SET", "d", "3"], ["SET", "b", "3"])).toEqual(["OK", "OK"]);

      const second = work(...flags, "--delay", "0");
      await second.says(/"event":"broken".*has forked/);
      expect(await rows(name)).toEqual(["a|2", "b|2"]);
      const checked = await run(["check", ...flags, "--json"]);
      const forked = { partition: 0, verdict: "forked", frames: 3, lost: 2, gap: false };
      expect(JSON.parse(checked.out)).toMatchObject({ items: [forked] });
      const adopted = await run(["adopt", ...flags, "--json"]);
      expect(adopted).toMatchObject({ code: 0, err: "" });
      expect(JSON.parse(adopted.out)).toMatchObject({
        items: [{ partition: 0, why: "forked", framesKept: 3, framesGivenUp: 2, lettersGivenUp: 0 }],
      });
      await expect.poll(() => rows(name), eventually).toEqual(["a|2", "b|3", "c|3", "d|3"]);
      expect(await send(server, ["GET", "a"], ["GET", "b"], ["GET", "c"])).toEqual(["2", "3", "3"]);
      await store(["SET", "a", "4"]);
      expect(await rows(name)).toEqual(["a|4", "b|3", "c|3", "d|3"]);
      expect(await run(["check", ...flags])).toMatchObject({ code: 0, err: "" });
    });
  });
});
