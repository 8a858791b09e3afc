/**
 * Routes and the tables that were found, put together: which key leads where. The side that answers clients and the
 * store make the same plan of the same things, so both know a record's row. Pure.
 */
import { keyIsRecord, type Address } from "../address.js";
import { bytesOfText, textOfBytes, type Bytes } from "../bytes.js";
import { WriteBehindError } from "../errors.js";
import { canonical } from "./canonical.js";
import type { Column } from "./column.js";
import { keyText, matchKey } from "./pattern.js";
import { columnInKey, type RouteSpec, type Unrouted } from "./route.js";
import type { MappedTable } from "./mapped-table.js";

/** A record's row: its table, and the values of the key's columns as text, in the order of `table.keyColumns`. */
export interface RowAddress {
  readonly table: MappedTable;
  readonly key: readonly Bytes[];
}

/** A route in the plan. */
interface Planned {
  readonly spec: RouteSpec;
  /** Null with `store: none`. */
  readonly table: MappedTable | null;
  /** For each placeholder its column of the key, and the place of that in the record's pattern; null for `{column}`. */
  readonly parts: readonly (KeyPart | null)[];
  /** The column that every key of it names; null for the whole row. */
  readonly column: Bytes | null;
}

interface KeyPart {
  readonly column: Column;
  readonly place: number;
}

/** Which key leads where. */
export class Plan {
  readonly tables: readonly MappedTable[];
  readonly unrouted: Unrouted;
  readonly #routes: readonly Planned[];
  readonly #anyCacheOnly: boolean;

  constructor(routes: readonly RouteSpec[], tables: readonly MappedTable[], unrouted: Unrouted) {
    this.tables = tables;
    this.unrouted = unrouted;
    this.#anyCacheOnly = routes.some(({ table }) => table === null);
    const byName = new Map(tables.map((table) => [table.schema.name, table]));
    this.#routes = routes.map((spec) => {
      const table = spec.table === null ? null : (byName.get(spec.table) as MappedTable);
      const parts = table === null ? [] : spec.pattern.names.map((name) => partOf(table, name));
      return { spec, table, parts, column: spec.column === null ? null : bytesOfText(spec.column) };
    });
  }

  /** Where a key leads. Throws BAD_VALUE for a key that no route takes, or that is not how its values are written. */
  resolve(key: Bytes): Address {
    for (const route of this.#routes) {
      const values = matchKey(route.spec.pattern, key);
      if (values === null) continue;
      if (route.table === null) return { record: key, field: null, table: null, cacheOnly: true };
      return addressIn(route, route.table, key, values);
    }
    if (this.unrouted === "refuse") throw noRoute(key);
    return keyIsRecord(key);
  }

  /** The row of a record, or null where it is in the own tables or in none. */
  rowOf(record: Bytes): RowAddress | null {
    for (const table of this.tables) {
      const values = matchKey(table.pattern, record);
      if (values !== null) return { table, key: table.keyOrder.map((at) => values[at] as Bytes) };
    }
    return null;
  }

  /** Whether a record is in the cache and nowhere else. */
  isCacheOnly(record: Bytes): boolean {
    // Whoever asks does so for every record there is.
    if (!this.#anyCacheOnly) return false;
    const route = this.#routes.find(({ spec }) => matchKey(spec.pattern, record) !== null);
    return route !== undefined && route.table === null;
  }

  /** The table whose whole rows are named by the keys of this route; null where no such route is in the plan. */
  tableOf(pattern: string): MappedTable | null {
    const route = this.#routes.find(({ spec }) => spec.pattern.text === pattern && spec.column === null);
    return route?.table ?? null;
  }

  /** The pattern of the route that takes a key, for people; null where none does. */
  routeOf(key: Bytes): string | null {
    return this.#routes.find(({ spec }) => matchKey(spec.pattern, key) !== null)?.spec.pattern.text ?? null;
  }
}

function partOf(table: MappedTable, name: string): KeyPart | null {
  const column = table.keyColumns.find((one) => one.name === name);
  return column === undefined ? null : { column, place: table.placeOfKey(name) };
}

function addressIn(route: Planned, table: MappedTable, key: Bytes, values: readonly Bytes[]): Address {
  let named = route.column;
  const keyValues: Bytes[] = [];
  for (const [at, value] of values.entries()) {
    const part = route.parts[at] as KeyPart | null;
    if (part === null) named = value;
    else keyValues[part.place] = checkedKey(key, part.column, value);
  }
  // The record's pattern has the columns in an order of its own.
  const record = table.recordOf(keyValues);
  // Of a table whose rows no key names whole, the record's own name has the placeholder where others have a column.
  if (named === null || (named === columnInKey && record === key))
    return { record, field: null, table, cacheOnly: false };
  return { record, field: fieldNamed(table, key, named), table, cacheOnly: false };
}

function fieldNamed(table: MappedTable, key: Bytes, name: Bytes): Bytes {
  // Not the part of the key: it would keep the whole key in memory.
  const field = table.fieldNames.get(textOfBytes(name));
  if (field === name) return field;
  throw new WriteBehindError("BAD_VALUE", `${keyText(key)}: ${table.whyNoField(textOfBytes(name))}`, {
    hint: `fields are ${[...table.fieldNames.keys()].join(", ")}`,
  });
}

/** Two spellings of one value would be two records with one row. */
function checkedKey(key: Bytes, column: Column, value: Bytes): Bytes {
  const text = canonical(column.type, value);
  if (text === value) return value;
  const is = typeof text === "string" ? `is written ${keyText(text)}` : text.why;
  throw new WriteBehindError(
    "BAD_VALUE",
    `${keyText(key)}: ${keyText(value)} for the column ${column.name} (${column.typeName}) ${is}`,
    { hint: "write the key as the database writes its columns" },
  );
}

function noRoute(key: Bytes): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", `${keyText(key)} matches no route`, {
    hint: "add a route for it, or set unrouted: store to keep such keys in the own tables",
  });
}
