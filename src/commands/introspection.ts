/** COMMAND: the table, as clients can ask for it. */
import { bytesOfText, type Bytes } from "../bytes.js";
import { checkArguments, findSubcommand, runSubcommand, syntaxOf, withHelp } from "./arguments.js";
import {
  noKeys,
  type Command,
  type KeyPositions,
  type Session,
  type SessionCommand,
  type SubcommandInfo,
} from "./command.js";
import { matches } from "./glob.js";
import { failure, simple, syntaxError, type Reply } from "./reply.js";

type Args = readonly Bytes[];

/** Redis' categories of a command, derived from its group and flags. */
function categories(command: Command): string[] {
  const groups: Record<Command["group"], string[]> = {
    string: ["@string"],
    bitmap: ["@bitmap"],
    hash: ["@hash"],
    generic: ["@keyspace"],
    transactions: ["@transaction"],
    connection: ["@connection"],
    server: [],
    "write-behind": [],
  };
  const found = [...groups[command.group]];
  if (command.flags.includes("write")) found.push("@write");
  if (command.flags.includes("readonly")) found.push("@read");
  if (command.flags.includes("admin")) found.push("@admin", "@dangerous");
  if (command.flags.includes("blocking")) found.push("@blocking");
  found.push(command.flags.includes("fast") ? "@fast" : "@slow");
  return found;
}

function keySpecs(command: Command): Reply[] {
  if (command.keys.first === 0) return [];
  const { first, last, step } = command.keys;
  const map = (entries: [string, Reply][]): Reply =>
    new Map(entries.map(([name, value]) => [bytesOfText(name), value]));
  const access = command.flags.includes("write") ? "RW" : "RO";
  return [
    map([
      ["flags", { kind: "set", members: [simple(access)] }],
      [
        "begin_search",
        map([
          ["type", bytesOfText("index")],
          ["spec", map([["index", first]])],
        ]),
      ],
      [
        "find_keys",
        map([
          ["type", bytesOfText("range")],
          [
            "spec",
            map([
              ["lastkey", last < 0 ? last : last - first],
              ["keystep", step],
              ["limit", 0],
            ]),
          ],
        ]),
      ],
    ]),
  ];
}

/** The commands behind a command. */
function under({ subcommands: all }: Command): readonly SubcommandInfo[] {
  return all ?? [];
}

/** A command behind a command as one of its own: what is not said about it is as with the command. */
function asCommand(command: Command, { name, ...info }: SubcommandInfo): Command {
  return { ...command, keys: noKeys, ...info, name: `${command.name}|${name}`, subcommands: [] };
}

function describe(command: Command): Reply {
  return [
    bytesOfText(command.name),
    command.arity,
    { kind: "set", members: command.flags.map(simple) },
    command.keys.first,
    command.keys.last,
    command.keys.step,
    { kind: "set", members: categories(command).map(simple) },
    [],
    keySpecs(command),
    under(command).map((one) => describe(asCommand(command, one))),
  ];
}

function docs(command: Command): Reply {
  const facts: [string, Reply][] = [
    ["summary", bytesOfText(command.summary)],
    ["group", bytesOfText(command.group)],
    ["syntax", bytesOfText(command.syntax)],
  ];
  const subcommands = under(command).map((one) => asCommand(command, one));
  if (subcommands.length > 0) facts.push(["subcommands", allDocs(subcommands)]);
  return new Map(facts.map(([name, value]) => [bytesOfText(name), value]));
}

function allDocs(commands: readonly Command[]): Reply {
  return new Map(commands.map((command) => [bytesOfText(command.name), docs(command)]));
}

/** The keys among the arguments of a command (`args[0]` is its name). */
export function keysOf({ first, last, step }: KeyPositions, args: Args): Bytes[] {
  if (first === 0) return [];
  const end = last < 0 ? args.length + last : last;
  const keys: Bytes[] = [];
  for (let i = first; i <= end && i < args.length; i += step) keys.push(args[i] as Bytes);
  return keys;
}

