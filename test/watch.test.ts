/** `status --watch`: rates between two looks, and a real server that comes, goes and comes back while it looks. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { ratesOf, watchText, type Look } from "../src/cli/watch.js";
import type { Status } from "../src/heart.js";
import { program } from "./cli-process.js";
import { FakeHeart } from "./server-fake-heart.js";
import { eventually, onMachine, send } from "./serve-machine.js";

function look(at: number, accepted: string, rows: number, [hits, misses]: [number, number]): Look {
  const calm = new FakeHeart().status();
  const { queue, writer, cache } = calm;
  const status: Status = {
    ...calm,
    queue: { ...queue, accepted },
    writer: { ...writer, rows, batches: rows / 10 },
    cache: { ...cache, hits, misses },
  };
  return { at, status };
}

test("rates are what has happened since the last look, and unknown where a server has begun anew", () => {
  const first = look(1000, "log:100", 1000, [10, 10]);
  expect(ratesOf(null, first)).toBeNull();
  const second = look(3000, "log:5100:abc", 1400, [19, 11]);
  expect(ratesOf(first, second)).toEqual({ writes: 2500, rows: 200, batches: 20, hits: 0.9 });
  expect(watchText(second, ratesOf(first, second))).toContain(
    "a second  2,500 writes, 200 rows in 20 batches, 90 % of reads hit\n",
  );
  expect(ratesOf(second, look(4000, "other:1", 0, [0, 0]))).toEqual({
    writes: null,
    rows: null,
    batches: null,
    hits: null,
  });
  expect(ratesOf(second, { ...second, at: 4000 })).toEqual({ writes: 0, rows: 0, batches: 0, hits: null });
});

/** The program, watching. */
function watching(...flags: string[]) {
  const child = spawn(process.execPath, [program, "status", "--watch", "--every", "100ms", ...flags]);
  const said = { out: "", err: "" };
  child.stdout.on("data", (piece: Buffer) => (said.out += piece.toString()));
  child.stderr.on("data", (piece: Buffer) => (said.err += piece.toString()));
  const ended = once(child, "close");
  // Also where the test fails.
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    said,
    end: async () => {
      child.kill("SIGINT");
      await ended;
      return child.exitCode;
    },
  };
}

test(
  "as JSON one line for each look, with rates; a server that goes away is an error in a line, and is looked for again",
  onMachine(async (machine) => {
    const server = await machine.serve("--delay", "0");
    const { said, end } = watching("--json", "--admin", server.admin);
    const lines = (): { perSecond?: { writes: number }; error?: { code: string } }[] =>
      said.out
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as object);
    await expect.poll(() => lines().length, eventually).toBeGreaterThan(0);
    await send(server, ["SET", "k", "v"]);
    await expect.poll(() => lines().some(({ perSecond }) => (perSecond?.writes ?? 0) > 0), eventually).toBe(true);
    await server.end("SIGKILL");
    await expect.poll(() => lines().at(-1)?.error?.code, eventually).toBe("NO_SERVER");
    await machine.serve("--admin-port", new URL(server.admin).port);
    await expect.poll(() => lines().at(-1)?.error, eventually).toBeUndefined();
    expect(await end()).toBe(0);
    expect(said.err).toBe("");
  }),
);

test(
  "as text a block for each look where it is no terminal; that there is no server is said once",
  onMachine(async (machine) => {
    const nobody = watching("--admin", "http://127.0.0.1:1");
    await expect.poll(() => nobody.said.out, eventually).toContain("\ntry: ");
    const server = await machine.serve();
    const { said, end } = watching("--admin", server.admin);
    await expect.poll(() => said.out.split("a second").length, eventually).toBeGreaterThan(3);
    expect(said.out).toContain("the next look tells");
    expect(said.out).toMatch(/\nstate +running\n/);
    expect(said.out).not.toContain("\u001B");
    expect(await end()).toBe(0);
    expect(await nobody.end()).toBe(0);
    expect(nobody.said.out.match(/there is no server/g)).toHaveLength(1);
    expect(nobody.said.out).toContain("looked for again every 100 ms");
  }),
);
