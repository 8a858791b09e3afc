/**
 * Routes: which keys go to which table. What a user writes, in a program or in a file, and what is made of it: every
 * mistake that can be seen without a database is found in here. Pure.
 */
import { z } from "zod";
import { WriteBehindError } from "../errors.js";
import { nearest, parseOption } from "../options-parse.js";
import { mayOverlap, parsePattern, type Pattern } from "./pattern.js";

/** What `DEL` does to a row: deletes it, or sets columns that then mean that it is not there. */
export type OnDelete = "delete" | { readonly set: Readonly<Record<string, string | number | boolean>> };

/**
 * One route, as a user writes it: the key's pattern, and the table whose rows its keys name. The placeholders are the
 * columns of the row's key; the placeholder `{column}`, or `column`, makes the key name one column of the row. What
 * concerns the whole table (`columns` and all below it) is said by the first route of the table.
 */
export interface Route {
  /** `user:{id}`: a hash, the row. `user:{id}:{column}`: a string, one column of it. */
  readonly key: string;
  /** `users` or `shop.users`; a name with a dot in it in double quotes. */
  readonly table?: string | undefined;
  /** `none`: such records are in the cache only, nothing is promised of them. */
  readonly store?: "none" | undefined;
  /** The keys of this route are strings, this column of the row. */
  readonly column?: string | undefined;
  /** The columns that are fields; all by default. */
  readonly columns?: readonly string[] | undefined;
  /** The column that says when a row ends; without it such records cannot expire. It is no field. */
  readonly expiresAt?: string | undefined;
  /** How long a row that was read may be answered from the cache, in ms or as `60s`; others may change the table. */
  readonly cacheTtl?: number | string | undefined;
  /** Default `delete`. In `{ set: { deleted_at: "now" } }` rows with such a mark are not there, and `now` is the time. */
  readonly onDelete?: OnDelete | undefined;
  /** The database changes what it is given (triggers): a record is read again after its commit. */
  readonly reload?: boolean | undefined;
  /** Rows are read into the cache at the start, as many as fit. */
  readonly warm?: boolean | undefined;
}

/** What is done with keys that match no route. */
export type Unrouted = "store" | "refuse";

/** The name of a table: `shop.users` is `users` in the schema `shop`. */
export interface TableName {
  readonly schema: string | null;
  readonly name: string;
}

/** A route that was read: complete, and right as far as it can be seen without the database. Plain values. */
export interface RouteSpec {
  readonly pattern: Pattern;
  /** Null with `store: none`. */
  readonly table: string | null;
  /** The column that a key of this route names: a fixed one, `{column}` where the key says it, null for the whole row. */
  readonly column: string | null;
  /** What the first route of a table says of it. */
  readonly columns: readonly string[] | null;
  readonly expiresAt: string | null;
  readonly cacheTtlMs: number | null;
  readonly onDelete: OnDelete;
  readonly reload: boolean;
  readonly warm: boolean;
}

/** The placeholder that stands for the name of a column. */
export const anyColumn = "column";

/** In `RouteSpec.column`: the key says which. */
export const columnInKey = `{${anyColumn}}`;

const ofTheTable = ["columns", "expiresAt", "cacheTtl", "onDelete", "reload", "warm"] as const;

interface Wrong {
  readonly wrong: string;
}

const text = z
  .string({ error: ({ input }) => (input === undefined || input === null ? "is missing" : "must be a text") })
  .min(1, { error: "is empty" });
const flag = z.boolean({ error: "must be true or false" });

/** Left out, or empty in a file: the default. */
function orElse<Out, Default>(schema: z.ZodType<Out>, value: Default): z.ZodType<Out | Default> {
  return schema.nullish().transform((given) => given ?? value);
}

/** A value that a function reads, which says what is wrong as a sentence without its end. */
function readBy<Out extends object>(read: (given: string) => Out | Wrong): z.ZodType<Exclude<Out, Wrong>> {
  return text.transform((given, context) => {
    const made = read(given);
    if (!("wrong" in made)) return made as Exclude<Out, Wrong>;
    context.issues.push({ code: "custom", message: made.wrong, input: given });
    return z.NEVER;
  });
}

