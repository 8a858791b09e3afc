/**
 * The road of one client's commands: bytes in, commands in strict order, replies out in the same order. A command that
 * has to wait (a load, room in the queue, WAIT) holds back the later ones of this connection and nobody else's. What a
 * command may be refused for is in checks.ts, what its client has said before in session.ts, what it does in commands/.
 */
import type { Bytes } from "../bytes.js";
import {
  isImmediate,
  isWrite,
  type Command,
  type CommandTally,
  type DataCommand,
  type SessionCommand,
} from "../commands/command.js";
import { failure, isError, noReply, queued, replyOfError, type ErrorReply, type Reply } from "../commands/reply.js";
import { findCommand } from "../commands/table.js";
import { WriteBehindError } from "../errors.js";
import type { Executed } from "../heart.js";
import type { Connection, ConnectionEvents } from "../host/sockets.js";
import type { Workspace } from "../workspace.js";
import { checkCommand, hangUp } from "./checks.js";
import { Output } from "./output.js";
import { encodeError, encodeReply } from "./resp-encoder.js";
import type { Limits } from "./limits.js";
import { RespParser } from "./resp-parser.js";
import { ClientSession, type Road, type SessionHost } from "./session.js";
import type { Transaction } from "./transaction.js";

/** What a connection needs of its server. */
export interface ConnectionHost extends SessionHost {
  readonly allowFlush: boolean;
  /** May change at any time. */
  readonly limits: Limits;
  /** The connection is over. */
  left(client: ClientConnection): void;
  /** A client is cut off for what it takes. */
  cutOff(client: ClientConnection, why: string): void;
  /** Something that must not happen happened while a command ran. */
  unexpected(error: unknown, command: string): void;
}

/** Replies that may wait for a slow reader before its commands are held back. */
const outputBytesMax = 1024 * 1024;
/** Bytes that may wait for a command to end before the client is not read any more. */
const inputBytesMax = 1024 * 1024;

const tooLong = failure("ERR the reply is longer than 512 MB");
const internal = failure("ERR internal error; nothing was changed. The server's log says more");

/** A client. */
export class ClientConnection implements ConnectionEvents, Road {
  readonly session: ClientSession;
  readonly server: ConnectionHost;
  readonly #connection: Connection;
  readonly #parser: RespParser;
  readonly #output: Output;
  /** The command in hand, for #work: a command of a connection starts only when the one before has its reply. */
  #command!: DataCommand;
  #args!: readonly Bytes[];
  #state: "open" | "closing" | "closed" = "open";
  /** A command's promise is open. */
  #held = false;
  #looping = false;
  #paused = false;
  #clientEnded = false;
  /** Since when more waits for the client than may wait for long. */
  #softSince: number | null = null;

  constructor(id: number, server: ConnectionHost, connection: Connection) {
    this.server = server;
    this.#connection = connection;
    this.session = new ClientSession(id, server, connection, this);
    this.#parser = new RespParser(server.limits, this.session.authenticated);
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
    this.session.activeAt = this.server.clock.monotonic();
    this.#parser.push(chunk);
    this.#loop();
    if (!this.#paused && this.#parser.unread > inputBytesMax && this.#isBlocked()) {
      this.#paused = true;
      this.#connection.pause();
    }
  }

  drained(): void {
    this.session.activeAt = this.server.clock.monotonic();
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
    this.session.end();
    this.server.left(this);
  }

