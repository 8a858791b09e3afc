/** The example that counts page views: as a process, killed in the middle. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PostgresServer } from "./postgres-server.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";

const program = fileURLToPath(new URL("../examples/page-views/main.js", import.meta.url));
const paths = ["/", "/about", "/time/10:30", "/a%20b"];

let folder = "";
let child: ChildProcess | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "page-views-"));
});
afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the server and gives its address. */
async function start(store: string, place: readonly string[] = ["--data", join(folder, "data")]): Promise<string> {
  const args = [program, "--store", store, ...place, "--port", "0"];
  child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  return line.toString().trim();
}

/** Views a page, and gives the number that it shows; null where there is no answer. */
async function view(address: string, path: string): Promise<number | null> {
  try {
    const response = await fetch(new URL(path, address));
    const count = /viewed (\d+) times/.exec(await response.text())?.[1];
    return count === undefined ? null : Number(count);
  } catch {
    return null;
  }
}

async function end(signal: NodeJS.Signals): Promise<number | null> {
  const ending = child as ChildProcess;
  const ended = once(ending, "exit");
  ending.kill(signal);
  await ended;
  return ending.exitCode;
}

/** Counts in the table, by path. */
type ReadCounts = () => Promise<Map<string, number>>;

async function killedInTheMiddle(store: string, read: ReadCounts, place?: readonly string[]): Promise<void> {
  const address = await start(store, place);
  const before = new Map(paths.map((path) => [path, 0]));
  let answered = 0;
  // One view of a page at a time: so at most one of each has no answer.
  const viewer = async (path: string): Promise<void> => {
    for (let count = await view(address, path); count !== null; count = await view(address, path)) {
      expect(count).toBe((before.get(path) as number) + 1);
      before.set(path, count);
      answered += 1;
      if (answered === 400) child?.kill("SIGKILL");
    }
  };
  await Promise.all(paths.map(viewer));
  expect(answered).toBeGreaterThanOrEqual(400);

  const again = await start(store, place);
  const after = new Map<string, number>();
  for (const path of paths) {
    const [old, first] = [before.get(path) as number, (await view(again, path)) as number];
    expect([old + 1, old + 2]).toContain(first);
    expect(await view(again, path)).toBe(first + 1);
    after.set(path.replaceAll(":", "%3A"), first + 1);
  }
  expect(await end("SIGTERM")).toBe(0);
  expect(await read()).toEqual(after);
}

describe("page views on SQLite", () => {
  test("none that was answered is lost, none is counted twice", async () => {
    const file = join(folder, "views.db");
    await killedInTheMiddle(`sqlite:${file}`, async () => {
      const database = new DatabaseSync(file, { timeout: 10_000 });
      const rows = database.prepare("SELECT path, views FROM page_views").all() as { path: string; views: number }[];
      database.close();
      return new Map(rows.map(({ path, views }) => [path, views]));
    });
  });
});

/** What the table holds. */
async function countsIn(server: PostgresServer): Promise<Map<string, number>> {
  const rows = await server.sql("SELECT path, views::text FROM page_views");
  return new Map(rows.map((row) => row.split("|") as [string, string]).map(([path, n]) => [path, Number(n)]));
}

describePostgres("page views on PostgreSQL", postgresVersions(), (server) => {
  test("none that was answered is lost, none is counted twice", async () => {
    await killedInTheMiddle(server().url(), () => countsIn(server()));
  });
});

describeRedis(
  "page views, unchanged, with cache and queue in a Redis",
  (redis) =>
    describePostgres("and PostgreSQL", postgresVersions(), (server) => {
      test("none that was answered is lost, none is counted twice", async () => {
        const place = ["--cache", `redis://127.0.0.1:${redis().port}`];
        await killedInTheMiddle(server().url(), () => countsIn(server()), place);
      });
    }),
  ["--appendonly", "yes", "--appendfsync", "always"],
);