const time = z.unknown().transform((given, context) => {
  const parsed = parseOption({ type: "ms", default: 0, min: 1, max: 2 ** 40, scope: "engine", doc: "" }, given);
  if ("value" in parsed) return parsed.value as number;
  context.issues.push({ code: "custom", message: `cacheTtl ${parsed.problem}`, input: given });
  return z.NEVER;
});

const mark = z.union([z.string(), z.number(), z.boolean()]);
const marks = z.record(z.string(), mark).refine((set) => Object.keys(set).length > 0);

/** A route as it is written. What its parts are to each other is looked at by `contradictions`. */
const shape = z.strictObject(
  {
    key: readBy((given) => {
      const pattern = parsePattern(given);
      return "wrong" in pattern ? { wrong: `its key is no pattern: ${pattern.wrong}` } : pattern;
    }),
    table: readBy((given) => {
      const name = parseTableName(given);
      return "wrong" in name ? name : { text: tableText(name) };
    }).nullish(),
    store: z.literal("none", { error: "can only be none" }).nullish(),
    column: orElse(text, null),
    columns: orElse(z.array(text, { error: "must be a list of names" }), null),
    expiresAt: orElse(text, null),
    cacheTtl: orElse(time, null),
    onDelete: orElse<OnDelete, "delete">(
      z.union([z.literal("delete"), z.strictObject({ set: marks })], {
        error: 'must be "delete" or { set: { column: value } }',
      }),
      "delete",
    ),
    reload: orElse(flag, false),
    warm: orElse(flag, false),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? undefined : "must be a map with key and table") },
);
const names = Object.keys(shape.shape);

/** Reads routes, or says everything that is wrong with them: a sentence each. */
export function parseRoutes(
  given: unknown,
): { readonly routes: readonly RouteSpec[] } | { readonly problems: readonly string[] } {
  if (!Array.isArray(given)) return { problems: ["it must be a list of routes"] };
  const problems: string[] = [];
  const routes: RouteSpec[] = [];
  const patterns: Pattern[] = [];
  const tables = new Set<string>();
  for (const [at, route] of given.entries()) {
    const { key, table, read } = readRoute(route, at, tables);
    if (Array.isArray(read)) problems.push(...read);
    else routes.push(read);
    if (table !== null) tables.add(table);
    if (key === null) continue;
    const other = patterns.find((pattern) => mayOverlap(pattern, key));
    if (other?.text === key.text) problems.push(`two routes have the key ${key.text}: take one out`);
    else if (other !== undefined) problems.push(`a key may match both ${other.text} and ${key.text}: make them differ`);
    patterns.push(key);
  }
  return problems.length > 0 ? { problems } : { routes };
}

/** Reads routes; none where none are given. Throws CONFIG with everything that is wrong. */
export function readRoutes(given: unknown): readonly RouteSpec[] {
  const read = parseRoutes(given ?? []);
  if ("routes" in read) return read.routes;
  throw new WriteBehindError("CONFIG", `routes: ${read.problems.join("; ")}`, {
    hint: "docs/guide/tables.md shows routes that work",
  });
}

/** A route and what of it concerns others: its pattern and table, where these are right. */
interface Read {
  readonly key: Pattern | null;
  readonly table: string | null;
  /** The route, or everything that is wrong with it. */
  readonly read: RouteSpec | string[];
}

/** `tables`: those of the routes before. */
function readRoute(given: unknown, at: number, tables: ReadonlySet<string>): Read {
  const isMap = typeof given === "object" && given !== null && !Array.isArray(given);
  const raw: Readonly<Record<string, unknown>> = isMap ? { ...given } : {};
  const key = shape.shape.key.safeParse(raw["key"]).data ?? null;
  const table = shape.shape.table.safeParse(raw["table"]).data?.text ?? null;
  const parsed = shape.safeParse(given);
  const wrong = [
    ...(parsed.error?.issues ?? []).flatMap(sentencesOf),
    ...(isMap ? contradictions(raw, table !== null && tables.has(table)) : []),
  ];
  if (wrong.length === 0 && parsed.data !== undefined) return { key, table, read: specOf(parsed.data) };
  const who = typeof raw["key"] === "string" && raw["key"] !== "" ? `the route ${raw["key"]}` : `route ${at + 1}`;
  return { key, table, read: wrong.map((what) => `${who}: ${what}`) };
}

