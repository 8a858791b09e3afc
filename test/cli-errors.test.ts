/** Errors of the program: each says what was wrong, then a line `try: …` with what can be typed or done. */
import { createServer } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inFolder, run } from "./cli-process.js";
import { onMachine, send } from "./serve-machine.js";

const nobody = "http://127.0.0.1:1";

describe("what was wrong, then a line with what to try", () => {
  test.each<[string, string[], RegExp, RegExp]>([
    ["no server", ["status", "--admin", nobody], /^there is no server at http/, /npx write-behind serve/],
    ["no server for send", ["send", "--port", "1", "PING"], /^there is no server at/, /npx write-behind serve/],
    ["a misspelt verb", ["sttus"], /unknown command 'sttus'/, /^npx write-behind status$/],
    ["a misspelt flag", ["status", "--jsn"], /unknown option '--jsn'/, /^npx write-behind status --json$/],
    ["a flag like no other", ["status", "--frob"], /unknown option '--frob'/, /^npx write-behind status --help$/],
    ["a misspelt flag of a verb's verb", ["dead", "retry", "--al"], /'--al'/, /^npx write-behind dead retry --all$/],
    ["no key", ["inspect"], /missing required argument 'key'/, /^npx write-behind inspect user:1:name$/],
    ["too many words", ["pause", "now"], /too many arguments/, /^npx write-behind pause$/],
    ["no value", ["serve", "--delay"], /argument missing/, /^npx write-behind serve --help$/],
    ["a bad value", ["serve", "--delay", "soon"], /--delay-ms is "soon", and must be a time/, /--help/],
    ["a value beyond its limits", ["serve", "--port", "70000"], /--port .*65,?535/, /--help/],
    ["a bad pace", ["status", "--watch", "--every", "1ms"], /--every .*must be/, /--watch --every 1s$/],
    ["no such database", ["serve", "--store", "oracle:x"], /no database of the kind oracle/, /--store sqlite:/],
    ["no Redis named", ["work", "--store", "postgres://h/d"], /--cache is missing/, /--cache redis:/],
    ["open to others", ["serve", "--host", "0.0.0.0"], /there is no password/, /./],
    ["no URL", ["status", "--admin", "nonsense"], /is no URL/, /--admin http/],
    ["no journal", ["check", "--data", "/nowhere"], /there is no journal in/, /--data DIR/],
    ["no ids", ["dead", "discard"], /name dead letters by their ids/, /dead list$/],
    ["quiz and commands", ["trace", "--quiz", "GET a"], /--quiz asks about/, /trace --quiz$/],
  ])("%s", async (_, args, what, remedy) => {
    const { err, out, code } = await run(args);
    const lines = err.trimEnd().split("\n");
    expect(lines.slice(0, -1).join("\n")).toMatch(what);
    expect(lines.at(-1)).toMatch(/^try: /);
    expect(lines.at(-1)?.slice("try: ".length)).toMatch(remedy);
    expect(out).toBe("");
    expect(code).not.toBe(0);
  });

  test("an unknown option in the file, with the nearest name", () =>
    inFolder(async (folder) => {
      const file = join(folder, "wb.yaml");
      await writeFile(file, "prot: 7000\n");
      const { err } = await run(["serve", "--config", file]);
      expect(err).toMatch(/prot.*did you mean port[^]*\ntry: .+\n$/);
    }));

  test("a port where something else answers", async () => {
    const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { err } = await run(["status", "--admin", `http://127.0.0.1:${port}`]);
    server.close();
    expect(err).toMatch(/answers, but is no write-behind\ntry: npx write-behind status --admin http/);
  });

  test(
    "the Redis port instead of the admin's, a folder in use, a port taken, a flush while paused, an unknown letter",
    onMachine(async (machine) => {
      const server = await machine.serve();
      const port = String(server.port);
      expect((await run(["status", "--admin", `http://127.0.0.1:${port}`])).err).toMatch(/\ntry: .*--admin/);
      const serve = ["serve", "--owner-wait-ms", "0", "--admin-port", "0", "--data"];
      const inUse = await run([...serve, machine.data, "--port", "0"]);
      expect(inUse.err).toMatch(/another process owns the folder[^]*\n?try: .+/);
      const taken = await run([...serve, `${machine.data}-2`, "--port", port]);
      expect(taken.err).toMatch(/taken[^]*\ntry: .*--port/);
      await server.ask("POST", "/api/pause");
      await send(server, ["SET", "k", "v"]);
      const asked = { WRITE_BEHIND_ADMIN: server.admin };
      expect((await run(["flush"], asked)).err).toMatch(/paused[^]*\ntry: npx write-behind resume\n$/);
      expect((await run(["dead", "show", "7"], asked)).err).toMatch(
        /no dead letter 7\ntry: npx write-behind dead list\n$/,
      );
      expect((await run(["dead", "retry", "7"], asked)).err).toMatch(/\ntry: .+\n$/);
    }),
  );
});

test("a database that refuses the password, which is not repeated", () =>
  inFolder(async (folder) => {
    const fields = 'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "shop"\0\0';
    const refusal = Buffer.alloc(5 + Buffer.byteLength(fields));
    refusal.write("E");
    refusal.writeInt32BE(refusal.length - 1, 1);
    refusal.write(fields, 5);
    const postgres = createSocketServer((socket) =>
      socket.on("error", () => {}).once("data", () => socket.end(refusal)),
    );
    postgres.listen(0, "127.0.0.1");
    await once(postgres, "listening");
    const { port } = postgres.address() as { port: number };
    const store = `postgres://shop:wrong-secret@127.0.0.1:${port}/shop`;
    const args = ["serve", "--port", "0", "--admin-port", "0", "--data", folder, "--store", store];
    const { err, code } = await run(args);
    postgres.close();
    expect(code).toBe(1);
    expect(err).toMatch(/password authentication failed[^]*\ntry: .+\n$/);
    expect(err).not.toContain("wrong-secret");
  }));
