/**
 * `write-behind send COMMAND …`: speaks the Redis protocol and prints as redis-cli does, since a fresh machine has
 * none. Without a command it is a prompt; lines that are piped in are run one after the other.
 */
import { createInterface, type Interface } from "node:readline";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes, type ExitCode } from "./exit.js";
import { formatForTerminal, formatRaw, splitLine } from "./redis-format.js";
import { RespClient, type ClientTls } from "./resp-client.js";
import { readCa, readPair } from "./tls-files.js";
import type { Options } from "../options.js";
import type { RespReply } from "./resp-reply.js";

/** Runs the verb: one command, or a prompt. An error as reply is `failed`. */
export async function send(args: readonly string[], flags: Flags): Promise<ExitCode> {
  const options = someOptions(flags, ["host", "port", "password", "tlsCert", "tlsKey"]);
  const host = options.host === "0.0.0.0" ? "127.0.0.1" : options.host;
  const place = `${host}:${options.port}`;
  const client = await connect(host, options.port, options.password, place, clientTls(flags, options));
  const json = flags["json"] === true;
  try {
    if (args.length === 0) return await prompt(client, place, json);
    return await run(client, args, json);
  } finally {
    client.close();
  }
}

/** What --tls stands for; null without it. */
function clientTls(flags: Flags, { tlsCert, tlsKey }: Pick<Options, "tlsCert" | "tlsKey">): ClientTls | null {
  const ca = flags["tlsCa"];
  if (flags["tls"] !== true) {
    if (ca === undefined) return null;
    throw new CliError(exitCodes.usage, "--tls-ca means nothing without --tls", "the same command with --tls");
  }
  return {
    ...(typeof ca === "string" ? { ca: readCa("--tls-ca", ca) } : {}),
    ...(tlsCert !== null && tlsKey !== null ? readPair(tlsCert, tlsKey) : {}),
  };
}

async function connect(
  host: string,
  port: number,
  password: string | null,
  place: string,
  tls: ClientTls | null,
): Promise<RespClient> {
  let client: RespClient;
  try {
    client = await RespClient.open(host, port, tls);
  } catch (error) {
    const { code, message, syscall } = error as NodeJS.ErrnoException;
    if (tls !== null && syscall !== "connect") throw notTrusted(place, code ?? message, message);
    const why = code ?? String(error);
    throw new CliError(
      exitCodes.noServer,
      `there is no server at ${place} (${why})`,
      "npx write-behind serve, which starts one, or say where it is: --host HOST --port PORT",
    );
  }
  if (password === null) return client;
  const reply = await client.send(["AUTH", password]);
  if (reply.type !== "error") return client;
  client.close();
  throw new CliError(
    exitCodes.failed,
    `${place} refuses the password: ${reply.text}`,
    "the same command with --password PASSWORD, or with WRITE_BEHIND_PASSWORD set",
  );
}

function notTrusted(place: string, code: string, message: string): CliError {
  const hint = /CERT|SIGNATURE|ISSUER|ALTNAME/.test(code)
    ? "--tls-ca FILE names the authority that has signed the certificate; --host must be a name in it"
    : "the server may not speak TLS (leave --tls out), or demand a certificate (--tls-cert FILE --tls-key FILE)";
  return new CliError(exitCodes.failed, `no TLS with ${place}: ${message} (${code})`, hint);
}

async function run(client: RespClient, args: readonly (string | Buffer)[], json: boolean): Promise<ExitCode> {
  const reply = await replyOf(client, args);
  process.stdout.write(
    json ? `${JSON.stringify(jsonOf(reply))}\n` : process.stdout.isTTY ? formatForTerminal(reply) : formatRaw(reply),
  );
  return reply.type === "error" ? exitCodes.failed : exitCodes.done;
}

async function replyOf(client: RespClient, args: readonly (string | Buffer)[]): Promise<RespReply> {
  try {
    return await client.send(args);
  } catch (error) {
    throw new CliError(
      exitCodes.failed,
      `no reply: ${(error as Error).message}`,
      "whether a write was done is not known; read it after the server is back",
    );
  }
}

async function prompt(client: RespClient, place: string, json: boolean): Promise<ExitCode> {
  const terminal = process.stdin.isTTY;
  const lines = createInterface({ input: process.stdin, output: terminal ? process.stdout : undefined, terminal });
  let inTransaction = false;
  let worst: ExitCode = exitCodes.done;
  for await (const line of linesOf(lines, () => (terminal ? `${place}${inTransaction ? "(TX)" : ""}> ` : ""))) {
    const args = splitLine(line);
    const name = args?.[0]?.toString().toLowerCase();
    if (args === null) process.stdout.write("Invalid argument(s)\n");
    if (args === null || name === undefined) continue;
    if (name === "quit" || name === "exit") break;
    const exit = await run(client, args, json);
    if (exit === exitCodes.done && name === "multi") inTransaction = true;
    if (name === "exec" || name === "discard") inTransaction = false;
    // At a prompt the person has seen the error; a script wants to know.
    if (!terminal && exit !== exitCodes.done) worst = exit;
  }
  lines.close();
  return worst;
}

async function* linesOf(lines: Interface, text: () => string): AsyncGenerator<string> {
  const show = (): void => {
    lines.setPrompt(text());
    if (text() !== "") lines.prompt();
  };
  show();
  for await (const line of lines) {
    yield line;
    show();
  }
  if (text() !== "") process.stdout.write("\n");
}

/** An error of the Redis protocol begins with its code in capitals: `WRONGTYPE Operation against …`. */
function jsonOfError(text: string): { code: string; message: string; hint: null } {
  const [, code = "ERR", message = text] = /^([A-Z]+) (.*)$/s.exec(text) ?? [];
  return { code, message, hint: null };
}

function jsonOf(reply: RespReply): unknown {
  switch (reply.type) {
    case "bulk": {
      const text = reply.bytes.toString("utf8");
      return Buffer.from(text, "utf8").equals(reply.bytes) ? text : { base64: reply.bytes.toString("base64") };
    }
    case "null":
      return null;
    case "boolean":
      return reply.value;
    case "integer":
    case "double":
      return Number.isSafeInteger(Number(reply.text)) || reply.type === "double" ? Number(reply.text) : reply.text;
    case "error":
      return { error: jsonOfError(reply.text) };
    case "map":
      return reply.entries.map(([key, value]) => [jsonOf(key), jsonOf(value)]);
    case "simple":
    case "big":
      return reply.text;
    default:
      return reply.items.map(jsonOf);
  }
}
