/**
 * What the errors of a Redis and of the way to it mean for us: the only place in the project that knows them. Nothing
 * here keeps an error of the driver: it carries the command's arguments, a password among them.
 */
import { WriteBehindError, type ErrorCode } from "../errors.js";

interface Meaning {
  readonly code: ErrorCode;
  /** What is the matter with the Redis, after "the Redis at …". */
  readonly what: string;
  readonly hint: string;
}

const later = "write again later; nothing else is to be done here";

/** By the first word of an error reply. Every one of these is said before a command or script has written anything. */
const meanings: Readonly<Record<string, Meaning>> = {
  NOAUTH: {
    code: "CONFIG",
    what: "asks for a password",
    hint: "put it into the URL: redis://user:password@host:6379",
  },
  WRONGPASS: {
    code: "CONFIG",
    what: "does not let this user in",
    hint: "correct user and password in the URL; `ACL GETUSER NAME` says whether the user is on",
  },
  NOPERM: {
    code: "CONFIG",
    what: "does not give this user a right that is needed",
    hint: "give it with `ACL SETUSER NAME …`; `ACL LOG` says which one is missing",
  },
  OOM: {
    code: "QUEUE_FULL",
    what: "is full (maxmemory): nothing was written",
    hint: "see why the database does not keep up, or raise it: `CONFIG SET maxmemory …`",
  },
  MISCONF: {
    code: "DISK_FULL",
    what: "cannot write its files to disk: nothing was written",
    hint: "make room on the Redis' disk; its log says what failed, and it goes on by itself",
  },
  READONLY: {
    code: "CACHE_DOWN",
    what: "is a replica and takes no writes: nothing was written",
    hint: "name the primary in the URL",
  },
  LOADING: { code: "CACHE_DOWN", what: "is loading its data: nothing was written", hint: later },
  MASTERDOWN: {
    code: "CACHE_DOWN",
    what: "is a replica without its primary: nothing was written",
    hint: "name the primary in the URL",
  },
  BUSY: {
    code: "CACHE_DOWN",
    what: "is busy with somebody's script: nothing was written",
    hint: "`SCRIPT KILL` ends a script that has not written",
  },
  TRYAGAIN: { code: "CACHE_DOWN", what: "cannot do that now: nothing was written", hint: later },
  NOREPLICAS: {
    code: "CACHE_DOWN",
    what: "has not enough good replicas (min-replicas-to-write): nothing was written",
    hint: "see why the replicas lag",
  },
};

/** By the code of a system error. */
const network: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ENOENT: "its socket is not there",
  ECONNRESET: "the connection was broken off",
  EPIPE: "the connection was broken off",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "there is no way to its host",
  ENETUNREACH: "there is no way to its network",
  EAI_AGAIN: "its name cannot be looked up now",
  ENOTFOUND: "there is no host of that name",
};

/**
 * The word that an error reply begins with. Before Redis 7 an error inside a script is told within another one, as
 * "ERR Error running script (call to f_…): @user_script:1: -OOM command …".
 */
export function wordOfReply(text: string): string {
  return (/@user_script: ?\d+: -([A-Z]+) /.exec(text) ?? /^([A-Z]+) /.exec(`${text} `))?.[1] ?? "";
}

/** An error reply as an error. One that is not known is a plain Error with the text kept. */
export function errorOfReply(text: string, shown: string): Error {
  const meaning = meanings[wordOfReply(text)];
  if (meaning === undefined) return new Error(text);
  return new WriteBehindError(meaning.code, `the Redis at ${shown} ${meaning.what} (${text})`, { hint: meaning.hint });
}

/** Why a connection could not be made or was lost, in a few words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const known = typeof code === "string" ? (network[code] ?? code) : "";
  return known === "" ? String(message) : known;
}

/** Nothing was sent, since there is no connection. */
export function cacheDown(shown: string, reason: string): WriteBehindError {
  const message = `the Redis at ${shown} cannot be reached (${reason}); nothing was written`;
  return new WriteBehindError("CACHE_DOWN", message, { hint: "start it; it is connected to again by itself" });
}

/** A command was sent and its answer was lost: never sent again, since that could do it twice. */
export function answerLost(name: string, shown: string, reason: string): WriteBehindError {
  const message = `the answer to ${name} from the Redis at ${shown} was lost (${reason}); it is not known whether it was done`;
  return new WriteBehindError("UNKNOWN", message, { hint: "read what it was to write" });
}
