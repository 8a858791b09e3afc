/**
 * What a command is: one entry of the table (table.ts), with everything that COMMAND, the arity check, transactions
 * and docs/reference/commands.md need to know about it.
 *
 * `args[0]` is the command's name as the client wrote it, as in Redis, so arity counts it too.
 */
import type { Bytes } from "../bytes.js";
import type { Heart } from "../heart.js";
import type { Clock, Usage } from "../host/host.js";
import type { Workspace } from "../workspace.js";
import type { Cursors } from "./cursors.js";
import type { Reply } from "./reply.js";

/** Redis' names. `no_multi`: refused inside MULTI. `no_auth`: allowed before the password was given. */
export type CommandFlag =
  | "write"
  | "readonly"
  | "denyoom"
  | "fast"
  | "admin"
  | "blocking"
  | "loading"
  | "stale"
  | "no_auth"
  | "no_multi";

/** Redis' groups, and one of what Redis does not have. */
export type CommandGroup =
  | "string"
  | "bitmap"
  | "hash"
  | "generic"
  | "transactions"
  | "connection"
  | "server"
  | "write-behind";

/** Where the keys are among the arguments: `last` -1 is the last argument; all 0: there is none. */
export interface KeyPositions {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** What is said about every command. */
export interface CommandInfo {
  /** In lower case. */
  readonly name: string;
  /** Number of arguments with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  readonly keys: KeyPositions;
  readonly group: CommandGroup;
  /** The arguments in Redis' notation. */
  readonly syntax: string;
  readonly summary: string;
  /** An option of the server without which the command is refused. */
  readonly needs?: "allowFlush";
}

/**
 * A command on keys: a pure function. It may run more than once, reads as if every record were in memory, and checks
 * everything before its first change, so that an error leaves nothing half done. Errors may also be thrown, as
 * WriteBehindError.
 */
export interface DataCommand extends CommandInfo {
  readonly kind: "data";
  /** Where the second argument is a command of its own. One that is not here is refused before `run` is asked. */
  readonly subcommands?: readonly Subcommand<Workspace, Reply>[];
  run(workspace: Workspace, args: readonly Bytes[]): Reply;
}

/** A command on the connection or the server. While its promise is open the later commands of the connection wait. */
export interface SessionCommand extends CommandInfo {
  readonly kind: "session";
  /** Where the second argument is a command of its own. One that is not here is refused before `run` is asked. */
  readonly subcommands?: readonly Subcommand[];
  run(session: Session, args: readonly Bytes[]): Reply | Promise<Reply>;
  /** The same, where it needs no connection: the admin API can run it, too. */
  readonly runOnHeart?: (heart: Heart, args: readonly Bytes[], signal: AbortSignal) => Promise<Reply>;
}

/** What is said about a command behind a command: CLIENT ID. Arity and positions count both names. */
export interface SubcommandInfo {
  /** In lower case. */
  readonly name: string;
  readonly arity: number;
  /** Left out: it names no keys. */
  readonly keys?: KeyPositions;
  /** The arguments behind it, in Redis' notation. */
  readonly syntax: string;
  readonly summary: string;
}

/** A command behind a command on the connection, or on whatever else. */
export interface Subcommand<On = Session, Answer = Reply | Promise<Reply>> extends SubcommandInfo {
  run(on: On, args: readonly Bytes[]): Answer;
}

/** An entry of the table. */
export type Command = DataCommand | SessionCommand;

/** What CLIENT LIST says of a connection, and CLIENT KILL looks for. */
export interface ClientFacts {
  readonly id: number;
  /** The addresses of the client and of this side of its connection. */
  readonly peer: string;
  readonly local: string;
  readonly protocol: 2 | 3;
  readonly name: Bytes;
  /** The client library, as it has called itself. */
  readonly library: { name: Bytes; version: Bytes };
  readonly ageMs: number;
  /** Since it has sent anything. */
  readonly idleMs: number;
  /** What has been queued since MULTI; null outside. */
  readonly transaction: { readonly count: number; readonly bytes: number } | null;
  /** CLIENT NO-EVICT and NO-TOUCH: noted, and nothing else, because nothing here is evicted for a client. */
  readonly noEvict: boolean;
  readonly noTouch: boolean;
  /** Whether its last command waits for something. */
  readonly isBlocked: boolean;
  /** Bytes that it has sent and that are no command yet, and bytes of replies that it has not taken. */
  readonly unread: number;
  readonly unsent: number;
  /** Its last command in lower case, such as "client|list". */
  readonly lastCommand: string;
  /** Ends the connection: at once, or where it is the one that asks, behind the reply. */
  kill(asks: boolean): void;
}

/** A connection, as its commands see it. */
export interface Session extends ClientFacts {
  protocol: 2 | 3;
  name: Bytes;
  noEvict: boolean;
  noTouch: boolean;
  readonly authenticated: boolean;
  readonly server: ServerView;
  readonly written: Written;
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
  /** Whether a transaction is being run: a command must not wait then. */
  readonly executing: boolean;
  /** The reply of the command in hand shows what was accepted up to here: it waits until that is kept. */
  shows(sequence: number): void;
  /** Checks a password; the session is authenticated after "right". */
  login(user: Bytes, password: Bytes): Login | Promise<Login>;
  /** Answers what was asked so far, then closes. */
  quit(): void;
  /** MULTI; false inside one. */
  begin(): boolean;
  /** DISCARD; false outside MULTI. It ends the watches, too. */
  discard(): boolean;
  /** WATCH. */
  watch(keys: readonly Bytes[]): Reply | Promise<Reply>;
  /** UNWATCH. */
  unwatch(): void;
  /** RESET: as a connection that has just begun. */
  reset(): void;
  /** EXEC. */
  exec(): Reply | Promise<Reply>;
}

/** What became of a login. "too many": of this address so many wait that this one was not looked at. */
export type Login = "right" | "wrong" | "none set" | "too many";

/** The frames that a connection has made. */
export interface Written {
  /** The sequence of the last one; 0 where it made none. */
  readonly last: number;
  /** Whether the database has parked one of those that WAIT has not answered for yet, or may have. */
  readonly anyParked: boolean;
  /** WAIT has answered for all of them. */
  answered(): void;
}

/** The server, as commands see it. */
export interface ServerView {
  readonly heart: Heart;
  readonly clock: Clock;
  /** Version of write-behind. */
  readonly version: string;
  readonly port: number;
  readonly runId: string;
  readonly hasPassword: boolean;
  readonly uptimeMs: number;
  /** What the process takes; null where the server's host does not say it. */
  readonly usage: (() => Usage) | null;
  readonly counters: ServerCounters;
  readonly config: ConfigView;
  /** CONFIG RESETSTAT: counts from zero again. */
  resetStats(): void;
  /** The places of SCAN. */
  readonly cursors: Cursors;
  /** The table, for COMMAND. */
  readonly commands: readonly Command[];
  /** Who is connected, in the order in which they came. */
  readonly clients: Iterable<ClientFacts>;
  /** Stops the program as SIGTERM does; null where the server's host does not lend itself to that. */
  readonly stop: (() => void) | null;
}

/** The server's parameters, under Redis' names. */
export interface ConfigView {
  /** Those whose names match any of the patterns, with their values. */
  get(patterns: readonly Bytes[]): ReadonlyMap<Bytes, Bytes>;
  /** Changes all of these or none; says what is wrong, else null. */
  set(pairs: readonly (readonly [Bytes, Bytes])[]): string | null;
}

/** What the server counts. */
export interface ServerCounters {
  clients: number;
  readonly clientsMax: number;
  connections: number;
  rejected: number;
  commands: number;
  errors: number;
  bytesIn: number;
  bytesOut: number;
  /** How often each command came; under undefined those that are none. */
  readonly byCommand: ReadonlyMap<Command | undefined, CommandTally>;
  /** What the cache had counted when counting began anew. */
  cacheBefore: Readonly<Record<"hits" | "misses" | "evictions", number>>;
}

/** How often a command came. */
export interface CommandTally {
  calls: number;
}

/** Positions of a command without keys. */
export const noKeys: KeyPositions = { first: 0, last: 0, step: 0 };
/** Positions where the first argument is the only key. */
export const oneKey: KeyPositions = { first: 1, last: 1, step: 1 };
/** Positions where every argument is a key. */
export const allKeys: KeyPositions = { first: 1, last: -1, step: 1 };

/** Whether a command may change records. One that does not is done as a read (Heart.view). */
export function isWrite({ flags }: CommandInfo): boolean {
  return flags.includes("write");
}

/** Whether a command is done at once inside MULTI, and not queued. */
export function isImmediate({ group, name }: CommandInfo): boolean {
  return (group === "transactions" && name !== "unwatch") || name === "quit" || name === "reset";
}
