/** redis-cli, redis-benchmark and Debian's redis for Python, with a redis-server and with `write-behind serve`. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./guide-snippets.js";
import { describeBoth, password, type Place } from "./same-place.js";
import { program, runProgram, type ProgramName } from "./servers.js";
import { describeWith } from "./with-programs.js";

/** How each program is told where and who. */
const access = ({ port }: Place): string[] => ["-h", "127.0.0.1", "-p", String(port), "-a", password];

/** What a program prints on both streams, given this input; it must end well. */
function told(name: ProgramName, args: readonly string[], input = ""): { out: string; err: string } {
  const { path, env } = program(name);
  const { status, stdout, stderr } = spawnSync(path, args, { env, input, encoding: "utf8", timeout: 50_000 });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return { out: stdout, err: stderr };
}

describeWith(["redis-cli"], "redis-cli", () => {
  describeBoth("as a client", (place) => {
    const cli = (...args: string[]): string =>
      runProgram("redis-cli", [...access(place()), "--no-auth-warning", ...args]).trim();

    test.each(["-2", "-3"])("%s: logs in, sets, reads, counts, expires, watches", (protocol) => {
      const [key, hash] = [`cli${protocol}`, `cli${protocol}:hash`];
      const lines = [
        `SET ${key} 1 EX 100`,
        `TTL ${key}`,
        `INCRBY ${key} 41`,
        `HSET ${hash} a 1 b 2`,
        `HGETALL ${hash}`,
        `WATCH ${key}`,
        "MULTI",
        `INCR ${key}`,
        `GETDEL ${key}`,
        "EXEC",
        `GET ${key}`,
        `HGET ${hash}`,
        `LPUSH`,
      ];
      const { out } = told(
        "redis-cli",
        [...access(place()), "--no-auth-warning", "--no-raw", protocol],
        lines.join("\n"),
      );
      const fields = protocol === "-3" ? ['1# "a" => "1"', '2# "b" => "2"'] : ['1) "a"', '2) "1"', '3) "b"', '4) "2"'];
      const replies = ["OK", "(integer) 100", "(integer) 42", "(integer) 2", ...fields, "OK", "OK", "QUEUED", "QUEUED"];
      const end = ["1) (integer) 43", '2) "43"', "(nil)", "(error) ERR wrong number of arguments for 'hget' command"];
      expect(out.split("\n").slice(0, -2)).toEqual([...replies, ...end]);
    });

    test("a wrong password, and none", () => {
      const { path, env } = program("redis-cli");
      const port = ["-p", String(place().port)];
      const ping = (...args: string[]) => spawnSync(path, [...port, ...args, "PING"], { env, encoding: "utf8" });
      expect(ping().stdout + ping().stderr).toContain("NOAUTH Authentication required.");
      const wrong = ping("-a", "wrong");
      expect(wrong.stdout + wrong.stderr).toContain("WRONGPASS invalid username-password pair or user is disabled.");
    });

    test("--scan, and --pipe with 10,000 commands", () => {
      const commands = Array.from({ length: 10_000 }, (_, i) => `SET scan:${i} ${i}\r\n`).join("");
      const { out } = told("redis-cli", [...access(place()), "--no-auth-warning", "--pipe"], commands);
      expect(out).toContain("errors: 0, replies: 10000");
      const keys = cli("--scan", "--pattern", "scan:1*").split("\n");
      const wanted = Array.from({ length: 10_000 }, (_, i) => `scan:${i}`).filter((key) => key.startsWith("scan:1"));
      expect([...new Set(keys)].toSorted()).toEqual(wanted.toSorted());
      expect(cli("GET", "scan:9999")).toBe("9999");
    });

    test("--stat's and a script's questions: INFO, DBSIZE, CONFIG GET", () => {
      expect(Number(cli("DBSIZE"))).toBeGreaterThanOrEqual(0);
      expect(cli("INFO", "server")).toMatch(/^redis_version:7\.\d+/m);
      expect(cli("CONFIG", "GET", "maxmemory").split("\n")[0]).toBe("maxmemory");
    });
  });
});

describeWith(["redis-benchmark"], "redis-benchmark", () => {
  describeBoth("as a client", (place) => {
    test.each([[[]], [["-P", "16"]], [["-3"]], [["-3", "-P", "16", "-r", "1000"]]])("%s", (flags) => {
      const tests = ["-t", "set,get,incr,mset,hset", "-n", "1000", "-c", "10", "--csv"];
      const { out, err } = told("redis-benchmark", [...access(place()), ...tests, ...flags]);
      const names = out.split("\n").flatMap((line) => /^"([A-Z]+)[^"]*","\d+\.\d+"/.exec(line)?.[1] ?? []);
      expect(names).toEqual(["SET", "GET", "INCR", "HSET", "MSET"]);
      expect(out + err).not.toMatch(/error|warning: could not/i);
    });
  });
});

describeWith(["python3"], "Debian's redis for Python", () => {
  describeBoth("as a client", (place) => {
    test("strings, hashes, bytes, pipelines, iterators, WATCH, and all of it after the server was killed", async () => {
      const { path, env } = program("python3");
      const script = join(root, "test", "python-client.py");
      const child = spawn(path, [script, String(place().port), password], { env, stdio: ["pipe", "pipe", "pipe"] });
      const ended = once(child, "close");
      let [out, err] = ["", ""];
      child.stderr.on("data", (piece: Buffer) => (err += piece.toString()));
      const says = new Promise<void>((resolve) => {
        child.stdout.on("data", (piece: Buffer) => {
          out += piece.toString();
          if (out === "kill\n") resolve();
        });
      });
      await Promise.race([says, ended]);
      expect({ out, err }).toEqual({ out: "kill\n", err: "" });
      await place().kill();
      await place().start();
      child.stdin.end("\n");
      await ended;
      expect({ out, err, code: child.exitCode }).toEqual({ out: "kill\ndone\n", err: "", code: 0 });
    });
  });
});
