/** Clients that speak TLS, show a certificate and give a password, with a redis-server and with `write-behind serve`. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { createClient } from "redis";
import { createClient as createClient5 } from "redis5";
import { expect, onTestFinished, test } from "vitest";
import { kinds, password, Place, type Kind } from "./same-place.js";
import { program, runProgram } from "./servers.js";
import { until } from "./server-setup.js";
import { tlsFiles, type TlsFiles } from "./tls-certificates.js";
import { describeWith } from "./with-programs.js";

/** A server that ends with the test, and what a client needs to be let in. */
async function open(
  kind: Kind,
): Promise<{ port: number; files: TlsFiles; tls: Record<"ca" | "cert" | "key", Buffer> }> {
  const files = tlsFiles();
  const place = await Place.open(kind, files);
  onTestFinished(() => place.close());
  const [ca, cert, key] = [files.ca, files.clientCert, files.clientKey].map((file) => readFileSync(file));
  return { port: place.port, files, tls: { ca, cert, key } as Record<"ca" | "cert" | "key", Buffer> };
}

/** How the programs of Redis are told. */
const flags = (port: number, { ca, clientCert, clientKey }: TlsFiles): string[] =>
  [
    ["-h", "127.0.0.1", "-p", String(port), "-a", password, "--tls"],
    ["--cacert", ca, "--cert", clientCert, "--key", clientKey],
  ].flat();

const python = `
import sys, redis
port, password, ca, cert, key = sys.argv[1:]
more = {"ssl": True, "ssl_ca_certs": ca, "ssl_certfile": cert, "ssl_keyfile": key}
db = redis.Redis(host="127.0.0.1", port=int(port), password=password, **more)
with db.pipeline() as pipe:
    for i in range(10_000):
        pipe.incr("n")
    print(pipe.execute()[-1], db.get("n"))
`;

describeWith(["redis-server", "redis-cli", "redis-benchmark", "python3"], "over TLS", () => {
  test.each(kinds)("redis-cli and redis-benchmark, %s", async (kind) => {
    const { port, files } = await open(kind);
    const cli = (...args: string[]): string =>
      runProgram("redis-cli", [...flags(port, files), "--no-auth-warning", ...args]).trim();
    expect(cli("SET", "a", "1")).toBe("OK");
    expect(cli("INCR", "a")).toBe("2");
    const tests = ["-t", "set,get", "-n", "1000", "-c", "5", "-P", "16", "--csv"];
    const out = runProgram("redis-benchmark", [...flags(port, files), ...tests]);
    expect([...out.matchAll(/^"(SET|GET)/gm)].map(([, name]) => name)).toEqual(["SET", "GET"]);
    const { path, env } = program("redis-cli");
    const stranger = ["-p", String(port), "--tls", "--cacert", files.ca, "-a", password, "PING"];
    const { stdout } = spawnSync(path, stranger, { env, encoding: "utf8" });
    expect(stdout).not.toContain("PONG");
  });

  test.each(kinds)("ioredis 5 and 6, %s", async (kind) => {
    const { port, tls } = await open(kind);
    for (const Client of [Redis5 as unknown as typeof Redis, Redis]) {
      const redis = new Client({ port, host: "127.0.0.1", password, tls, enableAutoPipelining: true });
      onTestFinished(() => redis.disconnect());
      await redis.del("n");
      const replies = await Promise.all(Array.from({ length: 10_000 }, () => redis.incr("n")));
      expect(replies.at(-1)).toBe(10_000);
      const bytes = Buffer.alloc(1_000_000, 0xff);
      await redis.set("large", bytes);
      expect((await redis.getBuffer("large"))?.equals(bytes)).toBe(true);
    }
    const stranger = new Redis({ port, host: "127.0.0.1", password, tls: { ca: tls.ca }, retryStrategy: () => null });
    onTestFinished(() => stranger.disconnect());
    let refused = false;
    stranger.on("error", () => (refused = true));
    stranger.on("end", () => (refused = true));
    await until(() => refused);
  });

  test.each(kinds)("node-redis 5 and 6, %s", async (kind) => {
    const { port, tls } = await open(kind);
    for (const create of [createClient5 as unknown as typeof createClient, createClient]) {
      const redis = create({ password, socket: { host: "127.0.0.1", port, tls: true, ...tls } });
      redis.on("error", () => undefined);
      await redis.connect();
      onTestFinished(() => redis.destroy());
      await redis.del("n");
      const replies = await Promise.all(Array.from({ length: 10_000 }, () => redis.incr("n")));
      expect(replies.at(-1)).toBe(10_000);
    }
  });

  test.each(kinds)("Debian's redis for Python, %s", async (kind) => {
    const { port, files } = await open(kind);
    const args = [String(port), password, files.ca, files.clientCert, files.clientKey];
    expect(runProgram("python3", ["-c", python, ...args])).toBe("10000 b'10000'\n");
  });
});
