/**
 * What a client has queued since MULTI. All commands on keys run on one workspace, so they are one frame of the write
 * queue (promise 4); commands on the connection run right after it, because the workspace's work may run twice.
 */
import type { Bytes } from "../bytes.js";
import { isWrite, type Command, type DataCommand, type Session } from "../commands/command.js";
import { failure, isError, replyOfError, type Reply } from "../commands/reply.js";
import { WriteBehindError } from "../errors.js";
import type { Executed, Heart, Watch } from "../heart.js";
import type { Workspace } from "../workspace.js";

/** What an argument or a command costs in memory beside its bytes, roughly: a million empty ones are not free. */
const overheadBytes = 48;

type Done = Executed<(Reply | undefined)[]>;

/** The queued commands of one transaction. */
export class Transaction {
  /** A command was refused when it was queued: EXEC will refuse all. */
  broken = false;
  /** Memory of the queued arguments. */
  bytes = 0;
  readonly #queue: { readonly command: Command; readonly args: readonly Bytes[] }[] = [];

  /** How many there are. */
  get count(): number {
    return this.#queue.length;
  }

  add(command: Command, args: readonly Bytes[]): void {
    this.#queue.push({ command, args });
    this.bytes += overheadBytes;
    for (const arg of args) this.bytes += overheadBytes + arg.length;
  }

  /** Whether any of the commands is about keys. */
  get needsWorkspace(): boolean {
    return this.#queue.some(({ command }) => command.kind === "data");
  }

  /**
   * Runs the commands on keys: as a read where none of them writes and nothing is watched. Fails with a Conflict,
   * having done nothing, where something that is watched has changed.
   */
  runOn(heart: Heart, watches: readonly Watch[] | null): Done | Promise<Done> {
    const work = (workspace: Workspace): (Reply | undefined)[] => this.#runOnKeys(workspace);
    if (watches !== null) return heart.execute(work, { watches });
    return this.#queue.some(({ command }) => isWrite(command)) ? heart.execute(work) : heart.view(work);
  }

  /** Replies of the commands on keys, in their places. A command that fails is taken back; the others stand. */
  #runOnKeys(workspace: Workspace): (Reply | undefined)[] {
    return this.#queue.map(({ command, args }) => {
      if (command.kind !== "data") return undefined;
      const savepoint = workspace.savepoint();
      const reply = runCommand(command, workspace, args);
      if (isError(reply)) workspace.rollback(savepoint);
      return reply;
    });
  }

  /** Fills in the replies of the commands on the connection. */
  runOnSession(session: Session, replies: readonly (Reply | undefined)[]): Reply[] {
    return this.#queue.map(({ command, args }, index) => {
      if (command.kind === "data") return replies[index] as Reply;
      const reply = command.run(session, args);
      return reply instanceof Promise ? failure("ERR Command not allowed inside a transaction") : reply;
    });
  }
}

function runCommand(command: DataCommand, workspace: Workspace, args: readonly Bytes[]): Reply {
  try {
    return command.run(workspace, args);
  } catch (error) {
    if (error instanceof WriteBehindError) return replyOfError(error);
    throw error;
  }
}