function specOf({ key: pattern, column, ...of }: z.infer<typeof shape>): RouteSpec {
  const table = of.table?.text ?? null;
  const inKey = table !== null && pattern.names.includes(anyColumn);
  const { columns, expiresAt, cacheTtl: cacheTtlMs, onDelete, reload, warm } = of;
  return {
    pattern,
    table,
    column: inKey ? columnInKey : column,
    columns,
    expiresAt,
    cacheTtlMs,
    onDelete,
    reload,
    warm,
  };
}

function sentencesOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "custom" && issue.path[0] !== "onDelete") return [issue.message];
  if (issue.code !== "unrecognized_keys" || issue.path.length > 0) {
    const name = issue.path[0];
    if (name === "onDelete") return ['onDelete must be "delete" or { set: { column: value } }'];
    return [name === undefined ? `it ${issue.message}` : `${String(name)} ${issue.message}`];
  }
  return issue.keys.map((key) => {
    const meant = nearest(key, names);
    return `${JSON.stringify(key)} is nothing that a route has; ${meant === null ? `it has ${names.join(", ")}` : `did you mean ${meant}?`}`;
  });
}

/** What its parts are to each other; a part that is wrong by itself does not hide it. */
function contradictions(raw: Readonly<Record<string, unknown>>, isKnown: boolean): string[] {
  const has = (name: string): boolean => raw[name] !== undefined && raw[name] !== null;
  const said = ofTheTable.filter(has);
  if (!has("table")) {
    if (!has("store")) return ["it needs a table, or store: none"];
    const useless = ["column", ...said].filter(has);
    return useless.length === 0 ? [] : [`leave ${useless.join(", ")} out: with store: none there is no table`];
  }
  const wrong = keyContradictions(raw["key"], raw["column"] ?? null);
  if (has("store")) wrong.push("it has a table and store: none; leave one of them out");
  if (isKnown && said.length > 0)
    wrong.push(
      `${said.join(", ")} ${said.length === 1 ? "is" : "are"} said by the first route of a table, by no other`,
    );
  return wrong;
}

function keyContradictions(key: unknown, column: unknown): string[] {
  const pattern = typeof key === "string" ? parsePattern(key) : null;
  if (pattern === null || "wrong" in pattern) return [];
  const wrong: string[] = [];
  if (column === columnInKey) wrong.push(`column cannot be ${columnInKey}: the placeholder belongs into the key`);
  else if (column !== null && pattern.names.includes(anyColumn))
    wrong.push(`it has ${columnInKey} in its key and a column besides; leave one of them out`);
  if (pattern.names.every((name) => name === anyColumn))
    wrong.push("its key has no placeholder for the key of the row, such as {id}");
  return wrong;
}

/** Reads the name of a table: `users`, `shop.users`, `"odd.name"`, `shop."odd.name"`. */
export function parseTableName(text: string): TableName | { readonly wrong: string } {
  const parts = /^(?:("(?:[^"]|"")+"|[^".]+)\.)?("(?:[^"]|"")+"|[^".]+)$/.exec(text);
  if (parts === null || text.includes("\0")) return { wrong: `${JSON.stringify(text)} is not the name of a table` };
  const plain = (part: string): string => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part);
  return { schema: parts[1] === undefined ? null : plain(parts[1]), name: plain(parts[2] as string) };
}

/** The name as `parseTableName` reads it, in one way of writing it. */
function tableText({ schema, name }: TableName): string {
  const part = (one: string): string => (/[".]/.test(one) ? `"${one.replaceAll('"', '""')}"` : one);
  return schema === null ? part(name) : `${part(schema)}.${part(name)}`;
}

/** Routes, and what is done without them. */
export interface Routing {
  readonly routes: readonly RouteSpec[];
  readonly unrouted: Unrouted;
}

/**
 * What makes pending changes mean what they mean, as one text: while there are any, routes with another fingerprint are
 * refused (ROUTE_MISMATCH).
 */
export function fingerprintOf(routes: readonly RouteSpec[], unrouted: Unrouted): string {
  const meant = routes.map(({ pattern, table, column, columns, expiresAt, onDelete }) => [
    pattern.text,
    table,
    column,
    columns,
    expiresAt,
    onDelete,
  ]);
  return JSON.stringify([unrouted, ...meant]);
}
