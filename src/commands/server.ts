/** Commands on the server as such: TIME, SHUTDOWN, and FUNCTION as far as clients use it to start from nothing. */
import { bytesOfText, type Bytes } from "../bytes.js";
import { runSubcommand, syntaxOf, withHelp } from "./arguments.js";
import { noKeys, type Session, type SessionCommand } from "./command.js";
import { failure, noReply, ok, shown, syntaxError, type Reply } from "./reply.js";

type Args = readonly Bytes[];

function time({ server }: Session): Reply {
  const nowMs = Math.floor(server.clock.now());
  return [Math.floor(nowMs / 1000), (nowMs % 1000) * 1000].map((part) => bytesOfText(String(part)));
}

const notOurs = failure(
  "ERR SHUTDOWN is refused: this server was not started by write-behind serve. Stop the program that runs it",
);

/**
 * Whether and how to save makes no difference: what was answered is kept as it is, and the queue is drained within the
 * deadline, as with SIGTERM.
 */
function shutdown(session: Session, args: Args): Reply {
  const options = new Set(args.slice(1).map((arg) => arg.toLowerCase()));
  if (![...options].every((option) => ["nosave", "save", "now", "force", "abort"].includes(option))) return syntaxError;
  if (options.has("abort") && options.size > 1) return syntaxError;
  if (options.has("save") && options.has("nosave")) return syntaxError;
  if (options.has("abort")) return failure("ERR No shutdown in progress.");
  const { stop } = session.server;
  if (stop === null) return notOurs;
  stop();
  session.quit();
  return noReply;
}

function flushFunctions(_session: Session, args: Args): Reply {
  if (args.length > 3)
    return failure(
      `ERR unknown subcommand or wrong number of arguments for '${shown(args[1] as Bytes)}'. Try FUNCTION HELP.`,
    );
  const isMode = args.length === 2 || /^(?:sync|async)$/i.test(args[2] as Bytes);
  return isMode ? ok : failure("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
}

const functionCommands = withHelp("function", [
  {
    name: "flush",
    arity: -2,
    syntax: "[ASYNC | SYNC]",
    summary: "There are no functions: done at once.",
    run: flushFunctions,
  },
]);

/** A command of the group "server". */
function command(entry: Omit<SessionCommand, "kind" | "group" | "keys">): SessionCommand {
  return { kind: "session", group: "server", keys: noKeys, ...entry };
}

/** The commands. */
export const serverCommands: readonly SessionCommand[] = [
  command({
    name: "time",
    arity: 1,
    flags: ["loading", "stale", "fast"],
    syntax: "",
    summary: "The server's clock: seconds since 1970, and microseconds of the second.",
    run: time,
  }),
  command({
    name: "shutdown",
    arity: -1,
    flags: ["admin", "loading", "stale", "no_multi"],
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    summary: "Stops the server as SIGTERM does: it drains within its deadline and says what is left.",
    run: shutdown,
  }),
  command({
    name: "function",
    arity: -2,
    flags: [],
    syntax: syntaxOf(functionCommands),
    summary: "There are no functions; FLUSH is for clients that empty a server before they use it.",
    subcommands: functionCommands,
    run: (session, args) => runSubcommand(functionCommands, session, args),
  }),
];
