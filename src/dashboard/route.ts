/** What an endpoint of the admin API is, and how it reads what it was given. routes.ts is the table of them. */
import { z } from "zod";
import { bytesOfJson, bytesOfText, type Bytes, type JsonBytes } from "../bytes.js";
import { splitWords } from "../commands/words.js";
import { WriteBehindError } from "../errors.js";
import type { Heart } from "../heart.js";
import type { Sandboxes } from "../lesson/sandbox.js";
import type { MetricSources } from "../metrics/metric.js";
import type { RunCommand } from "./command.js";
import type { Watcher } from "./watch.js";

/** What an endpoint gets. */
export interface Call {
  readonly heart: Heart;
  /** What was seen of this heart until now. */
  readonly watcher: Pick<Watcher, "samples" | "runs">;
  /** What metrics are read from: the status as it was seen last. */
  readonly metrics: () => MetricSources;
  readonly query: (name: string) => string | undefined;
  /** The JSON body; an empty body is {}. */
  readonly body: unknown;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
  readonly run: RunCommand;
  /** Engines for the walkthrough; left out where nobody keeps them. */
  readonly sandboxes?: Sandboxes | undefined;
}

/** What an endpoint answers: what becomes JSON, or a text of its own type. */
export type Answer =
  | { readonly status: 200 | 503; readonly json: unknown }
  | { readonly status: 200; readonly text: string; readonly type: string };

/** One endpoint. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** What may be given: the query, or the body's fields. For docs/reference/cli.md. */
  readonly takes: string;
  readonly doc: string;
  readonly answer: (call: Call) => Promise<Answer> | Answer;
}

/** Bytes as JSON gives them. */
export const jsonBytes = z.union([z.string(), z.strictObject({ base64: z.base64() })]);

/** A command: its arguments, or the line as a person types it. */
export const commandShape = { args: z.array(jsonBytes).min(1).optional(), line: z.string().optional() };

/** A body that says nothing. */
export const nothing = z.strictObject({});

const keysHint = 'keys are "text" or {"base64": "…"}; see docs/reference/cli.md';

/** An answer that all is well. */
export function ok(json: unknown): Answer {
  return { status: 200, json };
}

/** The body as the schema has it. Throws BAD_VALUE. */
export function parse<Schema extends z.ZodType>(schema: Schema, body: unknown, hint = keysHint): z.infer<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw bad(`the body is not what this takes: ${z.prettifyError(parsed.error).replaceAll("\n", " ")}`, hint);
}

/** The error of a request that is not what an endpoint takes. */
export function bad(message: string, hint = keysHint): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", message, { hint });
}

/** The arguments of a command. Throws BAD_VALUE. */
export function argsOf(command: {
  readonly args?: readonly JsonBytes[] | undefined;
  readonly line?: string | undefined;
}): Bytes[] {
  const { args, line } = command;
  if ((args === undefined) === (line === undefined)) throw bad("give one of args and line", commandHint);
  if (args !== undefined) return args.map(bytesOfJson);
  const words = splitWords(bytesOfText(line ?? ""));
  if (words !== null && words.length > 0) return words;
  throw bad("the line is no command: a quote is not closed, or it is empty", commandHint);
}

const commandHint = 'for example {"line": "SET user:1:name Alice"}, or {"args": ["SET", "user:1:name", "Alice"]}';

/** How many characters of a long text are wanted; null: all. Long values are for those who ask for them. */
export function cutOf(call: Pick<Call, "query">): number | null {
  const text = call.query("cut");
  if (text === undefined) return null;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw bad("cut must be a number of characters", "for example cut=1000");
}
