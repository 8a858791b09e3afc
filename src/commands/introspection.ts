/** COMMAND: the table, as clients can ask for it. */
import { bytesOfText, type Bytes } from "../bytes.js";
import { checkArguments, runSubcommand } from "./arguments.js";
import {
  noKeys,
  type Command,
  type KeyPositions,
  type Session,
  type SessionCommand,
  type Subcommand,
} from "./command.js";
import { failure, simple, type Reply } from "./reply.js";

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
    [],
  ];
}

function docs(command: Command): Reply {
  const facts: [string, Reply][] = [
    ["summary", bytesOfText(command.summary)],
    ["group", bytesOfText(command.group)],
    ["syntax", bytesOfText(command.syntax)],
  ];
  return new Map(facts.map(([name, value]) => [bytesOfText(name), value]));
}

/** The keys among the arguments of a command (`args[0]` is its name). */
export function keysOf({ first, last, step }: KeyPositions, args: Args): Bytes[] {
  if (first === 0) return [];
  const end = last < 0 ? args.length + last : last;
  const keys: Bytes[] = [];
  for (let i = first; i <= end && i < args.length; i += step) keys.push(args[i] as Bytes);
  return keys;
}

function find(commands: readonly Command[], name: Bytes): Command | undefined {
  const lower = name.toLowerCase();
  return commands.find((command) => command.name === lower);
}

function getKeys({ server: { commands } }: Session, args: Args): Reply {
  const asked = args.slice(2);
  const command = find(commands, asked[0] as Bytes);
  if (command === undefined) return failure("ERR Invalid command specified");
  if (command.keys.first === 0) return failure("ERR The command has no key arguments");
  if (checkArguments(command, asked) !== null) return failure("ERR Invalid number of arguments specified for command");
  return keysOf(command.keys, asked);
}

function info({ server: { commands } }: Session, args: Args): Reply {
  if (args.length === 2) return commands.map(describe);
  return args.slice(2).map((name): Reply => {
    const command = find(commands, name);
    return command === undefined ? { kind: "nullArray" } : describe(command);
  });
}

function docsOf({ server: { commands } }: Session, args: Args): Reply {
  const named = args.slice(2).map((name) => find(commands, name));
  const shown = args.length === 2 ? commands : named.filter((command) => command !== undefined);
  return new Map(shown.map((command) => [bytesOfText(command.name), docs(command)]));
}

const subcommands: readonly Subcommand[] = [
  { name: "count", arity: 2, run: ({ server }) => server.commands.length },
  { name: "list", arity: 2, run: ({ server }) => server.commands.map(({ name }) => bytesOfText(name)) },
  { name: "info", arity: -2, run: info },
  { name: "docs", arity: -2, run: docsOf },
  { name: "getkeys", arity: -4, run: getKeys },
];

/** The command. */
export const commandCommand: SessionCommand = {
  kind: "session",
  name: "command",
  arity: -1,
  flags: ["loading", "stale"],
  keys: noKeys,
  group: "server",
  syntax: "[COUNT | LIST | INFO [name ...] | DOCS [name ...] | GETKEYS command [arg ...]]",
  summary: "Facts about the commands that this server has.",
  subcommands,
  run: (session, args) =>
    args.length === 1 ? session.server.commands.map(describe) : runSubcommand(subcommands, session, args),
};
