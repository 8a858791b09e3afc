/**
 * One client: bytes in, commands in strict order, replies out in the same order. A command that has to wait (a load,
 * room in the queue, WAIT) holds back the later ones of this connection and nobody else's. It knows the heart's verbs
 * and the table of commands; what a command does is in commands/.
 */
import type { Bytes } from "../bytes.js";
import { checkArguments } from "../commands/arguments.js";
import type { Command, CommandTally, DataCommand, ServerView, Session, SessionCommand } from "../commands/command.js";
import { failure, isError, queued, replyOfError, type ErrorReply, type Reply } from "../commands/reply.js";
import { findCommand, unknownCommand } from "../commands/table.js";
import { WriteBehindError } from "../errors.js";
import type { Executed } from "../heart.js";
import type { Connection, ConnectionEvents } from "../host/sockets.js";
import type { Workspace } from "../workspace.js";
import { Output } from "./output.js";
import { encodeError, encodeReply } from "./resp-encoder.js";
import { defaultParserLimits, RespParser } from "./resp-parser.js";
import { Transaction } from "./transaction.js";
import { WrittenFrames } from "./written-frames.js";

/** What a connection needs of its server. */
export interface ConnectionHost extends ServerView {
  readonly allowFlush: boolean;
  /** Whether this is the password; takes the same time for every wrong one. */
  isPassword(password: Bytes): boolean;
  /** The connection is over. */
  left(client: ClientConnection): void;
  /** Something that must not happen happened while a command ran. */
  unexpected(error: unknown, command: string): void;
}

/** Replies that may wait for a slow reader before its commands are held back. */
const outputBytesMax = 1024 * 1024;
/** Bytes that may wait for a command to end before the client is not read any more. */
const inputBytesMax = 1024 * 1024;

const needsLogin = failure("NOAUTH Authentication required.");
const notInMulti = failure("ERR Command not allowed inside a transaction");
const tooLong = failure("ERR the reply is longer than 512 MB");
const aborted = failure("EXECABORT Transaction discarded because of previous errors.");
const internal = failure("ERR internal error; nothing was changed. The server's log says more");

/** A client. */
export class ClientConnection implements Session, ConnectionEvents {
  readonly id: number;
  readonly peer: string;
  readonly server: ConnectionHost;
  protocol: 2 | 3 = 2;
  name = "" as Bytes;
  authenticated: boolean;
  readonly written: WrittenFrames;
  executing = false;
  readonly #connection: Connection;
  readonly #parser: RespParser;
  readonly #output: Output;
  #transaction: Transaction | null = null;
  /** The command in hand, for #work: a command of a connection starts only when the one before has its reply. */
  #command!: DataCommand;
  #args!: readonly Bytes[];
  /** The highest sequence that a session command (EXEC, SCAN) has shown. */
  #shown = 0;
  #state: "open" | "closing" | "closed" = "open";
  /** A command's promise is open. */
  #held = false;
  #looping = false;
  #paused = false;
  #clientEnded = false;
  #gone: AbortController | null = null;

