/**
 * Typed collections: a route to a table of one's own, with the type of its rows. The types are checked by the compiler
 * and gone at run time; what a column takes is checked at the door, whoever writes.
 */
import type { Route } from "../routes/route.js";

/** The names of the placeholders in a key's pattern. */
export type NamesIn<Pattern extends string> = Pattern extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;

/** What can be the value of a column in a key. */
type KeyValue = string | number | bigint | boolean | Date | Uint8Array;

/** The key of a row: one value for each placeholder, of the type that the row has. */
export type RowKey<Pattern extends string, Row> = {
  readonly [Name in NamesIn<Pattern>]: Name extends keyof Row
    ? unknown extends Row[Name]
      ? KeyValue
      : Extract<Row[Name], KeyValue>
    : KeyValue;
};

/** What a whole row is made of: its columns beside the key; those that may be null may be left out. */
export type NewRow<Pattern extends string, Row> = {
  readonly [
    Name in keyof Row as Name extends NamesIn<Pattern> ? never : null extends Row[Name] ? never : Name
  ]: Row[Name];
} & {
  readonly [
    Name in keyof Row as Name extends NamesIn<Pattern> ? never : null extends Row[Name] ? Name : never
  ]?: Row[Name];
};

/** What a route says beside its key. */
export type TableOptions = Omit<Route, "key" | "column" | "store"> & { readonly table: string };

/**
 * A schema by the Standard Schema interface (zod, valibot, arktype …): what is set goes through it before it is queued.
 * Source: https://standardschema.dev
 */
export interface StandardSchema<Output> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** What is wrong with a value, and where in it. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

declare const rowTypes: unique symbol;

/** A collection, whatever its rows are. */
export interface AnyCollection {
  readonly route: Route;
  readonly schema: StandardSchema<unknown> | null;
}

/** A route with the types of its rows: pass it in `routes`, and to `wb.collection(…)`. Made by `collection(…)`. */
export interface Collection<Pattern extends string, Row, New = NewRow<Pattern, Row>> extends AnyCollection {
  /** Types only. */
  readonly [rowTypes]?: (pattern: Pattern, row: Row, fresh: New) => void;
}

/** A collection whose rows have no type yet. */
export interface UntypedCollection<Pattern extends string> extends Collection<Pattern, Record<string, unknown>> {
  /** Gives its rows a type: what a query builder or ORM calls the row; `New` is what a whole row needs to be made. */
  typed<Row extends object, New = NewRow<Pattern, Row>>(): Collection<Pattern, Row, New>;
}

/**
 * A typed route to a table: `collection("user:{id}", { table: "users" }).typed<User>()`, or with a `schema` that says
 * the type and checks it. The placeholders are the columns of the row's key.
 */
export function collection<const Pattern extends string, Row extends object>(
  key: Pattern,
  options: TableOptions & { readonly schema: StandardSchema<Row> },
): Collection<Pattern, Row>;
/** The same without a schema: its rows get a type by `typed`. */
export function collection<const Pattern extends string>(
  key: Pattern,
  options: TableOptions,
): UntypedCollection<Pattern>;
/** The one behind both. */
export function collection(
  key: string,
  options: TableOptions & { readonly schema?: StandardSchema<unknown> },
): UntypedCollection<string> {
  const { schema = null, ...rest } = options;
  const made = { route: { ...rest, key }, schema };
  return { ...made, typed: () => made };
}

/** Routes as they are given: plain ones, and collections. */
export function routesOf(given: readonly (Route | AnyCollection)[]): readonly Route[] {
  return given.map((one) => ("route" in one ? one.route : one));
}
