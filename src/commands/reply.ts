/**
 * What a command answers, before any protocol has written it down. Bulk strings, integers, null, arrays and maps are
 * plain JavaScript values, so that the common replies cost no object. Not the encoder: that is server/resp-encoder.ts.
 */
import type { Bytes } from "../bytes.js";
import type { ErrorCode, WriteBehindError } from "../errors.js";

/**
 * A reply: `Bytes` is a bulk string, a number or bigint an integer, a Map a map (RESP2: a flat array), the rest as the
 * names say.
 */
export type Reply =
  | Bytes
  | number
  | bigint
  | null
  | readonly Reply[]
  | ReadonlyMap<Bytes, Reply>
  | SimpleReply
  | ErrorReply
  | SetReply
  | TextReply
  | PairsReply
  | NullArrayReply;

/** A status line such as OK. */
export interface SimpleReply {
  readonly kind: "simple";
  readonly text: string;
}

/** An error. Its first word is the kind of error that clients look at. */
export interface ErrorReply {
  readonly kind: "error";
  readonly text: string;
}

/** A set (RESP2: an array). */
export interface SetReply {
  readonly kind: "set";
  readonly members: readonly Reply[];
}

/** Pairs (RESP3: an array of arrays of two; RESP2: a flat array). */
export interface PairsReply {
  readonly kind: "pairs";
  readonly pairs: readonly (readonly [Reply, Reply])[];
}

/** Text for people (RESP3: verbatim; RESP2: a bulk string). */
export interface TextReply {
  readonly kind: "text";
  readonly text: Bytes;
}

/** The null of an array (RESP3: null): a transaction that was not run. */
export interface NullArrayReply {
  readonly kind: "nullArray";
}

/** A status line. */
export function simple(text: string): SimpleReply {
  return { kind: "simple", text };
}

/** An error with its whole text, the first word included. */
export function failure(text: string): ErrorReply {
  return { kind: "error", text };
}

/** Whether a reply is an error. */
export function isError(reply: unknown): reply is ErrorReply {
  return typeof reply === "object" && reply !== null && (reply as { kind?: unknown }).kind === "error";
}

/** No reply at all: the connection ends instead. */
export const noReply: SimpleReply = simple("");
/** Done. */
export const ok: SimpleReply = simple("OK");
/** What a command answers after MULTI. */
export const queued: SimpleReply = simple("QUEUED");
/** Redis' error for options that do not fit. */
export const syntaxError: ErrorReply = failure("ERR syntax error");
/** Redis' error for text where an integer is needed. */
export const notAnInteger: ErrorReply = failure("ERR value is not an integer or out of range");
/** Redis' error for a string where a hash is needed, or the other way round. */
export const wrongType: ErrorReply = failure("WRONGTYPE Operation against a key holding the wrong kind of value");

/** Redis' error for a command with too few or too many arguments. `name` in lower case, `client|id` for a subcommand. */
export function wrongArity(name: string): ErrorReply {
  return failure(`ERR wrong number of arguments for '${name}' command`);
}

/** An argument as Redis' errors show it: up to its first zero byte, and not too long. */
export function shown(argument: Bytes, lengthMax = 128): string {
  const zero = argument.indexOf("\0");
  return argument.slice(0, zero < 0 ? lengthMax : Math.min(zero, lengthMax));
}

const prefixes: Partial<Record<ErrorCode, string>> = {
  QUEUE_FULL: "WBFULL",
  DISK_FULL: "WBDISK",
  STORE_DOWN: "WBSTORE",
  CACHE_DOWN: "WBCACHE",
  BAD_VALUE: "WBVALUE",
  CROSSSLOT: "CROSSSLOT",
};

/** An error of the library as clients see it: its prefix of the above, else -ERR, then its text. */
export function replyOfError(error: WriteBehindError): ErrorReply {
  if (error.code === "WRONG_TYPE") return wrongType;
  const hint = error.hint === null ? "" : ` (${error.hint})`;
  return failure(`${prefixes[error.code] ?? "ERR"} ${error.message}${hint}`);
}
