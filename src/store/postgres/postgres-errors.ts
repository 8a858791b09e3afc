/**
 * What PostgreSQL's SQLSTATEs and a network's errors mean for the writer: the only place in the project that knows
 * them. Source of the codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
import { StoreError, storeErrorKind, type StoreErrorKind } from "../store.js";
import { PipelineError } from "./postgres-connection.js";

/** What an error means. */
export interface Meaning {
  readonly kind: StoreErrorKind;
  /** For people: what is the matter with the database. */
  readonly what: string;
  readonly blamesBatch?: boolean;
  readonly away?: boolean;
  readonly missesRow?: boolean;
  /** The connection is not to be used again. */
  readonly spoils?: boolean;
}

const refuses: Meaning = { kind: "refused", what: "refuses a row" };
const refusesValue: Meaning = { kind: "refused", what: "refuses a value" };
const lost: Meaning = { kind: "retryable", what: "broke off the connection", blamesBatch: true, spoils: true };
const pooler = "does not know a prepared statement: a pooler that lends connections needs ?prepare=false in the URL";

/**
 * By SQLSTATE, or by its class (the first two characters). One that is not here is `broken`: repeating what is not
 * understood mends nothing.
 */
export const meanings: Readonly<Record<string, Meaning>> = {
  "0A000": { kind: "broken", what: "does not do what is asked, or a table has changed since" },
  "08": { kind: "retryable", what: "cannot be spoken to", spoils: true },
  "21": { kind: "broken", what: "does not understand a statement" },
  "22": refusesValue,
  "23": refuses,
  "23503": { ...refuses, missesRow: true },
  "25006": { kind: "retryable", what: "takes no writes: it is read-only, or a standby", spoils: true },
  "25P03": { kind: "retryable", what: "ended a transaction that stood still", spoils: true },
  "25P04": { kind: "retryable", what: "ended a transaction that took too long", blamesBatch: true, spoils: true },
  "26000": { kind: "broken", what: pooler, spoils: true },
  "27": refuses,
  "28": { kind: "broken", what: "does not let this user in", spoils: true },
  "38": refuses,
  "39": refuses,
  "3D000": { kind: "broken", what: "does not exist", spoils: true },
  "3F000": { kind: "broken", what: "has no such schema" },
  "40": { kind: "retryable", what: "gave up the transaction" },
  "40001": { kind: "retryable", what: "gave up the transaction: another one changed the same rows" },
  "40P01": { kind: "retryable", what: "gave up the transaction: a deadlock" },
  "42": { kind: "broken", what: "does not understand a statement: a table or column is missing or of another shape" },
  "42501": { kind: "broken", what: "does not give this user a right that is needed" },
  "42703": { kind: "broken", what: "has a table without a column that is needed" },
  "42P01": { kind: "broken", what: "has not a table that is needed" },
  "42P05": { kind: "broken", what: pooler, spoils: true },
  "44000": refuses,
  "53": { kind: "retryable", what: "is short of something" },
  "53100": { kind: "retryable", what: "cannot grow: the disk is full" },
  "53200": { kind: "retryable", what: "is short of memory", blamesBatch: true },
  "53300": { kind: "retryable", what: "has too many connections", spoils: true },
  "54": { kind: "refused", what: "refuses what is too large" },
  "55": { kind: "retryable", what: "cannot do that now" },
  "55P03": { kind: "retryable", what: "has locks on rows that are needed" },
  "57014": { kind: "retryable", what: "cancelled a statement that took too long", blamesBatch: true },
  "57P01": { ...lost, what: "ended the connection (by an administrator, or it is being stopped)" },
  "57P02": { ...lost, what: "has crashed and is starting again" },
  "57P03": { kind: "retryable", what: "is starting or stopping", spoils: true },
  "57P04": { kind: "broken", what: "was dropped", spoils: true },
  "57P05": { kind: "retryable", what: "ended a session that was idle", spoils: true },
  "58": { kind: "retryable", what: "cannot be read or written: the system reports an error" },
  P0: { kind: "refused", what: "refuses a row: a trigger says so" },
  XX000: { kind: "retryable", what: "reports an internal error", blamesBatch: true, spoils: true },
  XX001: { kind: "broken", what: "is damaged" },
  XX002: { kind: "broken", what: "is damaged" },
};

