/** Redis' checks before a command runs or is queued, in Redis' order. What a command itself refuses is its own. */
import type { Bytes } from "../bytes.js";
import { checkArguments } from "../commands/arguments.js";
import type { Command } from "../commands/command.js";
import { failure, type ErrorReply } from "../commands/reply.js";
import { unknownCommand } from "../commands/table.js";
import type { ClientSession } from "./session.js";

/** Not a reply: the connection is cut. */
export const hangUp = failure("");

const needsLogin = failure("NOAUTH Authentication required.");
const notInMulti = failure("ERR Command not allowed inside a transaction");

/** Why this command is refused; null: it is not. */
export function checkCommand(
  command: Command | undefined,
  args: readonly Bytes[],
  session: ClientSession,
  allowFlush: boolean,
): ErrorReply | null {
  // A browser that was tricked into talking to this port speaks HTTP: it gets nothing.
  if (command === undefined) return /^(?:post|host:)$/i.test(args[0] as Bytes) ? hangUp : unknownCommand(args);
  const wrong = checkArguments(command, args);
  if (wrong !== null) return inExec(session, command, wrong);
  if (!session.authenticated && !command.flags.includes("no_auth")) return inExec(session, command, needsLogin);
  if (session.transaction !== null && command.flags.includes("no_multi")) return notInMulti;
  if (command.needs === "allowFlush" && !allowFlush) {
    return failure(
      `ERR ${command.name.toUpperCase()} is refused: it empties the database. Start the server with --allow-flush to allow it`,
    );
  }
  return null;
}

/** An EXEC that is refused itself says so in its own way, and ends its transaction and all watches. */
function inExec(session: ClientSession, command: Command, refusal: ErrorReply): ErrorReply {
  if (command.name !== "exec") return refusal;
  session.discard();
  session.unwatch();
  return failure(`EXECABORT Transaction discarded because of: ${refusal.text.replace(/^ERR /, "")}`);
}
