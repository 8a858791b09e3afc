/**
 * What the verbs that ask use: the admin API of a running server, from the other side, or a fleet through its Redis,
 * without any server (fleet-client.ts). Both give the same JSON.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes, notDone } from "./exit.js";

/** Asks, and gives the JSON. Throws CliError: `noServer` where there is nobody to be asked, else `failed`. */
export async function ask(flags: Flags, method: "GET" | "POST", path: string, body: unknown = {}): Promise<unknown> {
  const cache = cacheToAsk(flags);
  if (cache === null) return askAdmin(flags, method, path, body);
  const { askFleet } = await import("./fleet-client.js");
  return askFleet(cache, flags, method, path, body);
}

/**
 * Where a Redis is to be asked; null: the admin API. What was said last counts: a flag more than a variable or a
 * file.
 */
function cacheToAsk(flags: Flags): string | null {
  if (flags["admin"] !== undefined) return null;
  if (flags["cache"] === undefined && process.env["WRITE_BEHIND_ADMIN"] !== undefined) return null;
  return someOptions(flags, ["cache"]).cache;
}

async function askAdmin(flags: Flags, method: "GET" | "POST", path: string, body: unknown): Promise<unknown> {
  const { adminPort, adminToken } = someOptions(flags, ["adminPort", "adminToken"]);
  const url = adminUrl(flags["admin"] ?? process.env["WRITE_BEHIND_ADMIN"] ?? `http://127.0.0.1:${adminPort}`, path);
  const headers = {
    ...(method === "POST" ? { "content-type": "application/json" } : {}),
    ...(adminToken === null ? {} : { authorization: `Bearer ${adminToken}` }),
  };
  const { status, text } = await send(url, method, headers, method === "POST" ? JSON.stringify(body) : "");
  const json = jsonOf(text);
  if (json === undefined)
    throw new CliError(
      exitCodes.failed,
      `${url.origin} answers, but is no write-behind`,
      "npx write-behind status --admin http://127.0.0.1:8380, or where the admin API of the server is",
    );
  if (status >= 200 && status < 300) return json;
  throw failureOf(status, json, url);
}

function adminUrl(given: unknown, path: string): URL {
  const base = typeof given === "string" && URL.canParse(given) ? new URL(given) : null;
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new CliError(
      exitCodes.usage,
      `${JSON.stringify(given)} is no URL of an admin API`,
      "for example --admin http://127.0.0.1:8380",
    );
  }
  return new URL(`${base.pathname.replace(/\/$/, "")}${path}`, base);
}

function send(
  url: URL,
  method: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = call(
      url,
      { method, headers: { ...headers, "content-length": Buffer.byteLength(body) } },
      (response: IncomingMessage) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString("utf8") }),
        );
      },
    );
    request.on("error", (error: NodeJS.ErrnoException) => reject(unreachable(error, url)));
    request.end(body);
  });
}

function unreachable(error: NodeJS.ErrnoException, url: URL): CliError {
  const cut = error.code === "ECONNRESET" || error.code === "EPIPE";
  if (cut)
    return new CliError(
      exitCodes.failed,
      `the server at ${url.origin} went away before it answered`,
      "npx write-behind status; --admin takes the port of the admin API, not that of the Redis protocol",
    );
  return new CliError(
    exitCodes.noServer,
    `there is no server at ${url.origin} (${error.code ?? error.message})`,
    "npx write-behind serve, which starts one, or say where it is: --admin URL",
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failureOf(status: number, json: unknown, url: URL): CliError {
  const { error } = json as { error?: { code?: unknown; message?: unknown; hint?: unknown } };
  const code = typeof error?.code === "string" ? error.code : undefined;
  const message = typeof error?.message === "string" ? error.message : `${url.origin} answers ${status}`;
  const hint = typeof error?.hint === "string" ? error.hint : null;
  if (status === 401)
    return new CliError(
      exitCodes.failed,
      message,
      "the same command with --admin-token TOKEN, or with WRITE_BEHIND_ADMIN_TOKEN set",
      code,
    );
  return notDone(code, message, hint);
}
