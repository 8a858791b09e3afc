/** What does not fit between one table and its routes, as sentences. check.ts puts the tables together. Pure. */
import { bytesOfText } from "../bytes.js";
import { nearest } from "../options-parse.js";
import { canonical, WrongValue } from "./canonical.js";
import type { Column, ColumnType } from "./column.js";
import type { MappedTable } from "./mapped-table.js";
import { anyColumn, columnInKey, type RouteSpec } from "./route.js";
import type { TableSchema } from "./table.js";

/** A table and the routes that name it. */
export interface TableFacts {
  readonly schema: TableSchema;
  /** Its routes; what the first one says of the table holds for all. */
  readonly routes: readonly RouteSpec[];
  readonly route: RouteSpec;
  /** The columns of its key, in the order of the database; null where the placeholders are no key. */
  readonly key: readonly string[] | null;
  /** The columns that are fields. */
  readonly fields: readonly Column[];
  readonly marks: MappedTable["marks"];
}

/** The column of this name. */
export function columnNamed({ columns }: TableSchema, name: string): Column | null {
  return columns.find((column) => column.name === name) ?? null;
}

/** The placeholders of a route that stand for columns of the key. */
export function keyNames({ pattern }: RouteSpec): readonly string[] {
  return pattern.names.filter((name) => name !== anyColumn);
}

/** Puts together what is known of a table. What names no column is left out: `tableProblems` says so. */
export function factsOf(schema: TableSchema, routes: readonly RouteSpec[]): TableFacts {
  const route = routes[0] as RouteSpec;
  const named = keyNames(route);
  const key = schema.uniqueKeys.find((names) => sameNames(names, named)) ?? null;
  const set = route.onDelete === "delete" ? null : Object.entries(route.onDelete.set);
  const marks = set?.flatMap(([name, value]) => {
    const column = columnNamed(schema, name);
    return column === null ? [] : [{ column, value }];
  });
  const taken = new Set([...named, route.expiresAt, ...(marks ?? []).map(({ column }) => column.name)]);
  const fields = schema.columns.filter(
    ({ name, type }) => !taken.has(name) && type.kind !== "unknown" && route.columns?.includes(name) !== false,
  );
  return { schema, routes, route, key, fields, marks: marks ?? null };
}

/** Everything that does not fit. */
export function tableProblems(facts: TableFacts): readonly string[] {
  const { schema } = facts;
  return [
    ...schema.problems.map((problem) => `the table ${schema.name}: ${problem}`),
    ...keyProblems(facts),
    ...fieldProblems(facts),
    ...expiresAtProblems(facts),
    ...markProblems(facts),
    ...uncoveredProblems(facts),
  ];
}

/** What works and may surprise. */
export function tableWarnings({ schema, routes, route, fields }: TableFacts): readonly string[] {
  const warnings: string[] = [];
  const alone = schema.columns.filter(({ type }) => type.kind === "unknown").map(shown);
  if (alone.length > 0 && route.columns === null)
    warnings.push(`the table ${schema.name}: of a type that is left alone, so no field: ${alone.join(", ")}`);
  const behind = [
    ...(schema.hasTriggers ? ["triggers"] : []),
    ...(fields.some(({ generated }) => generated) ? ["generated columns"] : []),
  ];
  if (behind.length > 0 && !route.reload)
    warnings.push(
      `the table ${schema.name} has ${behind.join(" and ")}: the cache does not see what the database changes by them; ` +
        "set reload: true to have a record read again after its commit",
    );
  // Several keys may be written by one command, so all that any key reaches may be in a new row.
  const reachesAll = routes.some(({ column }) => column === null || column === columnInKey);
  const needed = fields.filter((column) => isNeeded(column) && !routes.some((one) => one.column === column.name));
  if (!reachesAll && needed.length > 0)
    warnings.push(
      `the table ${schema.name}: no key can make a new row, for none gives a value to ${needed.map(shown).join(", ")}; ` +
        "add a route for the whole row, or see that the rows are there",
    );
  return warnings;
}

