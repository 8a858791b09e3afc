/** The endpoints of the walkthrough: engines of its own, never the one that is served. Values: lesson/sandbox.ts. */
import { z } from "zod";
import { WriteBehindError } from "../errors.js";
import { sandboxLimits, type Sandboxes } from "../lesson/sandbox.js";
import { argsOf, commandShape, nothing, ok, parse, type Call, type Route } from "./route.js";

const id = z.string();
const idBody = z.strictObject({ id });
const commandBody = z.strictObject({ id, ...commandShape });
const autoBody = z.strictObject({ id, on: z.boolean() });
const databaseBody = z.strictObject({ id, fails: z.boolean() });

const openHint = 'for example {"id": "…"}, as POST /api/sandbox/open gave it';
const { sandboxesMax, idleMs } = sandboxLimits;

/** They belong to the table of routes.ts. */
export const sandboxRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/api/sandbox/lesson",
    takes: "",
    doc: "the lesson that `trace` prints, from a run of now",
    answer: async (call) => {
      parse(nothing, call.body);
      return ok(await sandboxesOf(call).lesson());
    },
  },
  {
    method: "POST",
    path: "/api/sandbox/open",
    takes: "",
    doc:
      `an engine to try things on, in a process of its own, its writer standing still; ${sandboxesMax} at the most, ` +
      `each closed after ${idleMs / 60_000} minutes without a call`,
    answer: async (call) => {
      parse(nothing, call.body);
      return ok(await sandboxesOf(call).open());
    },
  },
  {
    method: "POST",
    path: "/api/sandbox/command",
    takes: "id, args (list), or line (as it is typed)",
    doc: "runs one command on it",
    answer: async (call) => {
      const { id, ...command } = parse(commandBody, call.body);
      return ok(await sandboxesOf(call).act(id, { kind: "command", args: argsOf(command) }));
    },
  },
  {
    method: "POST",
    path: "/api/sandbox/auto",
    takes: "id, on (true or false)",
    doc: "its writer runs by itself, or stands still but for steps",
    answer: async (call) => {
      const { id, on } = parse(autoBody, call.body, openHint);
      return ok(await sandboxesOf(call).act(id, { kind: "auto", on }));
    },
  },
  {
    method: "POST",
    path: "/api/sandbox/database",
    takes: "id, fails (true or false)",
    doc: "its engine can no longer reach its database, neither to write nor to read, or can again",
    answer: async (call) => {
      const { id, fails } = parse(databaseBody, call.body, openHint);
      return ok(await sandboxesOf(call).act(id, { kind: "database", fails }));
    },
  },
  plain("step", "one run of its writer now"),
  plain("kill", "kills its engine as `kill -9` does"),
  plain("restart", "starts a killed engine again: it recovers its journal"),
  plain("look", "looks at it"),
  plain("close", "ends it, and takes its folder away"),
];

function plain(kind: "step" | "kill" | "restart" | "look" | "close", doc: string): Route {
  return {
    method: "POST",
    path: `/api/sandbox/${kind}`,
    takes: "id",
    doc,
    answer: async (call) => {
      const { id } = parse(idBody, call.body, openHint);
      return ok(await sandboxesOf(call).act(id, { kind }));
    },
  };
}

function sandboxesOf({ sandboxes }: Call): Sandboxes {
  if (sandboxes !== undefined) return sandboxes;
  throw new WriteBehindError("REFUSED", "there are no sandboxes here", { hint: "ask a server: write-behind serve" });
}
