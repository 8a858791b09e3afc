/**
 * What a client has said so far, as its commands see it: who it is, its protocol, its transaction, the frames it has
 * made. Not the road of its commands and replies: that is connection.ts.
 */
import type { Bytes } from "../bytes.js";
import { findSubcommand } from "../commands/arguments.js";
import type { Command, Login, ServerView, Session, SubcommandInfo } from "../commands/command.js";
import { failure, type Reply } from "../commands/reply.js";
import { Conflict, type Executed, type Watch } from "../heart.js";
import type { Connection } from "../host/sockets.js";
import type { LoginDelays } from "./login-delays.js";
import { Transaction } from "./transaction.js";
import { cancelAll, Watches } from "./watches.js";
import { WrittenFrames } from "./written-frames.js";

/** What a session needs of its server. */
export interface SessionHost extends ServerView {
  readonly logins: LoginDelays;
  /** Whether this is the password; takes the same time for every wrong one. */
  isPassword(password: Bytes): boolean;
}

/** The road that a session's commands come on. */
export interface Road {
  /** Whether a command waits for something, and others behind it. */
  readonly isHeld: boolean;
  /** Bytes that are no command yet. */
  readonly unread: number;
  /** Bytes of replies that have not left this machine. */
  readonly unsent: number;
  /** The client has logged in: it may send what is long. */
  trust(): void;
  /** Answers what was asked so far, then closes. */
  finish(): void;
  /** Closes now. */
  destroy(): void;
}

const watchInMulti = failure("ERR WATCH inside MULTI is not allowed");
/** EXEC where something that was watched has changed: nothing was done. */
const changed: Reply = { kind: "nullArray" };
const aborted = failure("EXECABORT Transaction discarded because of previous errors.");

/** A session. */
export class ClientSession implements Session {
  readonly id: number;
  readonly peer: string;
  readonly local: string;
  readonly server: SessionHost;
  readonly written: WrittenFrames;
  protocol: 2 | 3 = 2;
  name = "" as Bytes;
  readonly library = { name: "" as Bytes, version: "" as Bytes };
  noEvict = false;
  noTouch = false;
  authenticated: boolean;
  executing = false;
  /** What was queued since MULTI; null outside. */
  transaction: Transaction | null = null;
  /** When it has sent something last, on the monotonic clock, and what. */
  activeAt: number;
  command: Command | undefined;
  subcommand: Bytes | null = null;
  readonly #startedAt: number;
  readonly #road: Road;
  readonly #watches: Watches;
  /** The highest sequence that the command in hand (EXEC, SCAN) has shown. */
  #shown = 0;
  #gone: AbortController | null = null;
  #ended = false;

  constructor(id: number, server: SessionHost, { peer, local }: Pick<Connection, "peer" | "local">, road: Road) {
    this.id = id;
    this.server = server;
    this.peer = peer;
    this.local = local;
    this.#startedAt = server.clock.monotonic();
    this.activeAt = this.#startedAt;
    this.authenticated = !server.hasPassword;
    this.written = new WrittenFrames(server.heart);
    this.#road = road;
    this.#watches = new Watches(server.heart);
  }

  get ageMs(): number {
    return this.server.clock.monotonic() - this.#startedAt;
  }
  get idleMs(): number {
    return this.server.clock.monotonic() - this.activeAt;
  }
  get isBlocked(): boolean {
    return this.#road.isHeld;
  }
  get unread(): number {
    return this.#road.unread;
  }
  get unsent(): number {
    return this.#road.unsent;
  }

  get lastCommand(): string {
    const { command, subcommand } = this;
    if (command === undefined) return "NULL";
    if (command.subcommands === undefined || subcommand === null) return command.name;
    const found = findSubcommand<SubcommandInfo>(command.subcommands, ["" as Bytes, subcommand]);
    return found === undefined ? command.name : `${command.name}|${found.name}`;
  }

  kill(asks: boolean): void {
    if (asks) this.#road.finish();
    else this.#road.destroy();
  }

  /** The client is gone. */
  end(): void {
    this.#ended = true;
    this.#watches.clear();
    this.callOff();
  }

  /** Ends what a command waits for. */
  callOff(): void {
    this.#gone?.abort();
  }

  get gone(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#ended) this.#gone.abort();
    return this.#gone.signal;
  }

  login(user: Bytes, password: Bytes): Login | Promise<Login> {
    const { server } = this;
    if (!server.hasPassword) return user === "default" ? "none set" : "wrong";
    return server.logins.attempt(this.peer, () => {
      if (user !== "default" || !server.isPassword(password)) return false;
      this.authenticated = true;
      this.#road.trust();
      return true;
    });
  }

  quit(): void {
    this.#road.finish();
  }

  begin(): boolean {
    if (this.transaction !== null) return false;
    this.transaction = new Transaction();
    return true;
  }

  discard(): boolean {
    if (this.transaction === null) return false;
    this.transaction = null;
    this.unwatch();
    return true;
  }

  watch(keys: readonly Bytes[]): Reply | Promise<Reply> {
    return this.transaction === null ? this.#watches.add(keys) : watchInMulti;
  }

  unwatch(): void {
    this.#watches.clear();
  }

  reset(): void {
    this.discard();
    this.unwatch();
    this.protocol = 2;
    this.name = "" as Bytes;
    this.noEvict = false;
    this.noTouch = false;
    this.authenticated = !this.server.hasPassword;
  }

  exec(): Reply | Promise<Reply> {
    const { transaction } = this;
    if (transaction === null) return failure("ERR EXEC without MULTI");
    this.transaction = null;
    const watches = this.#watches.take();
    if (transaction.broken) {
      cancelAll(watches);
      return aborted;
    }
    return this.#run(transaction, watches);
  }

  #run(transaction: Transaction, watches: readonly Watch[] | null): Reply | Promise<Reply> {
    if (watches === null && !transaction.needsWorkspace) return this.#finish(transaction, null);
    const failed = (error: unknown): Reply => {
      cancelAll(watches);
      if (error instanceof Conflict) return changed;
      throw error;
    };
    const finish = (executed: Executed<(Reply | undefined)[]>): Reply => {
      cancelAll(watches);
      return this.#finish(transaction, executed);
    };
    let executed;
    try {
      executed = transaction.runOn(this.server.heart, watches);
    } catch (error) {
      return failed(error);
    }
    return executed instanceof Promise ? executed.then(finish, failed) : finish(executed);
  }

  #finish(transaction: Transaction, executed: Executed<(Reply | undefined)[]> | null): Reply {
    if (executed !== null) this.#note(executed);
    this.executing = true;
    try {
      return transaction.runOnSession(this, executed?.value ?? []);
    } finally {
      this.executing = false;
    }
  }

  /** A frame was made; 0: none. */
  wrote(frame: number): void {
    if (frame > this.written.last) this.written.add(frame);
  }

  /** The reply of a session command shows records up to this sequence. */
  takeShown(): number {
    const shown = this.#shown;
    this.#shown = 0;
    return shown;
  }

  shows(sequence: number): void {
    this.#shown = Math.max(this.#shown, sequence);
  }

  /** EXEC has shown records up to here, and may have made a frame. */
  #note(executed: Executed<unknown>): void {
    this.shows(executed.sequence);
    this.wrote(executed.frame);
  }
}