/** A column as a message shows it: with its type. */
export function shown({ name, typeName }: Column): string {
  return `${name} (${typeName})`;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

/** The database refuses a new row that gives it no value. */
function isNeeded({ nullable, hasDefault, generated }: Column): boolean {
  return !nullable && !hasDefault && !generated;
}

function noColumn(schema: TableSchema, name: string): string {
  const names = schema.columns.map((column) => column.name);
  const meant = nearest(name, names);
  return `the table ${schema.name} has no column ${name}; ${meant === null ? `it has ${names.join(", ")}` : `did you mean ${meant}?`}`;
}

function keyProblems(facts: TableFacts): string[] {
  const { schema, routes, route, key } = facts;
  const unknown = routes.flatMap((one) =>
    keyNames(one)
      .filter((name) => columnNamed(schema, name) === null)
      .map((name) => `the route ${one.pattern.text}: ${noColumn(schema, name)}`),
  );
  if (unknown.length > 0) return unknown;
  const first = keyNames(route);
  const others = routes
    .filter((one) => !sameNames(keyNames(one), first))
    .map(
      (one) =>
        `the routes ${route.pattern.text} and ${one.pattern.text} find the rows of ${schema.name} by different columns ` +
        `(${first.join(", ")} and ${keyNames(one).join(", ")}): use the same ones`,
    );
  if (key === null) return [noKey(facts), ...others];
  const types = key.flatMap((name) => {
    const column = columnNamed(schema, name) as Column;
    const why = column.generated ? "the database works it out itself" : whyNoKey(column.type);
    if (why === null) return [];
    return [`the table ${schema.name}: ${shown(column)} cannot be in a key: ${why}; use another key of the table`];
  });
  return [...others, ...types];
}

function noKey({ schema, route }: TableFacts): string {
  const named = keyNames(route).join(", ");
  if (schema.uniqueKeys.length === 0)
    return `the table ${schema.name} has no primary key and no unique key without NULLs: give it one`;
  const keys = schema.uniqueKeys.map((names) => `(${names.join(", ")})`).join(", ");
  const reserved = schema.uniqueKeys.some((names) => names.includes(anyColumn))
    ? `; ${columnInKey} is always the name of a column, so a key with a column of that name cannot be used`
    : "";
  return (
    `the route ${route.pattern.text}: (${named}) is no key of the table ${schema.name}: ` +
    `make the placeholders the columns of one of its keys, which are ${keys}${reserved}`
  );
}

/** Why a column of this type cannot be in a key: two keys would be one row, or a key could never be written. */
function whyNoKey(type: ColumnType): string | null {
  switch (type.kind) {
    case "float":
      return "one floating-point number is written in many ways";
    case "decimal":
      return type.precision === null || type.scale === null ? "without a precision 1 and 1.0 are one key" : null;
    case "text":
      return type.padded ? "spaces at its end mean nothing" : null;
    case "time":
    case "timestamp":
      return "there are colons in its text, which end a placeholder";
    case "affinity":
      return "it takes texts and numbers, and makes some of the ones into the others";
    case "json":
      return "one value is written in many ways";
    case "unknown":
      return "the type is not known here";
    default:
      return null;
  }
}

function fieldProblems(facts: TableFacts): string[] {
  const { schema, routes, route, fields } = facts;
  const isField = new Set(fields.map(({ name }) => name));
  const fixed = routes.flatMap((one) => {
    if (one.column === null || one.column === columnInKey || isField.has(one.column)) return [];
    return [`the route ${one.pattern.text}: column: ${whyNoField(facts, one.column)}`];
  });
  const listed = (route.columns ?? [])
    .filter((name) => !isField.has(name))
    .map((name) => `the route ${route.pattern.text}: columns: ${whyNoField(facts, name)}`);
  const odd = isField.has(columnInKey)
    ? [`the table ${schema.name} has a column that is called ${columnInKey}: leave it out of the fields with columns`]
    : [];
  return [...fixed, ...listed, ...odd];
}

function whyNoField({ schema, route, marks }: TableFacts, name: string): string {
  const column = columnNamed(schema, name);
  if (column === null) return noColumn(schema, name);
  if (keyNames(route).includes(name)) return `${name} is in the key of ${schema.name}, so it is no field: take it out`;
  if (route.expiresAt === name) return `${name} is named by expiresAt, so it is no field: take one of the two out`;
  if (marks?.some((mark) => mark.column === column) === true)
    return `${name} is set by onDelete, so it is no field: take one of the two out`;
  if (column.type.kind === "unknown") return `${shown(column)} is of a type that is left alone: take it out`;
  return `${name} is missing in the columns that ${route.pattern.text} lists: add it there`;
}

/** What holds for every column that has a part of its own: not in the key, not worked out by the database. */
function partProblems({ schema, route }: TableFacts, name: string): string[] {
  const column = columnNamed(schema, name);
  if (column === null) return [noColumn(schema, name)];
  if (keyNames(route).includes(name)) return [`${name} is in the key of ${schema.name}: name another column`];
  if (column.generated)
    return [`${shown(column)} of ${schema.name} is worked out by the database: name another column`];
  return [];
}

/** Times, also as databases without a type for them have them: numbers, or whatever looks like a time. */
function holdsTime(type: ColumnType): boolean {
  if (type.kind === "integer") return type.bits === 64;
  return ["date", "time", "timestamp", "affinity"].includes(type.kind);
}

function expiresAtProblems(facts: TableFacts): string[] {
  const { schema, route } = facts;
  if (route.expiresAt === null) return [];
  const problems = partProblems(facts, route.expiresAt);
  const column = columnNamed(schema, route.expiresAt);
  if (problems.length === 0 && column !== null) {
    const { type } = column;
    if (
      !holdsTime(type) ||
      type.kind === "date" ||
      type.kind === "time" ||
      (type.kind === "timestamp" && type.digits < 3)
    )
      problems.push(
        `${shown(column)} of ${schema.name} cannot say when a row ends: make it a timestamp with milliseconds, ` +
          "or an integer of 64 bits (milliseconds since 1970)",
      );
    if (!column.nullable)
      problems.push(`${shown(column)} of ${schema.name} must take NULL, which says that a row does not end`);
  }
  return problems.map((problem) => `the route ${route.pattern.text}: expiresAt: ${problem}`);
}

function markProblems(facts: TableFacts): string[] {
  const { schema, route } = facts;
  if (route.onDelete === "delete") return [];
  const problems = Object.entries(route.onDelete.set).flatMap(([name, value]) => {
    const wrong = partProblems(facts, name);
    if (wrong.length > 0) return wrong;
    if (name === route.expiresAt) return [`${name} is named by expiresAt, too: name another column`];
    return markValueProblems(schema, columnNamed(schema, name) as Column, value);
  });
  return problems.map((problem) => `the route ${route.pattern.text}: onDelete: ${problem}`);
}

function markValueProblems(schema: TableSchema, column: Column, value: string | number | boolean): string[] {
  const of = `${shown(column)} of ${schema.name}`;
  if (value === "now") {
    if (!holdsTime(column.type))
      return [
        `now needs a column for a time, or an integer of 64 bits (milliseconds since 1970), and ${of} is neither: ` +
          "give a value that the column takes",
      ];
    return column.nullable ? [] : [`${of} must take NULL, which says that a row is not deleted`];
  }
  if (column.type.kind === "unknown") return [`${of} is of a type that is left alone: name another column`];
  const problems: string[] = [];
  if (!column.nullable && !column.hasDefault)
    problems.push(`${of} must take NULL or have a default, which says that a row is not deleted`);
  const text = canonical(column.type, bytesOfText(String(value)));
  if (text instanceof WrongValue) problems.push(`${JSON.stringify(value)} for ${of} ${text.why}: correct the value`);
  return problems;
}

/** Every INSERT would fail. */
function uncoveredProblems({ schema, route, fields, marks }: TableFacts): string[] {
  const covered = new Set([
    ...fields.map(({ name }) => name),
    ...keyNames(route),
    route.expiresAt,
    ...(marks ?? []).map(({ column }) => column.name),
  ]);
  return schema.columns
    .filter((column) => isNeeded(column) && !covered.has(column.name))
    .map((column) => {
      const remedy =
        column.type.kind === "unknown"
          ? "its type is left alone, so give it a default, or let it take NULL"
          : "add it to columns, give it a default, or let it take NULL";
      return `the table ${schema.name}: no new row could be made, for ${shown(column)} needs a value and is no field: ${remedy}`;
    });
}
