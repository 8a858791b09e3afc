/** The port over TLS, with clients that must and must not show certificates, and certificates that are renewed. */
import { once } from "node:events";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { describe, expect, onTestFinished, test } from "vitest";
import { readTls } from "../src/cli/tls-files.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { run } from "./cli-process.js";
import { eventually, onMachine } from "./serve-machine.js";
import { command, RawClient, serve, until } from "./server-setup.js";
import { authority, clientPair, renewedPair, serverPair, tlsFiles, type Pair } from "./tls-certificates.js";

const material = ({ cert, key }: Pair, clientCa: string | null = null) => ({
  cert: Buffer.from(cert),
  key: Buffer.from(key),
  clientCa: clientCa === null ? null : Buffer.from(clientCa),
});

/** Connects and gives the socket, or the reason why not. */
async function greet(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", ca: authority, ...options });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  return socket;
}

/** What comes back up to the end of the connection. */
function talk(socket: TLSSocket, stream: string): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.end(stream);
  return new Promise((resolve) => {
    socket.on("close", () => resolve(text));
  });
}

describe("the server", () => {
  test("answers over TLS, pipelines and large values too; plain text gets nothing", async () => {
    const { heart, server, port } = await serve({}, { tls: material(serverPair) });
    const big = "\xff".repeat(3_000_000) as Bytes;
    heart.records.set(bytesOfText("big"), { content: big, expiresAt: null });
    const reply = await talk(await greet(port), command("SET", "a", "1") + command("GET", "a") + command("GET", "big"));
    expect(reply === `+OK\r\n$1\r\n1\r\n$3000000\r\n${big}\r\n`).toBe(true);
    const plain = new RawClient(port);
    plain.say("SET a 2", "GET a");
    await until(() => plain.ended || plain.closed);
    expect(plain.received).not.toContain("OK");
    expect(server.counters.connections).toBe(1);
  });

  test("the clients of npm", async () => {
    const { port } = await serve({ password: "secret" }, { tls: material(serverPair) });
    const ioredis = new Redis({ port, host: "127.0.0.1", password: "secret", tls: { ca: authority } });
    onTestFinished(() => ioredis.disconnect());
    expect(await ioredis.set("a", "1")).toBe("OK");
    const node = createClient({
      url: `rediss://default:secret@localhost:${port}`,
      socket: { host: "127.0.0.1", port, tls: true, ca: authority },
    });
    await node.connect();
    expect(await node.get("a")).toBe("1");
    node.destroy();
  });

  test("where an authority of clients is named, only they are served", async () => {
    const { server, port } = await serve({}, { tls: material(serverPair, authority) });
    const stranger = await greet(port).then(
      (socket) => talk(socket, command("PING")),
      () => "",
    );
    expect(stranger).toBe("");
    expect(await talk(await greet(port, clientPair), command("PING"))).toBe("+PONG\r\n");
    expect(server.counters.connections).toBe(1);
  });

  test("a renewed certificate greets later clients; those there live on", async () => {
    const { server, port } = await serve({}, { tls: material(serverPair) });
    const before = await greet(port);
    server.renewTls(material(renewedPair));
    const after = await greet(port);
    expect([before, after].map((socket) => socket.getPeerCertificate().subject.CN)).toEqual(["server", "renewed"]);
    expect(await talk(before, command("PING"))).toBe("+PONG\r\n");
  });
});

describe("its files", () => {
  const options = (tlsCert: string, tlsKey: string, tlsClientCa: string | null = null) =>
    readTls({ tlsCert, tlsKey, tlsClientCa });

  test("what is wrong with them names the file, the flag and what to do, and shows nothing of the key", () => {
    const { folder, ca, cert, key, clientKey } = tlsFiles();
    const empty = join(folder, "empty.pem");
    writeFileSync(empty, "");
    const locked = join(folder, "locked.pem");
    writeFileSync(locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    expect(options(cert, key, ca)).toMatchObject({ clientCa: Buffer.from(authority) });
    const wrong: readonly (readonly [() => unknown, string])[] = [
      [() => options(`${cert}x`, key), `--tls-cert: the file ${cert}x cannot be read (ENOENT)`],
      [() => options(cert, folder), `--tls-key: the file ${folder} cannot be read (EISDIR)`],
      [() => options(empty, key), `--tls-cert: ${empty} holds no certificate`],
      [() => options(cert, empty), `--tls-key: ${empty} holds no private key`],
      [() => options(cert, cert), `--tls-key: ${cert} holds no private key`],
      [() => options(cert, locked), `--tls-key: the key in ${locked} is locked with a passphrase`],
      [
        () => options(cert, clientKey),
        `--tls-key: the key in ${clientKey} is not the one of the certificate in ${cert}`,
      ],
      [() => options(cert, key, empty), `--tls-client-ca: ${empty} holds no certificate`],
    ];
    for (const [work, message] of wrong) expect(work).toThrow(message);
  });
});

describe("the program", () => {
  test(
    "serve and send over TLS; SIGHUP reads the files again, and keeps the old ones where the new are wrong",
    onMachine(async (machine) => {
      const files = tlsFiles();
      const server = await machine.serve("--tls-cert", files.cert, "--tls-key", files.key, "--tls-client-ca", files.ca);
      const send = (...flags: string[]) =>
        run(["send", "--port", String(server.port), "--host", "localhost", ...flags, "PING"]);
      const trusted = ["--tls", "--tls-ca", files.ca];
      const own = ["--tls-cert", files.clientCert, "--tls-key", files.clientKey];
      expect(await send(...trusted, ...own)).toMatchObject({ code: 0, out: "PONG\n" });
      const untrusted = await send("--tls", ...own);
      expect(untrusted).toMatchObject({ code: 1 });
      expect(untrusted.err).toContain("--tls-ca FILE names the authority");
      expect((await send(...trusted)).code).toBe(1);
      expect((await send("--tls-ca", files.ca)).code).toBe(2);

      const named = async (): Promise<string> =>
        (await greet(server.port, clientPair)).getPeerCertificate().subject.CN as string;
      writeFileSync(files.cert, renewedPair.cert);
      server.hangUp();
      await expect.poll(() => server.errors, eventually).toContain("the certificate was not renewed");
      expect(await named()).toBe("server");
      writeFileSync(files.key, renewedPair.key);
      server.hangUp();
      await expect.poll(() => server.errors, eventually).toContain("the certificate was read again");
      expect(await named()).toBe("renewed");
      copyFileSync(files.clientKey, files.key);
    }),
    60_000,
  );

  test("flags that do not fit are said at the start", async () => {
    const { cert, key } = tlsFiles();
    const without = await run(["serve", "--tls-cert", cert]);
    expect(without).toMatchObject({ code: 2 });
    expect(without.err).toContain("--tls-cert needs tlsKey; set --tls-key FILE or WRITE_BEHIND_TLS_KEY");
    const clients = await run(["serve", "--tls-client-ca", cert]);
    expect(clients.err).toContain("--tls-client-ca needs tlsCert; set --tls-cert FILE");
    const missing = await run(["serve", "--tls-cert", `${cert}x`, "--tls-key", key]);
    expect(missing).toMatchObject({ code: 2 });
    expect(missing.err).toContain("try: name a file in the form PEM: --tls-cert FILE");
  });
});
