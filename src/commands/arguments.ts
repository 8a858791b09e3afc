/** What is checked about the arguments of every command before it runs or is queued. */
import type { Bytes } from "../bytes.js";
import type { Command, Subcommand, SubcommandInfo } from "./command.js";
import { failure, shown, simple, wrongArity, type ErrorReply, type Reply } from "./reply.js";

/** Redis' error where there is no such subcommand, or there are too few or too many arguments; else null. */
export function checkArguments(command: Command, args: readonly Bytes[]): ErrorReply | null {
  if (command.subcommands !== undefined && args.length > 1) {
    const found = findSubcommand<SubcommandInfo>(command.subcommands, args);
    if (found === undefined)
      return failure(`ERR unknown subcommand '${shown(args[1] as Bytes)}'. Try ${command.name.toUpperCase()} HELP.`);
    return fitsArity(found.arity, args.length) ? null : wrongArity(`${command.name}|${found.name}`);
  }
  return fitsArity(command.arity, args.length) ? null : wrongArity(command.name);
}

/** Runs the subcommand that the second argument names. `checkArguments` has made sure that there is one. */
export function runSubcommand<On, Answer>(
  subcommands: readonly Subcommand<On, Answer>[],
  on: On,
  args: readonly Bytes[],
): Answer {
  return (findSubcommand(subcommands, args) as Subcommand<On, Answer>).run(on, args);
}

/** The subcommand that the second argument names. */
export function findSubcommand<T extends SubcommandInfo>(
  subcommands: readonly T[],
  args: readonly Bytes[],
): T | undefined {
  const name = (args[1] as Bytes).toLowerCase();
  return subcommands.find((subcommand) => subcommand.name === name);
}

/** The argument at a place that the arity check has made sure of. */
export function at(args: readonly Bytes[], index: number): Bytes {
  return args[index] as Bytes;
}

/** Whether a command may be given so many arguments, its name included. */
export function fitsArity(arity: number, count: number): boolean {
  return arity < 0 ? count >= -arity : count === arity;
}

/** The subcommands of a command, and HELP, which says what they are. */
export function withHelp<On, Answer>(
  name: string,
  subcommands: readonly Subcommand<On, Answer>[],
): readonly Subcommand<On, Answer | Reply>[] {
  const all: Subcommand<On, Answer | Reply>[] = [...subcommands];
  all.push({
    name: "help",
    arity: 2,
    syntax: "",
    summary: "Prints this help.",
    run: () => [
      simple(`${name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`),
      ...all.flatMap((one) => [
        simple(`${one.name.toUpperCase()} ${one.syntax}`.trimEnd()),
        simple(`    ${one.summary}`),
      ]),
    ],
  });
  return all;
}

/** A container's arguments in Redis' notation: those of its subcommands. */
export function syntaxOf(subcommands: readonly SubcommandInfo[]): string {
  return subcommands.map(({ name, syntax }) => `${name.toUpperCase()} ${syntax}`.trimEnd()).join(" | ");
}
