/** CONFIG: the limits of the server, and what it says about itself under Redis' names (server/config.ts). */
import type { Bytes } from "../bytes.js";
import { runSubcommand } from "./arguments.js";
import { noKeys, type Session, type SessionCommand, type Subcommand } from "./command.js";
import { failure, ok, simple, syntaxError, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const help: Reply = [
  "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "GET <pattern>",
  "    Return parameters matching the glob-like <pattern> and their values.",
  "SET <directive> <value>",
  "    Set the configuration <directive> to <value>.",
  "RESETSTAT",
  "    Reset statistics reported by the INFO command.",
  "REWRITE",
  "    Rewrite the configuration file.",
  "HELP",
  "    Prints this help.",
].map(simple);

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

const subcommands: readonly Subcommand[] = [
  { name: "get", arity: -3, run: ({ server }, args) => server.config.get(args.slice(2)) },
  { name: "set", arity: -4, run: set },
  { name: "resetstat", arity: 2, run: resetStat },
  { name: "rewrite", arity: 2, run: () => failure("ERR The server is running without a config file") },
  { name: "help", arity: 2, run: () => help },
];

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
