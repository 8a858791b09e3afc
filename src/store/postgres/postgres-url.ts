/**
 * Where a PostgreSQL database is, and how its sessions are: the URL and the options of `postgres(…)`, checked. Nobody
 * is shown the URL: it may hold a password.
 */
import { WriteBehindError } from "../../errors.js";

/** TLS towards the database, where `sslmode` in the URL does not say enough. Certificates and keys are PEM text. */
export interface PostgresTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  /** False trusts any certificate: what travels can then be read by who stands between. */
  readonly rejectUnauthorized?: boolean;
}

/** Beyond the URL. */
export interface PostgresOptions {
  /** The schema of the own tables, made where it is missing. Left out: as the session's `search_path` says. */
  readonly ownSchema?: string;
  /** False: the own tables must be there already (`ownTablesSql` is what makes them). Default true. */
  readonly createTables?: boolean;
  readonly tls?: boolean | PostgresTls;
}

/** What travels to the threads that make the store. */
export interface PostgresDescription extends PostgresOptions {
  readonly url: string;
}

/** How long the server, and this side, wait. Milliseconds. */
export interface Timeouts {
  readonly connectMs: number;
  readonly statementMs: number;
  readonly lockMs: number;
  /** How long an `open` waits for another process of ours that holds a lock before it ends that one's session. */
  readonly takeoverMs: number;
  readonly idleInTransactionMs: number;
}

/** A database, ready to be connected to. */
export interface PostgresPlace {
  /** For the driver; with the password. */
  readonly connectionString: string;
  readonly tls: boolean | PostgresTls | undefined;
  /** For people: without user and password. */
  readonly shown: string;
  /** Whether statements are prepared: not through a pooler that lends a connection for one transaction. */
  readonly prepare: boolean;
  readonly schema: string | null;
  readonly createTables: boolean;
  readonly timeouts: Timeouts;
}

const example = 'postgres("postgres://user:password@host:5432/database")';

/** Parameters of the URL that are ours alone. */
const ours = ["prepare", "own_schema", "create_tables"] as const;

/** Parameters that are ours or that we understand before the driver does. Times are milliseconds. */
const timeoutDefaults = {
  connect_timeout: 10_000,
  statement_timeout: 60_000,
  lock_timeout: 10_000,
  idle_in_transaction_session_timeout: 10_000,
} as const;

/** A description, checked. Throws CONFIG without repeating what may be a password. */
export function placeOf(described: unknown): PostgresPlace {
  const { url, tls, ...options } = described as PostgresDescription;
  const parsed = urlOf(url);
  const ownSchema = options.ownSchema ?? parsed.searchParams.get("own_schema") ?? undefined;
  const createTables = options.createTables ?? flagOf(parsed, "create_tables");
  const isSchema = ownSchema === undefined || (typeof ownSchema === "string" && /^[^\0]{1,63}$/.test(ownSchema));
  if (!isSchema) throw wrong("`ownSchema` is no name of a schema");
  if (typeof createTables !== "boolean") throw wrong("`createTables` is true or false");
  const lockMs = timeoutOf(parsed, "lock_timeout");
  const timeouts = {
    connectMs: timeoutOf(parsed, "connect_timeout"),
    statementMs: timeoutOf(parsed, "statement_timeout"),
    lockMs,
    takeoverMs: Math.ceil(lockMs / 2),
    idleInTransactionMs: timeoutOf(parsed, "idle_in_transaction_session_timeout"),
  };
  const prepare = flagOf(parsed, "prepare");
  const shown = shownOf(parsed);
  for (const name of [...Object.keys(timeoutDefaults), ...ours]) parsed.searchParams.delete(name);
  const schema = ownSchema ?? null;
  return { connectionString: parsed.href, tls, shown, prepare, schema, createTables, timeouts };
}

function urlOf(url: unknown): URL {
  if (typeof url !== "string" || !/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url))
    throw wrong("postgres() needs the URL of a database");
  return new URL(url);
}

/** A URL for people: without user, password and parameters. Throws CONFIG. */
export function shownUrl(url: string): string {
  return shownOf(urlOf(url));
}

function shownOf({ hostname, port, pathname, searchParams }: URL): string {
  const host = searchParams.get("host") ?? (hostname === "" ? "localhost" : hostname);
  return `postgres://${host}:${port === "" ? "5432" : port}${pathname === "/" ? "" : pathname}`;
}

/** True unless the URL says otherwise. */
function flagOf(url: URL, name: (typeof ours)[number]): boolean {
  const text = url.searchParams.get(name) ?? "true";
  if (text !== "true" && text !== "false") throw wrong(`\`${name}\` in the URL is true or false`);
  return text === "true";
}

/** As in libpq, `connect_timeout` is in seconds; the others are settings of the server, in milliseconds. */
function timeoutOf(url: URL, name: keyof typeof timeoutDefaults): number {
  const text = url.searchParams.get(name);
  if (text === null) return timeoutDefaults[name];
  const number = Number(text);
  const isWhole = /^\d{1,7}$/.test(text) && number > 0;
  if (!isWhole) throw wrong(`\`${name}\` in the URL is a whole number`);
  return name === "connect_timeout" ? number * 1000 : number;
}

function wrong(what: string): WriteBehindError {
  return new WriteBehindError("CONFIG", what, { hint: example });
}
