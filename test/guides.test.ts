/** Every snippet of the guides is run, in order, and prints what is shown; test/guide-snippets.ts has the rules. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { blocksOf, compiler, isShown, Reader, root, type Block } from "./guide-snippets.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { startRedis } from "./servers.js";
import { describeWith } from "./with-programs.js";
import { describeRedis } from "./with-redis.js";

const folder = join(root, "docs", "guide");
const pages = readdirSync(folder).filter((name) => name.endsWith(".md"));
const errors: string[] = [];
const blocks = new Map(pages.map((page) => [page, take(page)]));

function take(page: string): Block[] {
  try {
    return blocksOf(readFileSync(join(folder, page), "utf8"));
  } catch (error) {
    errors.push(`docs/guide/${page}: ${(error as Error).message}`);
    return [];
  }
}

test("every block is of a kind that is run", () => {
  expect(errors).toEqual([]);
});

const [postgresUrl, redisUrl] = ["postgres://user:password@host:5432/database", "redis://127.0.0.1:6379"];

/** Pages whose blocks speak to just these servers of others. */
function pagesWith(...urls: string[]): string[] {
  const speaks = (page: string, url: string): boolean =>
    (blocks.get(page) ?? []).some(({ kind, notRun, text }) => kind !== "text" && notRun === null && text.includes(url));
  return pages.filter((page) => [postgresUrl, redisUrl].every((url) => speaks(page, url) === urls.includes(url)));
}

/** A page is up to thirty processes, one after the other, beside other tests. */
const patiently = 240_000;

async function readPage(page: string, here: readonly (readonly [string, string])[] = []): Promise<void> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "guide-")));
  const reader = await Reader.begin(home, here);
  try {
    await reader.read(blocks.get(page) as Block[]);
  } finally {
    await reader.end();
    rmSync(home, { recursive: true, force: true });
  }
}

describe.concurrent("guides that need nothing else", () => {
  test.each(pagesWith())("%s", (page) => readPage(page), patiently);
});

describePostgres("guides with a PostgreSQL", postgresVersions(), (server) => {
  /** An empty one for each page. */
  async function database(page: string): Promise<readonly [string, string]> {
    await server().sql(`CREATE DATABASE "${page}"`);
    return [postgresUrl, server().url(page)];
  }

  test.each(pagesWith(postgresUrl))("%s", async (page) => readPage(page, [await database(page)]), patiently);

  const args = ["--appendonly", "yes", "--appendfsync", "always"];
  describeRedis(
    "and a Redis",
    (redis) => {
      test.each(pagesWith(postgresUrl, redisUrl))(
        "%s",
        async (page) => readPage(page, [await database(page), ["6379", String(redis().port)]]),
        patiently,
      );
    },
    args,
  );
});

describeWith(["redis-server", "redis-cli"], "guides with a Redis", () => {
  const withRedis = async (page: string): Promise<void> => {
    const redis = await startRedis();
    try {
      await readPage(page, [["6379", String(redis.port)]]);
    } finally {
      await redis.stop();
    }
  };
  test.each(pagesWith(redisUrl))("%s", withRedis, patiently);
});

test("what is not run is little, and known", () => {
  const notRun = [...blocks].flatMap(([page, all]) =>
    all.filter((block) => block.notRun !== null).map(({ notRun: reason }) => `${page}: ${reason}`),
  );
  expect(notRun).toEqual([
    "health-and-logs.md: it takes two minutes; test/log.test.ts has the sentences",
    "redis.md: a picture",
  ]);
});

test("the programs of the guides are what the compiler takes", () => {
  mkdirSync(join(root, "dist"), { recursive: true });
  const home = mkdtempSync(join(root, "dist", "guides-"));
  try {
    for (const [page, all] of blocks) {
      mkdirSync(join(home, page));
      for (const { kind, text, line, file, notRun } of all) {
        if (notRun !== null || (kind !== "js" && kind !== "ts")) continue;
        writeFileSync(join(home, page, file ?? `line-${line}.m${kind}`), text);
      }
    }
    const compilerOptions = {
      allowJs: true,
      checkJs: true,
      noEmit: true,
      strict: true,
      noImplicitAny: false,
      skipLibCheck: true,
      target: "es2023",
      lib: ["es2023", "esnext.disposable"],
      module: "nodenext",
      types: ["node"],
    };
    writeFileSync(join(home, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["**/*"] }));
    const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", home], { encoding: "utf8" });
    expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

describe("a snippet that nobody runs is found", () => {
  const fenced = (kind: string, text: string): string => `\`\`\`${kind}\n${text}\n\`\`\`\n`;
  test.each([
    ["an indented block", "Type\n\n    npx write-behind serve\n", /line 3 is an indented block/],
    ["a block of no kind", fenced("", "x"), /line 1: nobody runs a block of ""/],
    ["a block of an unknown kind", fenced("python", "x"), /nobody runs a block of "python"/],
    ["a block in a list", `- one\n\n  ${fenced("sh", "ls")}`, /nobody runs/],
    ["an output of nothing", fenced("text", "x"), /nothing before it prints this/],
    ["a file without a name", fenced("yaml", "delayMs: 1"), /names no file/],
    ["a file that nobody uses", fenced("yaml", "# a.yaml\ndelayMs: 1"), /nothing after it uses a.yaml/],
  ])("%s", (_, page, message) => {
    expect(() => blocksOf(page)).toThrow(message);
  });

  test("an output that is not so", () => {
    expect(isShown("1 row, 3.5 ms\n", "1  row, 17 ms\n")).toBe(true);
    expect(isShown("2 rows, 17 ms\n", "1 row, 17 ms\n")).toBe(false);
    expect(isShown("a\nb\nb\nc\n", "a\n…\nc\n")).toBe(true);
    expect(isShown("a\nc\n", "a\n…\nc\n")).toBe(true);
    expect(isShown("a\nb\nd\n", "a\n…\nc\n")).toBe(false);
  });
});
