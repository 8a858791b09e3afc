/**
 * The admin port while the server starts: a journal may take long to read, and a first start waits for the database.
 * Whoever watches the process must see that it lives, and why it is not ready. It answers nothing else; admin.ts takes
 * its place on the same port.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Options } from "../options.js";
import { refusal } from "./guard.js";

/** What listens while it starts. */
export interface Starting {
  /** Frees the port. */
  close(): Promise<void>;
}

/**
 * Listens. `reason` says why it has not started yet. Null where nobody can listen there now: the old process of a
 * rolling restart still may, and admin.ts says so if it is somebody else.
 */
export async function listenWhileStarting(
  { host, adminPort, adminToken }: Pick<Options, "host" | "adminPort" | "adminToken">,
  reason: () => string,
): Promise<Starting | null> {
  // Nobody knows a port that is not chosen yet.
  if (adminPort === 0) return null;
  const server = createServer((request, response) => answer(request, response, host, adminToken, reason()));
  const listens = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(adminPort, host, () => resolve(true));
  });
  if (!listens) return null;
  return {
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  host: string,
  token: string | null,
  reason: string,
): void {
  const { headers, method = "GET" } = request;
  const path = (request.url ?? "/").split("?", 1)[0] as string;
  const { origin, authorization } = headers;
  const asked = { method, path, host: headers.host, origin, authorization, contentType: headers["content-type"] };
  const refused = refusal(asked, host, token);
  if (refused !== null) {
    const { status, code, message, hint } = refused;
    send(response, status, { error: { code, message, hint } });
  } else if (path === "/health/live") send(response, 200, { live: true });
  else if (path === "/health/ready") send(response, 503, { ready: false, state: "starting", reason });
  else {
    const error = { code: "STARTING", message: `the server is starting: ${reason}`, hint: "ask again in a moment" };
    send(response, 503, { error });
  }
}

function send(response: ServerResponse, status: number, json: unknown): void {
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store", Connection: "close" };
  response.writeHead(status, headers).end(JSON.stringify(json));
}
