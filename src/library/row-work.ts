/** What is done to one row of a typed collection, as work on a workspace: for collections and for transactions. */
import { bytesOfText, type Bytes } from "../bytes.js";
import type { Fields } from "../change.js";
import { WriteBehindError } from "../errors.js";
import { canonical } from "../routes/canonical.js";
import type { Column } from "../routes/column.js";
import type { MappedTable } from "../routes/mapped-table.js";
import { fillPattern, keyText, matchKey, parsePattern, type Pattern } from "../routes/pattern.js";
import type { Plan } from "../routes/plan.js";
import type { Workspace } from "../workspace.js";
import type { AnyCollection, StandardIssue } from "./collection.js";
import { textOfTyped, typedOfText } from "./row-values.js";
import { incremented, safeNumber } from "./values.js";

/** The key of a row, as a program gives it. */
type GivenKey = Readonly<Record<string, unknown>>;

/** Which row work is on. */
export interface RowOf {
  /** The key of its record. */
  readonly key: Bytes;
  readonly given: GivenKey;
}

/** The work on rows of one collection. */
export class RowWork {
  readonly #collection: AnyCollection;
  readonly #pattern: Pattern;
  readonly #plan: () => Plan | null;

  constructor(of: AnyCollection, plan: () => Plan | null) {
    this.#collection = of;
    this.#plan = plan;
    const pattern = parsePattern(of.route.key);
    if ("wrong" in pattern) throw new WriteBehindError("CONFIG", `the route ${of.route.key}: ${pattern.wrong}`);
    this.#pattern = pattern;
  }

  /** The row of a key. Throws BAD_VALUE where a placeholder has no value or one that no key can hold, and CONFIG. */
  rowOf(given: GivenKey): RowOf {
    const { keyColumns } = this.#table();
    const values = this.#pattern.names.map((name) => {
      const value = given[name] ?? null;
      if (value === null) throw badValue(`the key of a row of ${this.#collection.route.key} needs ${name}`);
      return textOfTyped(keyColumns.find((column) => column.name === name) as Column, value);
    });
    const key = fillPattern(this.#pattern, values);
    // Else it would be the key of another record, in another table.
    if (matchKey(this.#pattern, key) === null)
      throw badValue(`${keyText(key)}: what a key of ${this.#pattern.text} names is neither empty nor has a ":" in it`);
    return { key, given };
  }

  read({ key }: RowOf): (workspace: Workspace) => Record<string, unknown> | null {
    return (workspace) => {
      const fields = workspace.getHash(key);
      return fields === null ? null : this.#typed(key, fields);
    };
  }

  /** The whole row anew. Goes through the schema, where there is one. */
  async set(of: RowOf, row: object, ttlMs: number | null): Promise<(workspace: Workspace) => void> {
    const { key } = of;
    const checked = await this.#checked(of, row);
    return (workspace) => {
      const { set, unset } = this.#texts(of, checked);
      for (const field of unset) this.#checkNull(key, field);
      workspace.replaceFields(key, set, ttlMs === null ? null : workspace.now + ttlMs);
    };
  }

  update(of: RowOf, row: object): (workspace: Workspace) => void {
    return (workspace) => {
      const { set, unset } = this.#texts(of, row);
      workspace.mergeFields(of.key, set, unset);
    };
  }

  increment({ key }: RowOf, name: string, by: bigint): (workspace: Workspace) => number {
    return (workspace) => {
      const field = bytesOfText(name);
      const sum = safeNumber(incremented(workspace.getHash(key)?.get(field) ?? null, by));
      workspace.setFields(key, new Map([[field, String(sum) as Bytes]]));
      return sum;
    };
  }

  /** A schema is of the whole row, as it is read: with the columns of its key. */
  async #checked({ given }: RowOf, row: object): Promise<object> {
    const { schema, route } = this.#collection;
    if (schema === null) return row;
    const result = await schema["~standard"].validate({ ...given, ...row });
    if (result.issues === undefined) return result.value as object;
    throw badValue(`a row of ${route.key} is not what its schema says: ${result.issues.map(issueText).join("; ")}`);
  }

  #texts({ key }: RowOf, row: object): { readonly set: Fields; readonly unset: readonly Bytes[] } {
    const table = this.#table();
    const set = new Map<Bytes, Bytes>();
    const unset: Bytes[] = [];
    for (const [name, value] of Object.entries(row) as [string, unknown][]) {
      if (value === undefined || this.#isInKey(table, key, name, value)) continue;
      const field = bytesOfText(name);
      const column = table.fields.get(field);
      // The door says what is wrong with the name.
      if (value === null) unset.push(field);
      else set.set(field, column === undefined ? ("" as Bytes) : textOfTyped(column, value));
    }
    return { set, unset };
  }

  #typed(key: Bytes, fields: Fields): Record<string, unknown> {
    const table = this.#table();
    const row: Record<string, unknown> = {};
    const values = this.#keyTexts(key);
    for (const [at, column] of table.keyColumns.entries()) row[column.name] = typedOfText(column, values[at] as Bytes);
    for (const [field, column] of table.fields) {
      const value = fields.get(field);
      row[column.name] = value === undefined ? null : typedOfText(column, value);
    }
    return row;
  }

  /** A row is made with the columns that it names, and the database gives the others their default. */
  #checkNull(key: Bytes, field: Bytes): void {
    const column = this.#table().fields.get(field);
    if (column?.hasDefault === true)
      throw badValue(
        `${keyText(key)}: the column ${column.name} has a default, so a whole row cannot have NULL in it: leave it out, or update it once the row is stored`,
      );
  }

  /** Whether a value is that of a column in the key: a row that was read can be written again. Throws BAD_VALUE. */
  #isInKey(table: MappedTable, key: Bytes, name: string, value: unknown): boolean {
    const at = table.keyColumns.findIndex((column) => column.name === name);
    if (at === -1) return false;
    const column = table.keyColumns[at] as Column;
    const text = value === null ? null : canonical(column.type, textOfTyped(column, value));
    if (text === this.#keyTexts(key)[at]) return true;
    throw badValue(`${keyText(key)}: the row has another ${name} than its key`);
  }

  /** The values of the key's columns. */
  #keyTexts(key: Bytes): readonly Bytes[] {
    const plan = this.#plan() as Plan;
    return plan.rowOf(plan.resolve(key).record)?.key ?? [];
  }

  /** As it is now: the tables may have been looked at afresh. */
  #table(): MappedTable {
    const { key } = this.#collection.route;
    const table = this.#plan()?.tableOf(key) ?? null;
    if (table !== null) return table;
    throw new WriteBehindError("CONFIG", `the collection ${key} is not among the routes of this instance`, {
      hint: "writeBehind({ …, routes: [it] }); its keys name whole rows",
    });
  }
}

function issueText({ message, path }: StandardIssue): string {
  if (path === undefined || path.length === 0) return message;
  const names = path.map((part) => String(typeof part === "object" ? part.key : part));
  return `${names.join(".")}: ${message}`;
}

function badValue(what: string): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", what);
}
