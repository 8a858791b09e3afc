/**
 * What a command is: one entry of the table (table.ts), with everything that COMMAND, the arity check, transactions
 * and docs/reference/commands.md need to know about it.
 *
 * `args[0]` is the command's name as the client wrote it, as in Redis, so arity counts it too.
 */
import type { Bytes } from "../bytes.js";
import type { Heart } from "../heart.js";
import type { Clock } from "../host/host.js";
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

/** Redis' groups. */
export type CommandGroup = "string" | "hash" | "generic" | "transactions" | "connection" | "server";

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
  run(workspace: Workspace, args: readonly Bytes[]): Reply;
}

/** A command on the connection or the server. While its promise is open the later commands of the connection wait. */
export interface SessionCommand extends CommandInfo {
  readonly kind: "session";
  /** Where the second argument is a command of its own. One that is not here is refused before `run` is asked. */
  readonly subcommands?: readonly Subcommand[];
  run(session: Session, args: readonly Bytes[]): Reply | Promise<Reply>;
}

/** A command behind a command: CLIENT ID. Its arity counts both names. */
export interface Subcommand {
  /** In lower case. */
  readonly name: string;
  readonly arity: number;
  run(session: Session, args: readonly Bytes[]): Reply | Promise<Reply>;
}

/** An entry of the table. */
export type Command = DataCommand | SessionCommand;

/** A connection, as its commands see it. */
export interface Session {
  readonly id: number;
  /** The client's address, for people. */
  readonly peer: string;
  protocol: 2 | 3;
  name: Bytes;
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
  login(user: Bytes, password: Bytes): "right" | "wrong" | "none set";
  /** Answers what was asked so far, then closes. */
  quit(): void;
  /** MULTI; false inside one. */
  begin(): boolean;
  /** DISCARD; false outside MULTI. */
  discard(): boolean;
  /** EXEC. */
  exec(): Reply | Promise<Reply>;
}

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
  readonly counters: ServerCounters;
  /** The places of SCAN. */
  readonly cursors: Cursors;
  /** The table, for COMMAND. */
  readonly commands: readonly Command[];
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
