/** MULTI, EXEC and DISCARD. What they stand for is done by the connection (server/transaction.ts). */
import { noKeys, type SessionCommand } from "./command.js";
import { failure, ok } from "./reply.js";

function command(entry: Omit<SessionCommand, "kind" | "group" | "keys" | "arity" | "syntax">): SessionCommand {
  return { kind: "session", group: "transactions", keys: noKeys, arity: 1, syntax: "", ...entry };
}

/** The commands. */
export const transactionCommands: readonly SessionCommand[] = [
  command({
    name: "multi",
    flags: ["fast", "loading", "stale"],
    summary: "Begins a transaction: the commands that follow are queued.",
    run: (session) => (session.begin() ? ok : failure("ERR MULTI calls can not be nested")),
  }),
  command({
    name: "exec",
    flags: ["loading", "stale"],
    summary:
      "Runs the queued commands in one step. They are one frame of the write queue and reach the database in one transaction.",
    run: (session) => session.exec(),
  }),
  command({
    name: "discard",
    flags: ["fast", "loading", "stale"],
    summary: "Forgets the queued commands.",
    run: (session) => (session.discard() ? ok : failure("ERR DISCARD without MULTI")),
  }),
];
