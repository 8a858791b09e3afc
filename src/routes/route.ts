/**
 * Routes: which keys go to which table. What a user writes, in a program or in a file, and what is made of it: every
 * mistake that can be seen without a database is found in here. Pure.
 */
import { WriteBehindError } from "../errors.js";
import { parseOption } from "../options-parse.js";
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
const names = ["key", "table", "store", "column", ...ofTheTable];

/** Reads routes. Throws CONFIG with everything that is wrong. */
export function readRoutes(given: unknown): readonly RouteSpec[] {
  if (given === undefined || given === null) return [];
  const problems: string[] = [];
  const specs: RouteSpec[] = [];
  if (!Array.isArray(given)) problems.push("routes must be a list");
  for (const [at, route] of (Array.isArray(given) ? given : []).entries()) {
    const read = readRoute(route, `route ${at + 1}`, new Set(specs.map(({ table }) => table)));
    if ("problems" in read) problems.push(...read.problems);
    else specs.push(read);
  }
  for (const [at, spec] of specs.entries()) {
    const other = specs.slice(0, at).find(({ pattern }) => mayOverlap(pattern, spec.pattern));
    if (other !== undefined)
      problems.push(`a key may match both ${other.pattern.text} and ${spec.pattern.text}: make them differ`);
  }
  if (problems.length > 0)
    throw new WriteBehindError("CONFIG", problems.join("; "), { hint: "docs/guide/tables.md shows routes that work" });
  return specs;
}

function readRoute(
  given: unknown,
  place: string,
  known: ReadonlySet<string | null>,
): RouteSpec | { problems: string[] } {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return { problems: [`${place} must be a map with key and table`] };
  const route = given as Record<string, unknown>;
  const at = typeof route["key"] === "string" ? `the route ${route["key"]}` : place;
  const problems = Object.keys(route)
    .filter((name) => !names.includes(name))
    .map((name) => `${at} has no ${JSON.stringify(name)}; a route has ${names.join(", ")}`);
  const wrong = (what: string): void => void problems.push(`${at}: ${what}`);
  const text = (name: string): string | null => {
    const value = route[name];
    if (value === undefined || value === null) return null;
    if (typeof value === "string" && value !== "") return value;
    wrong(`${name} must be a text`);
    return null;
  };
  const key = text("key");
  const pattern = key === null ? { wrong: "it needs a key" } : parsePattern(key);
  if ("wrong" in pattern) wrong(pattern.wrong);
  const table = text("table");
  const store = route["store"] ?? null;
  if (store !== null && store !== "none") wrong("store can only be none");
  if (table === null && store === null) wrong("it needs a table, or store: none");
  if (table !== null && store !== null) wrong("it has a table and store: none");
  if (table !== null) {
    const name = parseTableName(table);
    if ("wrong" in name) wrong(name.wrong);
  }
  const inKey = "names" in pattern && pattern.names.includes(anyColumn);
  const column = text("column");
  if (inKey && column !== null) wrong(`it has {${anyColumn}} in its key and a column besides`);
  if (store !== null && column !== null) wrong("store: none has no columns");
  if ("names" in pattern && table !== null && pattern.names.every((name) => name === anyColumn))
    wrong("it has no placeholder for the key of the row");
  const said = ofTheTable.filter((name) => route[name] !== undefined && route[name] !== null);
  if (said.length > 0 && (table === null || known.has(table)))
    wrong(`${said.join(", ")} ${said.length === 1 ? "is" : "are"} said by the first route of a table, and by no other`);
  const of = readOfTable(route, wrong, text);
  if (problems.length > 0 || !("names" in pattern)) return { problems };
  return { pattern, table, column: inKey ? columnInKey : column, ...of };
}

type OfTable = Pick<RouteSpec, "columns" | "expiresAt" | "cacheTtlMs" | "onDelete" | "reload" | "warm">;

function readOfTable(
  route: Record<string, unknown>,
  wrong: (what: string) => void,
  text: (name: string) => string | null,
): OfTable {
  const flag = (name: string): boolean => {
    const value = route[name] ?? false;
    if (typeof value !== "boolean") wrong(`${name} must be true or false`);
    return value === true;
  };
  const columns = route["columns"] ?? null;
  if (columns !== null && !(Array.isArray(columns) && columns.every((name) => typeof name === "string")))
    wrong("columns must be a list of names");
  const ttl = route["cacheTtl"] ?? null;
  const parsed =
    ttl === null ? null : parseOption({ type: "ms", default: 0, min: 1, max: 2 ** 40, scope: "engine", doc: "" }, ttl);
  if (parsed !== null && "problem" in parsed) wrong(`cacheTtl ${parsed.problem}`);
  const onDelete = route["onDelete"] ?? "delete";
  if (!isOnDelete(onDelete)) wrong('onDelete must be "delete" or { set: { column: value } }');
  return {
    columns: columns as readonly string[] | null,
    expiresAt: text("expiresAt"),
    cacheTtlMs: parsed !== null && "value" in parsed ? (parsed.value as number) : null,
    onDelete: onDelete as OnDelete,
    reload: flag("reload"),
    warm: flag("warm"),
  };
}

function isOnDelete(value: unknown): value is OnDelete {
  if (value === "delete") return true;
  const set = typeof value === "object" && value !== null && "set" in value ? value.set : null;
  if (typeof set !== "object" || set === null) return false;
  const values = Object.values(set);
  return values.length > 0 && values.every((one) => ["string", "number", "boolean"].includes(typeof one));
}

/** Reads the name of a table: `users`, `shop.users`, `"odd.name"`, `shop."odd.name"`. */
export function parseTableName(text: string): TableName | { readonly wrong: string } {
  const parts = /^(?:("(?:[^"]|"")+"|[^".]+)\.)?("(?:[^"]|"")+"|[^".]+)$/.exec(text);
  if (parts === null) return { wrong: `${JSON.stringify(text)} is not the name of a table` };
  const plain = (part: string): string => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part);
  return { schema: parts[1] === undefined ? null : plain(parts[1]), name: plain(parts[2] as string) };
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
