/**
 * Who may talk to the admin API. Pure. Loopback is not enough by itself: any web page that a person opens can make
 * their browser send requests to it. So the Host is checked (a page that rebinds its own name to 127.0.0.1), the
 * Origin (a page that sends a form), and POST must be JSON (which a page of another origin may not send unasked).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { isLoopback } from "../options-resolve.js";
import { isOfPage } from "./page-files.js";

/** What of a request decides. Absent headers are undefined. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
}

/** A refusal: HTTP status and what goes into the JSON. */
export interface Refusal {
  readonly status: 401 | 403 | 415;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** Decides whether a request may go on; null: it may. `name` is the address that is listened on. */
export function refusal(asked: Asked, name: string, token: string | null): Refusal | null {
  const open = asked.path.startsWith("/health/") || isOfPage(asked.path);
  if (token !== null && !open && !carries(asked.authorization, token)) {
    return {
      status: 401,
      code: "UNAUTHORIZED",
      message: "this needs the admin token",
      hint: "send the header Authorization: Bearer TOKEN",
    };
  }
  // Whoever has the token is no rebound page, and may come by whatever name the network gives this machine.
  if (token === null && !isOwnName(asked.host, name)) {
    return {
      status: 403,
      code: "FORBIDDEN",
      message: `the Host ${JSON.stringify(asked.host ?? "")} is not this server`,
      hint: "use localhost or the IP address, or set --admin-token",
    };
  }
  if (asked.origin !== undefined && !sameHost(asked.origin, asked.host)) {
    return {
      status: 403,
      code: "FORBIDDEN",
      message: "a page of another origin may not use the admin API",
      hint: "call it from its own page, or not from a browser",
    };
  }
  if (asked.method === "POST" && !/^application\/json\s*(;|$)/i.test(asked.contentType ?? "")) {
    return {
      status: 415,
      code: "UNSUPPORTED_MEDIA_TYPE",
      message: "POST takes JSON only",
      hint: "send the header Content-Type: application/json",
    };
  }
  return null;
}

/** Whether the header carries the token. Takes the same time wherever they differ. */
function carries(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer +(.*)$/i.exec(authorization ?? "")?.[1] ?? "";
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** An IP address cannot be rebound; of names only our own will do. */
function isOwnName(host: string | undefined, name: string): boolean {
  const hostname = hostnameOf(host ?? "");
  return hostname !== null && (isIP(hostname) !== 0 || isLoopback(hostname) || hostname === name.toLowerCase());
}

function hostnameOf(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:@/\\\s]+))(?::\d{1,5})?$/i.exec(host);
  return match === null ? null : ((match[1] ?? match[2]) as string).toLowerCase();
}

function sameHost(origin: string, host: string | undefined): boolean {
  try {
    const url = new URL(origin);
    return (
      /^https?:$/.test(url.protocol) && host !== undefined && url.host === new URL(`${url.protocol}//${host}`).host
    );
  } catch {
    return false;
  }
}
