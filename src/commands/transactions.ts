/** MULTI, EXEC, DISCARD, WATCH and UNWATCH. What they stand for is done by the connection (server/session.ts). */
import { allKeys, noKeys, type SessionCommand } from "./command.js";
import { failure, ok } from "./reply.js";

type Entry = Omit<SessionCommand, "kind" | "group" | "keys" | "arity" | "syntax"> & Partial<SessionCommand>;

function command(entry: Entry): SessionCommand {
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
  command({
    name: "watch",
    arity: -2,
    keys: allKeys,
    syntax: "key [key ...]",
    flags: ["fast", "loading", "stale"],
    summary:
      "Watches keys: the next EXEC does nothing and answers null where the record of one was changed or has ended since.",
    run: (session, args) => session.watch(args.slice(1)),
  }),
  command({
    name: "unwatch",
    flags: ["fast", "loading", "stale"],
    summary: "Watches nothing any more.",
    run: (session) => {
      session.unwatch();
      return ok;
    },
  }),
];
