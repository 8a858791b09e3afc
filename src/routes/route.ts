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

const text = z.string({ error: "must be a text" }).min(1, { error: "is empty" });
const flag = z.boolean({ error: "must be true or false" });

/** A value that a function reads, which says what is wrong as a sentence without its end. */
function readBy<Out extends object>(read: (given: string) => Out | { readonly wrong: string }): z.ZodType<Out> {
  return text.transform((given, context) => {
    const made = read(given);
    if (!("wrong" in made)) return made;
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
    column: text.nullish(),
    columns: z.array(text, { error: "must be a list of names" }).nullish(),
    expiresAt: text.nullish(),
    cacheTtl: time.nullish(),
    onDelete: z
      .union([z.literal("delete"), z.strictObject({ set: marks })], {
        error: 'must be "delete" or { set: { column: value } }',
      })
      .nullish(),
    reload: flag.nullish(),
    warm: flag.nullish(),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? undefined : "must be a map with key and table") },
);
const names = Object.keys(shape.shape);

/** Reads routes, or says everything that is wrong with them: a sentence each. */
export function parseRoutes(
  given: unknown,
): { readonly routes: readonly RouteSpec[] } | { readonly problems: readonly string[] } {
  if (!Array.isArray(given)) return { problems: ["they must be a list"] };
  const problems: string[] = [];
  const routes: RouteSpec[] = [];
  const tables = new Set<string>();
  for (const [at, route] of given.entries()) {
    const read = readRoute(route, at, tables);
    if ("problems" in read) problems.push(...read.problems);
    else routes.push(read);
  }
  for (const [at, { pattern }] of routes.entries()) {
    const other = routes.slice(0, at).find((one) => mayOverlap(one.pattern, pattern));
    if (other?.pattern.text === pattern.text) problems.push(`two routes have the key ${pattern.text}: take one out`);
    else if (other !== undefined)
      problems.push(`a key may match both ${other.pattern.text} and ${pattern.text}: make them differ`);
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

/** `tables`: those of the routes before; this one's is added. */
function readRoute(given: unknown, at: number, tables: Set<string>): RouteSpec | { readonly problems: string[] } {
  const parsed = shape.safeParse(given);
  const raw: Readonly<Record<string, unknown>> = typeof given === "object" && given !== null ? { ...given } : {};
  const who = typeof raw["key"] === "string" && raw["key"] !== "" ? `the route ${raw["key"]}` : `route ${at + 1}`;
  const table = shape.shape.table.safeParse(raw["table"]).data?.text ?? null;
  const wrong = [
    ...(parsed.error?.issues ?? []).flatMap(sentencesOf),
    ...(Object.keys(raw).length === 0 ? [] : contradictions(raw, table !== null && tables.has(table))),
  ];
  if (table !== null) tables.add(table);
  if (wrong.length > 0 || parsed.data === undefined) return { problems: wrong.map((what) => `${who}: ${what}`) };
  const { key: pattern, column, columns, expiresAt, cacheTtl, onDelete, reload, warm } = parsed.data;
  const columnOfKey = table !== null && pattern.names.includes(anyColumn) ? columnInKey : null;
  return {
    pattern,
    table,
    column: columnOfKey ?? column ?? null,
    columns: columns ?? null,
    expiresAt: expiresAt ?? null,
    cacheTtlMs: cacheTtl ?? null,
    onDelete: onDelete ?? "delete",
    reload: reload ?? false,
    warm: warm ?? false,
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
  const pattern = typeof raw["key"] === "string" ? parsePattern(raw["key"]) : null;
  const placeholders = pattern !== null && "names" in pattern ? pattern.names : null;
  const said = ofTheTable.filter(has);
  const are = said.length === 1 ? "is" : "are";
  const wrong: string[] = [];
  if (!has("table") && !has("store")) wrong.push("it needs a table, or store: none");
  if (has("table") && has("store")) wrong.push("it has a table and store: none; leave one of them out");
  if (!has("table") && has("store")) {
    const useless = ["column", ...said].filter(has);
    if (useless.length > 0) wrong.push(`leave ${useless.join(", ")} out: with store: none there is no table`);
  }
  if (has("column") && placeholders?.includes(anyColumn) === true)
    wrong.push(`it has {${anyColumn}} in its key and a column besides; leave one of them out`);
  if (has("table") && placeholders?.every((name) => name === anyColumn) === true)
    wrong.push("its key has no placeholder for the key of the row, such as {id}");
  if (has("table") && isKnown && said.length > 0)
    wrong.push(`${said.join(", ")} ${are} said by the first route of a table, and by no other`);
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
