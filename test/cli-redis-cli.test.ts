/** `send` prints what redis-cli prints, byte for byte, on a terminal and into a pipe. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { formatForTerminal, formatRaw, splitLine } from "../src/cli/redis-format.js";
import { RespClient } from "../src/cli/resp-client.js";
import { ServerProcess } from "./crash/server-process.js";
import { findProgram } from "./servers.js";
import { describeWith } from "./with-programs.js";

const redisCli = findProgram("redis-cli");

const lines = [
  "SET user:1:name Alice",
  "GET user:1:name",
  "GET none",
  String.raw`SET odd "a\"b\\c\n\r\t\a\b\x00\xff é"`,
  "GET odd",
  'SET empty ""',
  "GET empty",
  "INCR counter",
  "DECR counter",
  "HSET h a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 j 10",
  "HGETALL h",
  "HGETALL none",
  "HMGET h a none b",
  "GET h",
  "NONSENSE a b",
  "SET k",
  "MGET user:1:name none counter",
  "PTTL user:1:name",
  "PING",
  "ECHO 'single \\' quoted'",
];

describeWith(["redis-cli"], "send beside redis-cli", () => {
  let folder: string;
  let server: ServerProcess;
  let client: RespClient;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "write-behind-send-"));
    server = new ServerProcess(["--data", folder]);
    expect(await server.ready()).toBe(true);
    client = await RespClient.open("127.0.0.1", server.port);
  });

  afterAll(async () => {
    client.close();
    await server.end("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });

  /** What redis-cli prints for a line of its prompt. It reads it from a pipe, where it shows no prompt. */
  function theirs(line: string, flag: "--raw" | "--no-raw"): string {
    const { path, env } = redisCli as NonNullable<typeof redisCli>;
    return spawnSync(path, ["-p", String(server.port), flag], { env, input: `${line}\n` }).stdout.toString("latin1");
  }

  test.each(lines)("%s", async (line) => {
    const args = splitLine(line) as Buffer[];
    // First ours, then theirs: counters are asked twice.
    const reads = !/^(INCR|DECR|HSET)/.test(line);
    const reply = await client.send(args);
    const shown = formatForTerminal(reply).toString("latin1");
    if (reads) {
      expect(shown).toBe(theirs(line, "--no-raw"));
      expect(formatRaw(reply).toString("latin1")).toBe(theirs(line, "--raw"));
    } else expect(shown).toMatch(/^\(integer\) -?\d+\n$/);
  });
});
