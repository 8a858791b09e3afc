/** The program as its users run it: real processes, real files, real ports. */
import { once } from "node:events";
import { spawn } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Inspection, Status } from "../src/heart.js";
import { inFolder, program, run } from "./cli-process.js";
import { ServerProcess } from "./crash/server-process.js";

/** A server in a folder, and the program asking it. */
class Lab {
  readonly server: ServerProcess;
  readonly #variables: Record<string, string>;

  constructor(server: ServerProcess, variables: Record<string, string> = {}) {
    this.server = server;
    this.#variables = variables;
  }

  run(...args: string[]): ReturnType<typeof run> {
    return run(args, { WRITE_BEHIND_ADMIN: this.server.admin, ...this.#variables });
  }

  send(...args: string[]): ReturnType<typeof run> {
    return this.run("send", "--port", String(this.server.port), ...args);
  }
}

async function withServer<T>(flags: readonly string[], work: (lab: Lab) => Promise<T>, variables = {}): Promise<T> {
  const server = new ServerProcess(flags);
  try {
    if (!(await server.ready())) throw new Error(`it ended: ${server.ended}: ${server.errors}`);
    return await work(new Lab(server, variables));
  } finally {
    await server.end("SIGKILL");
  }
}

describe("usage", () => {
  test.each([
    [[], 2, "Usage: write-behind"],
    [["sttus"], 2, "Did you mean status"],
    [["status", "--frob"], 2, "unknown option '--frob'"],
    [["status", "extra"], 2, "too many arguments"],
    [["inspect"], 2, "missing required argument"],
    [["serve", "--delay", "soon"], 2, '--delay-ms is "soon", and must be a time such as'],
    [["serve", "--host", "0.0.0.0"], 2, "there is no password"],
    [["serve", "--config", "/nowhere.yaml"], 2, "the file /nowhere.yaml cannot be read"],
    [["serve", "--store", "oracle:x"], 2, "there is no database of the kind oracle"],
    [["status", "--admin", "nonsense"], 2, "is no URL"],
    [["status", "--admin", "http://127.0.0.1:1"], 3, "there is no server at http://127.0.0.1:1"],
    [["send", "--port", "1", "PING"], 3, "there is no server at 127.0.0.1:1"],
    [["check", "--data", "/nowhere"], 1, "there is no journal in /nowhere"],
  ])("%j ends with %d", async (args, code, text) => {
    const ran = await run(args);
    expect(ran.err).toContain(text);
    expect(ran.err).not.toMatch(/\n {4}at /);
    expect(ran).toMatchObject({ code, out: "" });
  });

  test.each([
    [[], 2, "USAGE", /unknown option '--json'/],
    [["sttus"], 2, "USAGE", /unknown command 'sttus' \(Did you mean status/],
    [["status", "--frob"], 2, "USAGE", /unknown option '--frob'/],
    [["inspect"], 2, "USAGE", /missing required argument/],
    [["serve", "--delay", "soon"], 2, "CONFIG", /--delay-ms is "soon"/],
    [["serve", "--config", "/nowhere.yaml"], 2, "USAGE", /cannot be read/],
    [["serve", "--store", "sqlite:/nowhere/a.db", "--data", "DATA"], 1, "STORE_DOWN", /its folder does not exist/],
    [["status", "--admin", "http://127.0.0.1:1"], 3, "NO_SERVER", /there is no server at/],
    [["check", "--data", "/nowhere"], 1, "FAILED", /there is no journal in/],
    [["trace", "GET", "a"], 2, "USAGE", /a command with its arguments is one argument/],
  ])("%j with --json ends with %d and an error in JSON, code %s", (args, exit, code, message) =>
    inFolder(async (folder) => {
      const [verb = "", ...rest] = args.map((arg) => (arg === "DATA" ? join(folder, "data") : arg));
      const ran = await run(verb === "" ? ["--json"] : [verb, "--json", ...rest]);
      expect(ran).toMatchObject({ code: exit, out: "" });
      // What else is on stderr are lines of the log, JSON too.
      const { error } = JSON.parse(ran.err.trimEnd().split("\n").at(-1) as string) as { error: object };
      expect(error).toEqual({
        code,
        message: expect.stringMatching(message) as string,
        hint: expect.any(String) as string,
      });
    }),
  );

  test("--json behind the command of `send` is the command's: its error is text", async () => {
    const ran = await run(["send", "--port", "1", "SET", "k", "--json"]);
    expect(ran).toMatchObject({ code: 3, err: expect.stringMatching(/^there is no server/) as string });
  });

  test("--version and --help are done", async () => {
    expect(await run(["--version"])).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    });
    expect(await run(["serve", "--help"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("--delay, --delay-ms <time>") as string,
    });
  });

  test("a variable or a line of the file that is wrong is named with its place", () =>
    inFolder(async (folder) => {
      expect(await run(["serve"], { WRITE_BEHIND_DELAY: "1" })).toMatchObject({
        code: 2,
        err: expect.stringContaining(
          '"WRITE_BEHIND_DELAY" is not an option; did you mean WRITE_BEHIND_DELAY_MS?\ntry: ',
        ) as string,
      });
      const file = join(folder, "wb.yaml");
      await writeFile(file, "delayMs: 5s\nprot: 7000\n");
      expect(await run(["serve", "--config", file])).toMatchObject({
        code: 2,
        err: expect.stringContaining("did you mean port?") as string,
      });
      await writeFile(file, "delayMs: 5s\ndelayMs: 6s\n");
      expect(await run(["serve"], { WRITE_BEHIND_CONFIG: file })).toMatchObject({
        code: 2,
        err: expect.stringContaining("cannot be read") as string,
      });
    }));
});

describe("a server and the verbs", () => {
  test("serve says five lines, and where the port is taken which flag changes it", () =>
    inFolder(async (folder) => {
      const args = ["serve", "--port", "0", "--admin-port", "0", "--owner-wait-ms", "0"];
      const child = spawn(process.execPath, [program, ...args, "--data", join(folder, "a")]);
      let out = "";
      child.stdout.on("data", (piece: Buffer) => (out += piece.toString()));
      await expect.poll(() => out.split("\n").length, { timeout: 20_000 }).toBe(6);
      const starts = [
        "Redis protocol  redis://127.0.0.1:",
        "Page, admin API ",
        "Data  ",
        "Durability      disk: ",
        "Try   ",
        "",
      ];
      for (const [i, line] of out.split("\n").entries()) expect(line.startsWith(starts[i] as string), line).toBe(true);
      expect(out).toMatch(/npx write-behind send .*SET user:1:name Alice\n$/);
      const port = /redis:.*:(\d+)/.exec(out)?.[1] as string;
      const admin = /http:.*:(\d+)/.exec(out)?.[1] as string;
      expect(await run([...args, "--data", join(folder, "a")])).toMatchObject({
        code: 1,
        err: expect.stringContaining("another process owns the folder") as string,
      });
      expect(await run([...args, "--data", join(folder, "b"), "--port", port])).toMatchObject({
        code: 1,
        err: expect.stringMatching(/taken.*\ntry: .*--port/) as string,
      });
      expect(await run([...args, "--data", join(folder, "b"), "--admin-port", admin])).toMatchObject({
        code: 1,
        err: expect.stringMatching(/taken.*\ntry: .*--admin-port/) as string,
      });
      child.kill("SIGTERM");
      await once(child, "close");
      expect(child.exitCode).toBe(0);
      expect(out.split("\n")).toHaveLength(6);
    }));

  test("a write on its way: sent, inspected, paused, stepped, flushed", () =>
    inFolder((folder) =>
      withServer(["--data", join(folder, "d"), "--delay", "0"], async (lab) => {
        expect(await lab.send("SET", "user:1:name", "Alice")).toEqual({ code: 0, out: "OK\n", err: "" });
        expect(await lab.send("GET", "user:1:name")).toEqual({ code: 0, out: "Alice\n", err: "" });
        expect(await lab.send("INCRBY", "n", "-5")).toEqual({ code: 0, out: "-5\n", err: "" });
        expect(await lab.send("--json", "MGET", "n", "none")).toMatchObject({ code: 0, out: '["-5",null]\n' });
        expect(await lab.send("NONSENSE")).toMatchObject({
          code: 1,
          out: expect.stringContaining("ERR unknown command") as string,
        });
        expect(await lab.run("flush")).toMatchObject({
          code: 0,
          out: "everything that was pending is in the database\n",
        });

        expect(await lab.run("pause")).toMatchObject({ code: 0 });
        await lab.send("SET", "user:1:name", "Bob");
        const inspected = JSON.parse((await lab.run("inspect", "user:1:name", "--json")).out) as Inspection;
        expect(inspected).toMatchObject({
          key: "user:1:name",
          cache: { state: "present", value: { type: "string", value: "Bob" } },
          queue: [{ kind: "replace", value: { value: "Bob" } }],
          database: { value: { value: "Alice" }, error: null },
        });
        expect((await lab.run("inspect", "user:1:name")).out).toMatch(
          /cache +"Bob"\nqueue +1 pending\n +replace "Bob" .*\ndatabase +"Alice"\n/,
        );
        expect(await lab.run("flush")).toMatchObject({
          code: 1,
          err: "the writer is paused, so nothing reaches the database\ntry: npx write-behind resume\n",
        });
        const refused = await lab.run("flush", "--json");
        expect([refused.code, refused.out, JSON.parse(refused.err)]).toEqual([
          1,
          "",
          {
            error: {
              code: "CLOSED",
              message: "the writer is paused, so nothing reaches the database",
              hint: "npx write-behind resume",
            },
          },
        ]);
        const wrong = await lab.send("--json", "HGET", "user:1:name", "field");
        expect([wrong.code, JSON.parse(wrong.out)]).toEqual([
          1,
          { error: { code: "WRONGTYPE", message: expect.stringContaining("Operation") as string, hint: null } },
        ]);
        expect((await lab.run("status")).out).toMatch(/^state +paused/);
        expect(await lab.run("step")).toMatchObject({
          code: 0,
          out: expect.stringContaining("1 change of 1 record") as string,
        });
        expect(await lab.run("step")).toMatchObject({ code: 0, out: "nothing is pending\n" });
        expect(await lab.run("resume")).toMatchObject({ code: 0 });
        const status = JSON.parse((await lab.run("status", "--json")).out) as Status;
        expect(status).toMatchObject({
          state: "running",
          queue: { pendingChanges: 0 },
          store: { kind: "sqlite", state: "up" },
        });
      }),
    ));

  test("a prompt: commands from a pipe, one a line", () =>
    inFolder((folder) =>
      withServer(["--data", folder], async (lab) => {
        const input = 'SET k "a b"\n\nGET k\nHSET h f 1\nGET h\n"broken\nHGETALL h\nquit\nSET k never\n';
        const ran = await run(["send", "--port", String(lab.server.port)], {}, input);
        expect(ran.out).toMatch(/^OK\na b\n1\nWRONGTYPE .*\n\nInvalid argument\(s\)\nf\n1\n$/);
        expect(ran.code).toBe(1);
        expect((await lab.send("GET", "k")).out).toBe("a b\n");
      }),
    ));

  test("a password and a token are demanded, and never shown", () =>
    inFolder(async (folder) => {
      const secrets = ["--password", "open-sesame", "--admin-token", "abracadabra"];
      await withServer(["--data", folder, ...secrets], async (lab) => {
        expect(await lab.send("GET", "k")).toMatchObject({ code: 1, out: expect.stringContaining("NOAUTH") as string });
        expect(await lab.send("--password", "wrong", "GET", "k")).toMatchObject({
          code: 1,
          err: expect.stringContaining("refuses the password") as string,
        });
        expect(await lab.send("--password", "open-sesame", "SET", "k", "v")).toMatchObject({ code: 0, out: "OK\n" });
        expect(await lab.run("status")).toMatchObject({
          code: 1,
          err: expect.stringContaining("--admin-token") as string,
        });
        expect(await lab.run("status", "--admin-token", "abracadabra")).toMatchObject({ code: 0 });
        expect(
          await run(["status"], { WRITE_BEHIND_ADMIN: lab.server.admin, WRITE_BEHIND_ADMIN_TOKEN: "abracadabra" }),
        ).toMatchObject({ code: 0 });
        expect(lab.server.errors).not.toMatch(/sesame|abracadabra/);
      });
    }));
});

describe("stopping", () => {
  test("SIGTERM drains: the next start has nothing pending", () =>
    inFolder(async (folder) => {
      await withServer(["--data", folder, "--delay", "1h"], async (lab) => {
        await lab.send("SET", "k", "v");
        expect(await lab.server.end("SIGTERM")).toBe(0);
        expect(lab.server.errors).toContain("everything is in the database");
      });
      await withServer(["--data", folder], async (lab) => {
        expect((await lab.send("GET", "k")).out).toBe("v\n");
        expect(lab.server.errors).not.toContain("still pending");
      });
    }));

  test("while paused, what is left is said, with 4; pause outlives the restart and is said", () =>
    inFolder(async (folder) => {
      await withServer(["--data", folder], async (lab) => {
        await lab.run("pause");
        await lab.send("SET", "k", "v");
        expect(await lab.server.end("SIGTERM")).toBe(4);
        expect(lab.server.errors).toMatch(/1 changes? .*journal/);
      });
      await withServer(["--data", folder], async (lab) => {
        await expect.poll(() => lab.server.errors).toContain("starts paused");
        expect((await lab.send("GET", "k")).out).toBe("v\n");
        await lab.run("resume");
        expect(await lab.run("flush")).toMatchObject({ code: 0 });
      });
    }));
});

describe("journals", () => {
  test("check reads, adopt goes on where the folder was lost", () =>
    inFolder(async (folder) => {
      const data = join(folder, "d");
      const flags = ["--data", data, "--delay", "0"];
      await withServer(flags, async (lab) => {
        await lab.send("SET", "k", "before");
        await lab.run("flush");
        await lab.server.end("SIGTERM");
      });
      expect(await run(["check", "--data", data])).toMatchObject({
        code: 0,
        out: expect.stringMatching(/1 frame,[^]*verdict +sound/) as string,
      });
      expect(await run(["adopt", "--data", data])).toMatchObject({
        code: 0,
        out: expect.stringContaining("nothing was changed") as string,
      });
      await rm(join(data, "journal"), { recursive: true });
      const refused = new ServerProcess(flags);
      if (await refused.ready()) {
        // A folder without a journal starts a new log; the writer then finds that the database is another log's.
        await expect
          .poll(async () => ((await refused.ask("GET", "/api/status")) as Status).state, { timeout: 10_000 })
          .toBe("broken");
        await refused.end("SIGTERM");
      } else {
        expect(refused.errors).toContain("write-behind adopt");
      }
      const adopted = await run(["adopt", "--data", data, "--json"]);
      expect(adopted).toMatchObject({ code: 0, err: "" });
      expect(JSON.parse(adopted.out)).toMatchObject({
        framesGivenUp: 0,
        position: expect.stringMatching(/:1:/) as string,
      });
      await withServer(flags, async (lab) => {
        expect((await lab.send("GET", "k")).out).toBe("before\n");
        await lab.send("SET", "k", "after");
        expect(await lab.run("flush")).toMatchObject({ code: 0 });
        expect((await lab.run("inspect", "k")).out).toMatch(/database +"after"/);
      });
    }));
});
