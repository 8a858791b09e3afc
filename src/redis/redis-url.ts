/** Where a Redis is, as its URL says it. It connects to nothing. */
import { WriteBehindError } from "../errors.js";

/** Where a Redis is, and who comes. */
export interface RedisPlace {
  /** Host and port, or the path of a socket. */
  readonly at: { readonly host: string; readonly port: number } | { readonly path: string };
  /** What TLS is asked with, or null for a plain connection. */
  readonly tls: { readonly servername?: string } | null;
  readonly username: string | null;
  readonly password: string | null;
  /** The number of the database. */
  readonly db: number;
  /** For people: without user and password. */
  readonly shown: string;
}

const hint = 'for example "redis://user:password@host:6379/0", "rediss://…" for TLS, "redis+unix:///run/redis.sock"';
const socketUrl = /^redis\+unix:\/\/(?:([^@/]*)@)?(\/[^?#]+)(?:\?db=(\d{1,5}))?$/;

/** The place that a URL names. Throws CONFIG without repeating what may be a password. */
export function placeOf(url: string): RedisPlace {
  const socket = socketUrl.exec(url);
  if (socket !== null) return placeOfSocket(socket[1] ?? "", socket[2] as string, Number(socket[3] ?? "0"));
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) throw wrong("the cache needs the URL of a Redis or Valkey");
  const { protocol, hostname, port, pathname, username, password, search, hash } = new URL(url);
  if (!/^\/?\d{0,5}$/.test(pathname))
    throw wrong("what follows the host in the URL of a Redis is the database's number");
  if (search !== "" || hash !== "") throw wrong("the URL of a Redis takes no parameters");
  const host = hostname === "" ? "localhost" : hostname.replace(/^\[|\]$/g, "");
  const db = Number(pathname.slice(1));
  const number = port === "" ? 6379 : Number(port);
  const isAddress = /:|^[\d.]+$/.test(host);
  return {
    at: { host, port: number },
    tls: protocol === "redis:" ? null : { ...(!isAddress && { servername: host }) },
    username: decoded(username),
    password: decoded(password),
    db,
    shown: `${protocol}//${host.includes(":") ? `[${host}]` : host}:${number}${db === 0 ? "" : `/${db}`}`,
  };
}

/** A URL for people: without user and password. Throws CONFIG. */
export function shownUrl(url: string): string {
  return placeOf(url).shown;
}

function placeOfSocket(who: string, path: string, db: number): RedisPlace {
  const [username = "", ...rest] = who.split(":");
  return {
    at: { path: decoded(path) ?? "" },
    tls: null,
    username: decoded(username),
    password: decoded(rest.join(":")),
    db,
    shown: `redis+unix://${path}${db === 0 ? "" : `?db=${db}`}`,
  };
}

function decoded(text: string): string | null {
  if (text === "") return null;
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong("a % in the URL of a Redis begins two hexadecimal digits; a % in a password is written %25");
  }
}

function wrong(what: string): WriteBehindError {
  return new WriteBehindError("CONFIG", what, { hint });
}