/** A command of the table, or one behind it: "get", "client|list". */
function find(commands: readonly Command[], name: Bytes): Command | undefined {
  const [first, second, ...more] = name.toLowerCase().split("|");
  const command = commands.find((one) => one.name === first);
  if (command === undefined || second === undefined) return command;
  const subcommand = under(command).find((one) => one.name === second && more.length === 0);
  return subcommand === undefined ? undefined : asCommand(command, subcommand);
}

/** Whether COMMAND LIST names a command, by its filter: null where there is no such filter. */
function listFilter(args: Args): ((command: Command) => boolean) | null {
  if (args.length === 2) return () => true;
  if (args.length !== 5 || (args[2] as Bytes).toLowerCase() !== "filterby") return null;
  const value = args[4] as Bytes;
  switch ((args[3] as Bytes).toLowerCase()) {
    case "module":
      return () => false;
    case "aclcat":
      return (command) => categories(command).includes(`@${value.toLowerCase()}`);
    case "pattern":
      return ({ name }) => matches(value.toLowerCase() as Bytes, name as Bytes);
    default:
      return null;
  }
}

function list({ server: { commands } }: Session, args: Args): Reply {
  const isAsked = listFilter(args);
  if (isAsked === null) return syntaxError;
  const all = commands.flatMap((command) => [command, ...under(command).map((one) => asCommand(command, one))]);
  return all.filter(isAsked).map(({ name }) => bytesOfText(name));
}

/** Where the keys are, of a subcommand where the arguments name one; null where there is no such command. */
function keyPositions(command: Command | undefined, args: Args): KeyPositions | null {
  if (command?.subcommands === undefined || args.length < 2) return command?.keys ?? null;
  const found = findSubcommand(under(command), args);
  return found === undefined ? null : (found.keys ?? noKeys);
}

function getKeys({ server: { commands } }: Session, args: Args): Reply {
  const asked = args.slice(2);
  const command = find(commands, asked[0] as Bytes);
  const keys = keyPositions(command, asked);
  if (command === undefined || keys === null) return failure("ERR Invalid command specified");
  if (keys.first === 0) return failure("ERR The command has no key arguments");
  if (checkArguments(command, asked) !== null) return failure("ERR Invalid number of arguments specified for command");
  return keysOf(keys, asked);
}

function info({ server: { commands } }: Session, args: Args): Reply {
  if (args.length === 2) return commands.map(describe);
  return args.slice(2).map((name): Reply => {
    const command = find(commands, name);
    return command === undefined ? { kind: "nullArray" } : describe(command);
  });
}

function docsOf({ server: { commands } }: Session, args: Args): Reply {
  if (args.length === 2) return allDocs(commands);
  return allDocs(args.slice(2).flatMap((name) => find(commands, name) ?? []));
}

const subcommands = withHelp("command", [
  {
    name: "count",
    arity: 2,
    syntax: "",
    summary: "How many commands there are.",
    run: ({ server }) => server.commands.length,
  },
  {
    name: "list",
    arity: -2,
    syntax: "[FILTERBY MODULE name | ACLCAT category | PATTERN pattern]",
    summary: "The names of commands.",
    run: list,
  },
  { name: "info", arity: -2, syntax: "[name ...]", summary: "Arity, flags and keys of commands.", run: info },
  { name: "docs", arity: -2, syntax: "[name ...]", summary: "What commands do.", run: docsOf },
  {
    name: "getkeys",
    arity: -4,
    syntax: "command [arg ...]",
    summary: "The keys among the arguments of a command.",
    run: getKeys,
  },
]);

/** The command. */
export const commandCommand: SessionCommand = {
  kind: "session",
  name: "command",
  arity: -1,
  flags: ["loading", "stale"],
  keys: noKeys,
  group: "server",
  syntax: `[${syntaxOf(subcommands)}]`,
  summary: "Facts about the commands that this server has.",
  subcommands,
  run: (session, args) =>
    args.length === 1 ? session.server.commands.map(describe) : runSubcommand(subcommands, session, args),
};
