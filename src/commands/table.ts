/** The table of commands. Adding a command is adding one entry to one of the lists below. */
import type { Bytes } from "../bytes.js";
import type { Command } from "./command.js";
import { clientCommand } from "./client.js";
import { configCommand } from "./config.js";
import { connectionCommands } from "./connection.js";
import { floatCommands } from "./floats.js";
import { hashCommands } from "./hashes.js";
import { hashPartCommands } from "./hash-parts.js";
import { infoCommand } from "./info.js";
import { commandCommand } from "./introspection.js";
import { keyCommands } from "./keys.js";
import { rangeCommands } from "./ranges.js";
import { movingCommands } from "./moving.js";
import { objectAndMemory } from "./object.js";
import { keyspaceCommands } from "./keyspace.js";
import { failure, shown, type ErrorReply } from "./reply.js";
import { operationCommands } from "./operations.js";
import { serverCommands } from "./server.js";
import { stringCommands } from "./strings.js";
import { transactionCommands } from "./transactions.js";
import { waitCommands } from "./waits.js";

/** Every command, ordered by name. */
export const commandTable: readonly Command[] = [
  ...stringCommands,
  ...rangeCommands,
  ...floatCommands,
  ...hashCommands,
  ...hashPartCommands,
  ...keyCommands,
  ...movingCommands,
  ...objectAndMemory,
  ...keyspaceCommands,
  ...transactionCommands,
  ...waitCommands,
  ...connectionCommands,
  clientCommand,
  commandCommand,
  configCommand,
  ...serverCommands,
  infoCommand,
  ...operationCommands,
].toSorted((a, b) => (a.name < b.name ? -1 : 1));

// The two spellings that clients send are found without making a string.
const bySpelling: ReadonlyMap<string, Command> = new Map(
  commandTable.flatMap((command): [string, Command][] => [
    [command.name, command],
    [command.name.toUpperCase(), command],
  ]),
);

/** The command of this name, in any spelling. */
export function findCommand(name: Bytes): Command | undefined {
  return bySpelling.get(name) ?? bySpelling.get(name.toLowerCase());
}

/** Redis' error for a command that is not in the table. */
export function unknownCommand(args: readonly Bytes[]): ErrorReply {
  let rest = "";
  for (let i = 1; i < args.length && rest.length < 128; i++) rest += `'${shown(args[i] as Bytes, 128 - rest.length)}' `;
  return failure(`ERR unknown command '${shown(args[0] as Bytes)}', with args beginning with: ${rest}`);
}