/** By the code of a system error. */
const networkMeanings: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: { kind: "retryable", what: "cannot be reached: nobody listens there" },
  ENOENT: { kind: "retryable", what: "cannot be reached: its socket is not there" },
  ECONNRESET: lost,
  EPIPE: lost,
  ETIMEDOUT: lost,
  EHOSTUNREACH: { kind: "retryable", what: "cannot be reached: there is no way to its host" },
  ENETUNREACH: { kind: "retryable", what: "cannot be reached: there is no way to its network" },
  EAI_AGAIN: { kind: "retryable", what: "cannot be reached: its name cannot be looked up now" },
  ENOTFOUND: { kind: "broken", what: "cannot be reached: there is no host of that name", away: true },
};

/** By what the driver says where it has no code. */
const driverMeanings: readonly (readonly [RegExp, Meaning])[] = [
  [/timeout expired|connection timeout|timeout exceeded/i, { kind: "retryable", what: "does not answer" }],
  [/terminated|not queryable|connection error|was closed/i, lost],
  [/SSL|certificate|SASL|password/i, { kind: "broken", what: "cannot be connected to as the URL says" }],
];

/** The SQLSTATE of a server's error; null where it is none. */
export function sqlStateOf(error: unknown): string | null {
  const found = error instanceof PipelineError ? error.cause : error;
  const isServers = found instanceof Error && "severity" in found && "code" in found;
  return isServers && typeof found.code === "string" ? found.code : null;
}

/** What the driver's or the server's error means; null where it is neither (a fault of our own). */
export function meaningOf(error: unknown): Meaning | null {
  const found = error instanceof PipelineError ? error.cause : error;
  const state = sqlStateOf(found);
  if (state !== null) return meanings[state] ?? meanings[state.slice(0, 2)] ?? { kind: "broken", what: "failed" };
  if (!(found instanceof Error)) return null;
  // A name with several addresses fails with the errors of all of them.
  const first: unknown = found instanceof AggregateError ? (found.errors as unknown[])[0] : found;
  const code = first instanceof Error && "code" in first && typeof first.code === "string" ? first.code : "";
  if (code in networkMeanings) return networkMeanings[code] as Meaning;
  if (/^(ERR_TLS|ERR_SSL|CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code))
    return { kind: "broken", what: "shows a certificate that is not trusted" };
  if (!(error instanceof PipelineError) && !isDrivers(found)) return null;
  return driverMeanings.find(([pattern]) => pattern.test(found.message))?.[1] ?? null;
}

/** The classified form of an error; anything else (a fault of our own) is given back as it is. */
export function storeErrorOf(error: unknown, place: string): unknown {
  if (storeErrorKind(error) !== null) return error;
  const found = error instanceof PipelineError ? error.cause : error;
  const meaning = meaningOf(error);
  if (meaning === null) return found;
  const { kind, what, blamesBatch = false, away = false, missesRow = false } = meaning;
  const said = found instanceof AggregateError ? found.errors.map(String).join(", ") : (found as Error).message;
  return new StoreError(kind, `the database ${place} ${what} (${said})`, found, { blamesBatch, away, missesRow });
}

/** Whether the connection is to be made anew after this error. */
export function spoilsConnection(error: unknown): boolean {
  return meaningOf(error)?.spoils === true;
}

/** Whether the server says that a statement names a table that is not there. */
export function isMissingTable(error: unknown): boolean {
  return ["42P01", "3F000"].includes(sqlStateOf(error) ?? "");
}

/** Whether a statement was prepared before somebody changed a table: made anew, it may pass. */
export function isStalePlan(error: unknown): boolean {
  return sqlStateOf(error) === "0A000";
}

/** What the driver throws by itself has no code and no class of its own. */
function isDrivers(error: Error): boolean {
  return error.constructor === Error;
}