  /** Takes no more commands, answers the one in hand, closes. */
  shutDown(): void {
    if (this.#state === "open") this.#state = "closing";
    this.session.callOff();
    this.#loop();
  }

  /** Closes now. */
  destroy(): void {
    if (this.#state === "open") this.#state = "closing";
    this.#connection.destroy();
  }

  /** Looks, from time to time, whether it is quiet or reads too slowly for longer than it may (Redis' clientsCron). */
  look(nowMs: number): void {
    const { idleSeconds, output } = this.server.limits;
    if (idleSeconds > 0 && !this.#held && nowMs - this.session.activeAt > idleSeconds * 1000) return this.destroy();
    const { softBytes, softSeconds } = output.normal;
    if (softBytes === 0 || this.#output.unsent <= softBytes) this.#softSince = null;
    else this.#softSince ??= nowMs;
    if (this.#softSince !== null && nowMs - this.#softSince > softSeconds * 1000)
      this.server.cutOff(this, "more replies than its soft limit waited for too long");
  }

  /** Sends one error without reading anything, and closes. */
  refuse(text: string): void {
    this.#state = "closing";
    this.#output.add(encodeError(text), 0);
    this.#loop();
  }

  // What a session asks of its road.

  get isHeld(): boolean {
    return this.#held;
  }

  get unread(): number {
    return this.#parser.unread;
  }

  get unsent(): number {
    return this.#output.unsent;
  }

  trust(): void {
    this.#parser.trust();
  }

  finish(): void {
    if (this.#state === "open") this.#state = "closing";
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
    const wasFull = this.#isFull();
    this.#settle();
    // The system may have taken all of it at once, and nobody says so then; the others have their turn first.
    if (wasFull && this.#state === "open" && !this.#isFull()) this.server.clock.soon(() => this.#loop());
  }

  /** After a turn: what is ready goes out, reading goes on or stops, a finished connection closes. */
  #settle(): void {
    const { error, isOverfull } = this.#parser;
    if (isOverfull && this.#state === "open" && !this.#held)
      return this.server.cutOff(this, "a command was longer than client-query-buffer-limit");
    if (error !== null && this.#state === "open" && !this.#held) {
      this.#state = "closing";
      this.#output.add(encodeError(`ERR ${error}`), 0);
    }
    this.#output.flush();
    const { hardBytes } = this.server.limits.output.normal;
    if (hardBytes > 0 && this.#state !== "closed" && this.#output.unsent > hardBytes)
      return this.server.cutOff(this, "more replies waited for it than client-output-buffer-limit allows");
    const isBlocked = this.#isBlocked();
    if (this.#paused && !isBlocked) {
      this.#paused = false;
      this.#connection.resume();
    }
    if (this.#clientEnded && !isBlocked && this.#state === "open") this.#state = "closing";
    if (this.#state === "closing" && !this.#held && this.#output.isEmpty) this.#connection.end();
  }

  #isBlocked(): boolean {
    return this.#held || this.#isFull();
  }

  /** Whether more replies wait than may while commands go on. */
  #isFull(): boolean {
    return this.#output.unsent > outputBytesMax;
  }

  #take(args: readonly Bytes[]): void {
    const { counters } = this.server;
    const command = findCommand(args[0] as Bytes);
    counters.commands++;
    (counters.byCommand.get(command) as CommandTally).calls++;
    const { session } = this;
    const { transaction } = session;
    session.command = command;
    if (command?.kind === "session") session.subcommand = isShort(args[1]) ? args[1] : null;
    const refusal = checkCommand(command, args, session, this.server.allowFlush);
    if (refusal !== null) {
      if (refusal === hangUp) return this.destroy();
      if (transaction !== null) transaction.broken = true;
      return this.#answer(refusal, 0);
    }
    const known = command as Command;
    if (transaction !== null && !isImmediate(known)) return this.#queue(transaction, known, args);
    if (known.kind === "data") this.#runOnKeys(known, args);
    else this.#runOnSession(known, args);
  }

  #queue(transaction: Transaction, command: Command, args: readonly Bytes[]): void {
    transaction.add(command, args);
    if (transaction.bytes > this.server.limits.commandBytesMax)
      return this.server.cutOff(this, "a transaction was longer than client-query-buffer-limit");
    this.#answer(queued, 0);
  }

  readonly #work = (workspace: Workspace): Reply => this.#command.run(workspace, this.#args);

  #runOnKeys(command: DataCommand, args: readonly Bytes[]): void {
    this.#command = command;
    this.#args = args;
    try {
      const { heart } = this.server;
      const executed = isWrite(command) ? heart.execute(this.#work) : heart.view(this.#work);
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
    this.session.wrote(executed.frame);
    this.#answer(executed.value, executed.sequence);
  }

  #runOnSession(command: SessionCommand, args: readonly Bytes[]): void {
    try {
      const reply = command.run(this.session, args);
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

  #answerSession(reply: Reply): void {
    if (reply === noReply) return;
    this.#answer(reply, this.session.takeShown());
  }

  #answer(reply: Reply, sequence: number): void {
    if (isError(reply)) this.server.counters.errors++;
    let text;
    try {
      text = encodeReply(reply, this.session.protocol);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      text = encodeReply(tooLong, this.session.protocol);
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
    this.session.activeAt = this.server.clock.monotonic();
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

/** Whether it may be the name of a subcommand: nothing long is kept for CLIENT LIST. */
function isShort(arg: Bytes | undefined): arg is Bytes {
  return arg !== undefined && arg.length <= 32;
}
