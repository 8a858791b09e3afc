/** CONFIG: the limits of the server, and what it says about itself under Redis' names (server/config.ts). */
import type { Bytes } from "../bytes.js";
import { runSubcommand, withHelp } from "./arguments.js";
import { noKeys, type Session, type SessionCommand } from "./command.js";
import { failure, ok, syntaxError, type Reply } from "./reply.js";

type Args = readonly Bytes[];

function set({ server }: Session, args: Args): Reply {
  if (args.length % 2 === 1) return syntaxError;
  const pairs: [Bytes, Bytes][] = [];
  for (let at = 2; at < args.length; at += 2) pairs.push([args[at] as Bytes, args[at + 1] as Bytes]);
  const problem = server.config.set(pairs);
  return problem === null ? ok : failure(`ERR ${problem}`);
}

function resetStat({ server }: Session): Reply {
  server.resetStats();
  return ok;
}

// Syntax and summaries as Redis' HELP has them: what is compared with it is the same text.
const subcommands = withHelp("config", [
  {
    name: "get",
    arity: -3,
    syntax: "<pattern>",
    summary: "Return parameters matching the glob-like <pattern> and their values.",
    run: ({ server }, args) => server.config.get(args.slice(2)),
  },
  {
    name: "set",
    arity: -4,
    syntax: "<directive> <value>",
    summary: "Set the configuration <directive> to <value>.",
    run: set,
  },
  {
    name: "resetstat",
    arity: 2,
    syntax: "",
    summary: "Reset statistics reported by the INFO command.",
    run: resetStat,
  },
  {
    name: "rewrite",
    arity: 2,
    syntax: "",
    summary: "Rewrite the configuration file.",
    run: () => failure("ERR The server is running without a config file"),
  },
]);

/** The command. */
export const configCommand: SessionCommand = {
  kind: "session",
  name: "config",
  arity: -2,
  flags: [],
  keys: noKeys,
  group: "server",
  syntax: "GET pattern [pattern ...] | SET name value [name value ...] | RESETSTAT | REWRITE | HELP",
  summary: "Shows the limits of the server and changes them until it ends; shows what else clients ask for.",
  subcommands,
  run: (session, args) => runSubcommand(subcommands, session, args),
};
