/** Commands of the table, run for the admin API as for a client, and their replies as JSON. */
import { jsonOfBytes, type Bytes, type JsonBytes } from "../bytes.js";
import { checkArguments } from "../commands/arguments.js";
import { isWrite, type Command, type DataCommand, type SessionCommand } from "../commands/command.js";
import { failure, replyOfError, simple, type Reply } from "../commands/reply.js";
import { findCommand, unknownCommand } from "../commands/table.js";
import { WriteBehindError } from "../errors.js";
import { kept, type Executed, type Heart } from "../heart.js";

/** Runs one command as a Redis client's would run, and waits until its reply may be given. */
export type RunCommand = (args: readonly Bytes[], signal?: AbortSignal) => Promise<unknown>;

/** A reply as JSON: its type of the protocol, and its value. */
export type JsonReply =
  | { readonly type: "bulk"; readonly value: JsonBytes }
  | { readonly type: "integer"; readonly value: number | string }
  | { readonly type: "simple" | "error"; readonly value: string }
  | { readonly type: "null"; readonly value: null }
  | { readonly type: "array" | "set"; readonly value: readonly JsonReply[] }
  | { readonly type: "map"; readonly value: readonly (readonly [JsonBytes, JsonReply])[] };

/** The runner for this heart. Commands that live on a connection (MULTI, HELLO …) have none here and are refused. */
export function commandRunner(heart: Heart, allowFlush: boolean): RunCommand {
  return async (args, signal) => jsonOfReply(await runCommand(heart, allowFlush, args, signal));
}

async function runCommand(
  heart: Heart,
  allowFlush: boolean,
  args: readonly Bytes[],
  signal = new AbortController().signal,
): Promise<Reply> {
  const command = findCommand(args[0] as Bytes);
  if (command === undefined) return unknownCommand(args);
  const wrong = checkArguments(command, args);
  if (wrong !== null) return wrong;
  const { name } = command;
  if (name === "ping") return args[1] ?? simple("PONG");
  if (name === "echo") return args[1] as Bytes;
  const work = workOf(command);
  if (work === null) return failure(`ERR '${name}' needs a connection; use write-behind send`);
  if (command.needs === "allowFlush" && !allowFlush) {
    return failure(
      `ERR ${name.toUpperCase()} is refused: it empties the database. Start the server with --allow-flush to allow it`,
    );
  }
  try {
    return await work(heart, args, signal);
  } catch (error) {
    if (error instanceof WriteBehindError) return replyOfError(error);
    throw error;
  }
}

/** What a command does without a connection; null where it needs one. */
function workOf(command: Command): NonNullable<SessionCommand["runOnHeart"]> | null {
  if (command.kind === "session") return command.runOnHeart ?? null;
  return (heart, args) => answered(heart, command, args);
}

async function answered(heart: Heart, command: DataCommand, args: readonly Bytes[]): Promise<Reply> {
  const work = (workspace: Parameters<DataCommand["run"]>[0]): Reply => command.run(workspace, args);
  const done: Executed<Reply> = await (isWrite(command) ? heart.execute(work) : heart.view(work));
  // Answered means kept, and a reply never shows what is less durable than was asked.
  await kept(heart, done.sequence);
  return done.value;
}

/** A reply as JSON. */
export function jsonOfReply(reply: Reply): JsonReply {
  if (reply === null) return { type: "null", value: null };
  if (typeof reply === "string") return { type: "bulk", value: jsonOfBytes(reply) };
  if (typeof reply === "number") return { type: "integer", value: reply };
  if (typeof reply === "bigint") return { type: "integer", value: integerOf(reply) };
  if (isList(reply)) return { type: "array", value: reply.map(jsonOfReply) };
  if (isMap(reply))
    return { type: "map", value: [...reply].map(([key, value]) => [jsonOfBytes(key), jsonOfReply(value)] as const) };
  switch (reply.kind) {
    case "simple":
    case "error":
      return { type: reply.kind, value: reply.text };
    case "set":
      return { type: "set", value: reply.members.map(jsonOfReply) };
    case "text":
      return { type: "bulk", value: jsonOfBytes(reply.text) };
    case "pairs":
      return { type: "array", value: reply.pairs.map(jsonOfReply) };
    case "nullArray":
      return { type: "null", value: null };
  }
}

/** JSON's numbers are exact up to 2^53; a larger one is text. */
function integerOf(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function isList(reply: Reply): reply is readonly Reply[] {
  return Array.isArray(reply);
}

function isMap(reply: Reply): reply is ReadonlyMap<Bytes, Reply> {
  return reply instanceof Map;
}
