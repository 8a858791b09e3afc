/**
 * What an operator does, over the Redis protocol: the same as the admin API's endpoints, with the same JSON as text.
 * They ask the heart only, so that they run without a connection, too.
 */
import { bytesOfText, type Bytes } from "../bytes.js";
import { statusNow, turned, type Heart } from "../heart.js";
import { oneKey, noKeys, allKeys, type SessionCommand } from "./command.js";
import { failure, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const calledOff = failure("ERR called off: the server is shutting down, or the client is gone");

/** A command that asks the heart, and answers JSON as text. */
function command(
  entry: Omit<SessionCommand, "kind" | "group" | "flags" | "run" | "runOnHeart">,
  ask: (heart: Heart, args: Args, signal: AbortSignal) => Promise<object>,
): SessionCommand {
  const runOnHeart = async (heart: Heart, args: Args, signal: AbortSignal): Promise<Reply> => {
    try {
      return { kind: "text", text: bytesOfText(JSON.stringify(await ask(heart, args, signal))) };
    } catch (error) {
      if (signal.aborted) return calledOff;
      throw error;
    }
  };
  return {
    kind: "session",
    group: "write-behind",
    flags: ["admin", "no_multi"],
    ...entry,
    runOnHeart,
    run: (session, args) => runOnHeart(session.server.heart, args, session.gone),
  };
}

/** The commands. */
export const operationCommands: readonly SessionCommand[] = [
  command({ name: "wb.status", arity: 1, keys: noKeys, syntax: "", summary: "What GET /api/status says." }, (heart) =>
    statusNow(heart),
  ),
  command(
    {
      name: "wb.inspect",
      arity: 2,
      keys: oneKey,
      syntax: "key",
      summary: "One record everywhere: in the cache, in the queue and, read now, in the database.",
    },
    (heart, args) => heart.inspect(args[1] as Bytes),
  ),
  command(
    {
      name: "wb.flush",
      arity: -1,
      keys: allKeys,
      syntax: "[key ...]",
      summary:
        "Waits until what is pending now (of these keys) is in the database, or parked; only its own connection waits.",
    },
    (heart, args, signal) => heart.flush({ signal, ...(args.length > 1 ? { keys: args.slice(1) } : {}) }),
  ),
  command(
    {
      name: "wb.pause",
      arity: 1,
      keys: noKeys,
      syntax: "",
      summary: "The writer stands still after the run in hand. Outlives a restart.",
    },
    (heart) => turned(heart, heart.pause()),
  ),
  command({ name: "wb.resume", arity: 1, keys: noKeys, syntax: "", summary: "The writer goes on." }, (heart) =>
    turned(heart, heart.resume()),
  ),
  command(
    { name: "wb.step", arity: 1, keys: noKeys, syntax: "", summary: "One run of the writer now, paused or not." },
    (heart) => heart.step(),
  ),
];
