/** No secret in what the program writes or answers: everything that it says is kept and searched. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RespClient } from "../src/cli/resp-client.js";
import { run } from "./cli-process.js";
import { onMachine } from "./serve-machine.js";
import { authority, serverPair, tlsFiles } from "./tls-certificates.js";

const secrets = {
  password: "hunter2-of-the-clients",
  wrong: "hunter3-that-is-wrong",
  token: "hunter4-of-the-operators",
  key: serverPair.key.split("\n")[1] as string,
};

const commands = [
  ["AUTH", secrets.wrong],
  ["AUTH", "default", secrets.wrong],
  ["HELLO", "3", "AUTH", "default", secrets.wrong],
  ["AUTH", secrets.password],
  ["HELLO", "3", "AUTH", "default", secrets.password],
  ["INFO"],
  ["INFO", "everything"],
  ["CONFIG", "GET", "*"],
  ["CONFIG", "SET", "requirepass", secrets.password],
  ["CONFIG", "SET", "requirepass", secrets.wrong],
  ["CLIENT", "INFO"],
  ["CLIENT", "LIST"],
  ["COMMAND"],
];

test(
  "log, replies, INFO, CONFIG, status, metrics and errors",
  onMachine(async (machine) => {
    const { cert, key } = tlsFiles();
    const tls = ["--tls-cert", cert, "--tls-key", key];
    const server = await machine.serve(...tls, "--password", secrets.password, "--admin-token", secrets.token);
    const client = await RespClient.open("localhost", server.port, { ca: Buffer.from(authority) });
    const said: string[] = [];
    for (const command of commands) {
      const reply = await client.send(command);
      said.push(JSON.stringify(reply, (_, value: unknown) => (Buffer.isBuffer(value) ? value.toString() : value)));
      // A Buffer is JSON before the replacer sees it.
      if (reply.type === "bulk") said.push(reply.bytes.toString());
      if (reply.type === "map")
        for (const [, value] of reply.entries) if (value.type === "bulk") said.push(value.bytes.toString());
    }
    client.close();
    for (const path of ["/api/status", "/api/status?x", "/metrics", "/api/queue", "/api/nosuch", "/health/ready"]) {
      const answer = await fetch(server.admin + path, { headers: { authorization: `Bearer ${secrets.token}` } });
      said.push(await answer.text(), await (await fetch(server.admin + path)).text());
    }
    const send = ["send", "--port", String(server.port), "--host", "localhost", "--password", secrets.wrong];
    for (const flags of [[], ["--tls"], ["--tls", "--tls-ca", cert], ["--json"]]) {
      const { out, err } = await run([...send, ...flags, "PING"]);
      said.push(out, err);
    }
    const bad = await run(["serve", "--tls-cert", key, "--tls-key", cert, "--password", secrets.password]);
    said.push(bad.err, bad.out);
    await server.end("SIGTERM");
    said.push(server.errors, server.output);
    expect(said.length).toBeGreaterThan(30);
    expect(readFileSync(key, "utf8")).toContain(secrets.key);
    for (const [name, secret] of Object.entries(secrets))
      for (const text of said) expect([name, text.includes(secret) ? text : "not in it"]).toEqual([name, "not in it"]);
  }),
  60_000,
);