  constructor(id: number, server: ConnectionHost, connection: Connection) {
    this.id = id;
    this.server = server;
    this.peer = connection.peer;
    this.authenticated = !server.hasPassword;
    this.written = new WrittenFrames(server.heart);
    this.#connection = connection;
    this.#parser = new RespParser(defaultParserLimits, this.authenticated);
    this.#output = new Output(server.heart, connection, {
      released: () => this.#loop(),
      failed: (error) => this.#abandon(error),
      sent: (bytes) => {
        server.counters.bytesOut += bytes;
      },
    });
  }

  // What happens on the network.

  data(chunk: Buffer): void {
    this.server.counters.bytesIn += chunk.length;
    if (this.#state !== "open") return;
    this.#parser.push(chunk);
    this.#loop();
    if (!this.#paused && this.#parser.unread > inputBytesMax && this.#isBlocked()) {
      this.#paused = true;
      this.#connection.pause();
    }
  }

  drained(): void {
    this.#loop();
  }

  ended(): void {
    this.#clientEnded = true;
    this.#loop();
  }

  closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#output.drop();
    this.#gone?.abort();
    this.server.left(this);
  }

  /** Takes no more commands, answers the one in hand, closes. */
  shutDown(): void {
    if (this.#state === "open") this.#state = "closing";
    this.#gone?.abort();
    this.#loop();
  }

  /** Closes now. */
  destroy(): void {
    if (this.#state === "open") this.#state = "closing";
    this.#connection.destroy();
  }

  /** Sends one error without reading anything, and closes. */
  refuse(text: string): void {
    this.#state = "closing";
    this.#output.add(encodeError(text), 0);
    this.#loop();
  }

  // What commands ask of their session.

  get gone(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#state === "closed") this.#gone.abort();
    return this.#gone.signal;
  }

  shows(sequence: number): void {
    this.#shown = Math.max(this.#shown, sequence);
  }

  login(user: Bytes, password: Bytes): "right" | "wrong" | "none set" {
    if (user !== "default") return "wrong";
    if (!this.server.hasPassword) return "none set";
    if (!this.server.isPassword(password)) return "wrong";
    this.authenticated = true;
    this.#parser.trust();
    return "right";
  }

  quit(): void {
    this.#state = "closing";
  }

  begin(): boolean {
    if (this.#transaction !== null) return false;
    this.#transaction = new Transaction();
    return true;
  }

  discard(): boolean {
    const had = this.#transaction !== null;
    this.#transaction = null;
    return had;
  }

  exec(): Reply | Promise<Reply> {
    const transaction = this.#transaction;
    if (transaction === null) return failure("ERR EXEC without MULTI");
    this.#transaction = null;
    if (transaction.broken) return aborted;
    const finish = (executed: Executed<(Reply | undefined)[]> | null): Reply => {
      if (executed !== null) this.#note(executed);
      this.executing = true;
      try {
        return transaction.runOnSession(this, executed?.value ?? []);
      } finally {
        this.executing = false;
      }
    };
    if (!transaction.needsWorkspace) return finish(null);
    const executed = this.server.heart.execute((workspace) => transaction.runOnKeys(workspace));
    return executed instanceof Promise ? executed.then(finish) : finish(executed);
  }

  // The road of a command.

  /** Runs commands until there are none, one has to wait, or the client does not read its replies. */
  #loop(): void {
    if (this.#looping || this.#state === "closed") return;
    this.#looping = true;
    while (this.#state === "open" && !this.#isBlocked()) {
      const args = this.#parser.next();
      if (args === null) break;
      this.#take(args);
    }
    this.#looping = false;
    this.#settle();
  }

  /** After a turn: what is ready goes out, reading goes on or stops, a finished connection closes. */
  #settle(): void {
    const { error } = this.#parser;
    if (error !== null && this.#state === "open" && !this.#held) {
      this.#state = "closing";
      this.#output.add(encodeError(`ERR ${error}`), 0);
    }
    this.#output.flush();
    const isBlocked = this.#isBlocked();
    if (this.#paused && !isBlocked) {
      this.#paused = false;
      this.#connection.resume();
    }
    if (this.#clientEnded && !isBlocked && this.#state === "open") this.#state = "closing";
    if (this.#state === "closing" && !this.#held && this.#output.isEmpty) this.#connection.end();
  }

  #isBlocked(): boolean {
    return this.#held || this.#output.unsent > outputBytesMax;
  }

  #take(args: readonly Bytes[]): void {
    const { counters } = this.server;
    const command = findCommand(args[0] as Bytes);
    counters.commands++;
    (counters.byCommand.get(command) as CommandTally).calls++;
    const refusal = this.#check(command, args);
    if (refusal !== null) {
      if (refusal === hangUp) return this.destroy();
      if (this.#transaction !== null) this.#transaction.broken = true;
      return this.#answer(refusal, 0);
    }
    const known = command as Command;
    if (this.#transaction !== null && known.group !== "transactions" && known.name !== "quit")
      return this.#queue(known, args);
    if (known.kind === "data") this.#runOnKeys(known, args);
    else this.#runOnSession(known, args);
  }

  /** Redis' checks before a command, in Redis' order. */
  #check(command: Command | undefined, args: readonly Bytes[]): ErrorReply | null {
    // A browser that was tricked into talking to this port speaks HTTP: it gets nothing.
    if (command === undefined) return /^(?:post|host:)$/i.test(args[0] as Bytes) ? hangUp : unknownCommand(args);
    const wrong = checkArguments(command, args);
    if (wrong !== null) return this.#inExec(command, wrong);
    if (!this.authenticated && !command.flags.includes("no_auth")) return this.#inExec(command, needsLogin);
    if (this.#transaction !== null && command.flags.includes("no_multi")) return notInMulti;
    if (command.needs === "allowFlush" && !this.server.allowFlush) {
      return failure(
        `ERR ${command.name.toUpperCase()} is refused: it empties the database. Start the server with --allow-flush to allow it`,
      );
    }
    return null;
  }

  /** An EXEC that is refused itself says so in its own way, and ends its transaction. */
  #inExec(command: Command, refusal: ErrorReply): ErrorReply {
    if (command.name !== "exec") return refusal;
    this.discard();
    return failure(`EXECABORT Transaction discarded because of: ${refusal.text.replace(/^ERR /, "")}`);
  }

  #queue(command: Command, args: readonly Bytes[]): void {
    const transaction = this.#transaction as Transaction;
    transaction.add(command, args);
    if (transaction.bytes > defaultParserLimits.commandBytesMax) return this.destroy();
    this.#answer(queued, 0);
  }

  readonly #work = (workspace: Workspace): Reply => this.#command.run(workspace, this.#args);

  #runOnKeys(command: DataCommand, args: readonly Bytes[]): void {
    this.#command = command;
    this.#args = args;
    try {
      const executed = this.server.heart.execute(this.#work);
      if (executed instanceof Promise) void this.#finishLater(executed, command.name);
      else this.#finish(executed);
    } catch (error) {
      this.#fail(error, command.name);
    }
  }

  async #finishLater(executed: Promise<Executed<Reply>>, command: string): Promise<void> {
    this.#hold();
    try {
      this.#finish(await executed);
    } catch (error) {
      this.#fail(error, command);
    }
    this.#release();
  }

  /** An error may show what it has read, too: it waits until everything accepted so far is kept (promise 2). */
  #fail(error: unknown, command: string): void {
    this.#answer(this.#replyOf(error, command), this.server.heart.accepted);
  }

  #finish(executed: Executed<Reply>): void {
    if (executed.frame > this.written.last) this.written.add(executed.frame);
    this.#answer(executed.value, executed.sequence);
  }

  #runOnSession(command: SessionCommand, args: readonly Bytes[]): void {
    try {
      const reply = command.run(this, args);
      if (reply instanceof Promise) void this.#answerLater(reply, command.name);
      else this.#answerSession(reply);
    } catch (error) {
      this.#fail(error, command.name);
    }
  }

  async #answerLater(reply: Promise<Reply>, command: string): Promise<void> {
    this.#hold();
    try {
      this.#answerSession(await reply);
    } catch (error) {
      this.#fail(error, command);
    }
    this.#release();
  }

  /** EXEC has shown records up to here, and may have made a frame. */
  #note(executed: Executed<unknown>): void {
    this.shows(executed.sequence);
    if (executed.frame > this.written.last) this.written.add(executed.frame);
  }

  #answerSession(reply: Reply): void {
    const shown = this.#shown;
    this.#shown = 0;
    this.#answer(reply, shown);
  }

  #answer(reply: Reply, sequence: number): void {
    if (isError(reply)) this.server.counters.errors++;
    let text;
    try {
      text = encodeReply(reply, this.protocol);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      text = encodeReply(tooLong, this.protocol);
    }
    this.#output.add(text, sequence);
  }

  #replyOf(error: unknown, command: string): ErrorReply {
    if (error instanceof WriteBehindError) return replyOfError(error);
    this.server.unexpected(error, command);
    return internal;
  }

  #hold(): void {
    this.#held = true;
    // Replies before this command must not wait for it.
    this.#output.flush();
  }

  #release(): void {
    this.#held = false;
    this.#loop();
  }

  /** The replies that wait would be lies now: the client learns that it cannot know, and nothing more. */
  #abandon(error: WriteBehindError): void {
    if (this.#state === "closed") return;
    this.#state = "closing";
    this.#output.add(encodeError(replyOfError(error).text), 0);
    this.#settle();
  }
}

/** Not a reply: the connection is cut. */
const hangUp = failure("");
