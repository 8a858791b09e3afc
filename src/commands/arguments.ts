/** What is checked about the arguments of every command before it runs or is queued. */
import type { Bytes } from "../bytes.js";
import type { Command } from "./command.js";
import { failure, shown, wrongArity, type ErrorReply, type Reply } from "./reply.js";

/** Redis' error where there is no such subcommand, or there are too few or too many arguments; else null. */
export function checkArguments(command: Command, args: readonly Bytes[]): ErrorReply | null {
  if (command.subcommands !== undefined && args.length > 1) {
    const found = findSubcommand<{ readonly name: string; readonly arity: number }>(command.subcommands, args);
    if (found === undefined)
      return failure(`ERR unknown subcommand '${shown(args[1] as Bytes)}'. Try ${command.name.toUpperCase()} HELP.`);
    return fitsArity(found.arity, args.length) ? null : wrongArity(`${command.name}|${found.name}`);
  }
  return fitsArity(command.arity, args.length) ? null : wrongArity(command.name);
}

/** What both kinds of subcommands have, those on a session and those on a workspace. */
interface Runs<On, R extends Reply | Promise<Reply>> {
  readonly name: string;
  run(on: On, args: readonly Bytes[]): R;
}

/** Runs the subcommand that the second argument names. `checkArguments` has made sure that there is one. */
export function runSubcommand<On, R extends Reply | Promise<Reply>>(
  subcommands: readonly Runs<On, R>[],
  on: On,
  args: readonly Bytes[],
): R {
  return (findSubcommand(subcommands, args) as Runs<On, R>).run(on, args);
}

/** The subcommand that the second argument names. */
export function findSubcommand<T extends { readonly name: string }>(
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
