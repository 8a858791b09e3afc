/** The rows of one typed collection: read and written by their keys, with the values a program works with. */
import { bytesOfText, type Bytes } from "../bytes.js";
import type { Fields } from "../change.js";
import { WriteBehindError } from "../errors.js";
import type { WaitOptions } from "../heart.js";
import type { MappedTable } from "../routes/mapped-table.js";
import { fillPattern, parsePattern, type Pattern } from "../routes/pattern.js";
import type { Plan } from "../routes/plan.js";
import type { Workspace } from "../workspace.js";
import type { AnyCollection, NewRow, RowKey } from "./collection.js";
import type { Receipt, SetOptions, Verbs } from "./receipt.js";
import { textOfTyped, typedOfText } from "./row-values.js";
import { checkedTtl, incremented, integerStep, safeNumber } from "./values.js";

/** Names of the columns that hold numbers. */
type Numeric<Row> = { [Name in keyof Row]: NonNullable<Row[Name]> extends number | bigint ? Name : never }[keyof Row];

/** What is done to one row, as work on a workspace. Shared by the collection and by transactions. */
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

  /** The key that names a row. Throws BAD_VALUE where a placeholder has no value. */
  keyOf(key: Readonly<Record<string, unknown>>): Bytes {
    const values = this.#pattern.names.map((name) => {
      const value = key[name];
      if (typeof value === "string" || typeof value === "number" || typeof value === "bigint")
        return bytesOfText(String(value));
      throw new WriteBehindError("BAD_VALUE", `the key of a row of ${this.#collection.route.key} needs ${name}`);
    });
    return fillPattern(this.#pattern, values);
  }

  read(key: Bytes): (workspace: Workspace) => Record<string, unknown> | null {
    return (workspace) => {
      const fields = workspace.getHash(key);
      return fields === null ? null : this.#typed(key, fields);
    };
  }

  /** The whole row anew. Goes through the schema, where there is one. */
  async set(key: Bytes, row: object, ttlMs: number | null): Promise<(workspace: Workspace) => void> {
    const checked = await this.#checked(row);
    return (workspace) => {
      const { set } = this.#texts(checked);
      workspace.replaceFields(key, set, ttlMs === null ? null : workspace.now + ttlMs);
    };
  }

  update(key: Bytes, row: object): (workspace: Workspace) => void {
    return (workspace) => {
      const { set, unset } = this.#texts(row);
      workspace.mergeFields(key, set, unset);
    };
  }

  increment(key: Bytes, name: string, by: bigint): (workspace: Workspace) => number {
    return (workspace) => {
      const field = bytesOfText(name);
      const sum = safeNumber(incremented(workspace.getHash(key)?.get(field) ?? null, by));
      workspace.setFields(key, new Map([[field, String(sum) as Bytes]]));
      return sum;
    };
  }

  async #checked(row: object): Promise<object> {
    const { schema, route } = this.#collection;
    if (schema === null) return row;
    const result = await schema["~standard"].validate(row);
    if (result.issues === undefined) return result.value as object;
    const issues = result.issues.map(({ message, path }) =>
      path === undefined ? message : `${path.join(".")}: ${message}`,
    );
    throw new WriteBehindError("BAD_VALUE", `a row of ${route.key} is not what its schema says: ${issues.join("; ")}`);
  }

  #texts(row: object): { readonly set: Fields; readonly unset: readonly Bytes[] } {
    const table = this.#table();
    const set = new Map<Bytes, Bytes>();
    const unset: Bytes[] = [];
    for (const [name, value] of Object.entries(row) as [string, unknown][]) {
      if (value === undefined) continue;
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
    const values = (this.#plan() as Plan).rowOf((this.#plan() as Plan).resolve(key).record)?.key ?? [];
    for (const [at, column] of table.keyColumns.entries()) row[column.name] = typedOfText(column, values[at] as Bytes);
    for (const [field, column] of table.fields) {
      const value = fields.get(field);
      row[column.name] = value === undefined ? null : typedOfText(column, value);
    }
    return row;
  }

  /** As it is now: the tables may have been looked at afresh. */
  #table(): MappedTable {
    const { route } = this.#collection;
    const table = this.#plan()?.tables.find(({ schema }) => schema.name === route.table);
    if (table !== undefined) return table;
    throw new WriteBehindError("CONFIG", `the collection ${route.key} is not among the routes of this instance`, {
      hint: "writeBehind({ …, routes: [it] })",
    });
  }
}

/** The rows of a collection, by key. Values are those of the row's type; a column that is NULL is null. */
export class CollectionHandle<Pattern extends string, Row, New = NewRow<Pattern, Row>> {
  readonly #wb: Verbs;
  readonly #work: RowWork;

  constructor(wb: Verbs, work: RowWork) {
    this.#wb = wb;
    this.#work = work;
  }

  /** The newest row, key columns included, or null. Rejects STORE_DOWN where it must be loaded and cannot. */
  async get(key: RowKey<Pattern, Row>, options?: WaitOptions): Promise<Row | null> {
    return (await this.#wb.read(this.#work.read(this.#work.keyOf(key)), options)) as Row | null;
  }

  /** Makes this the whole row: columns that are not named get their default, or NULL. Never needs the database. */
  async set(key: RowKey<Pattern, Row>, row: New, options: SetOptions = {}): Promise<Receipt> {
    const work = await this.#work.set(this.#work.keyOf(key), row as object, checkedTtl(options.ttlMs));
    return this.#wb.write(work, options);
  }

  /** Changes some columns; only they reach the database, and null is NULL. Never needs the database. */
  async update(key: RowKey<Pattern, Row>, columns: Partial<New>, options?: WaitOptions): Promise<Receipt> {
    return this.#wb.write(this.#work.update(this.#work.keyOf(key), columns), options);
  }

  /** Adds to an integer column (NULL: 0) and gives the sum. Rejects BAD_VALUE beyond 2^53 and beyond the column. */
  async increment(
    key: RowKey<Pattern, Row>,
    column: Numeric<Row>,
    by: number = 1,
    options?: WaitOptions,
  ): Promise<number> {
    const work = this.#work.increment(this.#work.keyOf(key), column as string, integerStep(by));
    return this.#wb.run(work, options);
  }

  /** Deletes the row, or marks it as deleted where the route says so. Never needs the database. */
  async delete(key: RowKey<Pattern, Row>, options?: WaitOptions): Promise<Receipt> {
    const keyBytes = this.#work.keyOf(key);
    return this.#wb.write((workspace) => workspace.remove(keyBytes), options);
  }
}

/** The same in a transaction: reads see its own writes, and nothing is written before its end. */
export class TransactionCollection<Pattern extends string, Row, New = NewRow<Pattern, Row>> {
  readonly #verbs: TransactionVerbs;
  readonly #work: RowWork;

  constructor(verbs: TransactionVerbs, work: RowWork) {
    this.#verbs = verbs;
    this.#work = work;
  }

  /** The row, or null. */
  async get(key: RowKey<Pattern, Row>): Promise<Row | null> {
    const keyBytes = this.#work.keyOf(key);
    return (await this.#verbs.read(keyBytes, this.#work.read(keyBytes))) as Row | null;
  }

  /** Makes this the whole row. Resolves when it was checked. */
  async set(key: RowKey<Pattern, Row>, row: New): Promise<void> {
    this.#verbs.write(await this.#work.set(this.#work.keyOf(key), row as object, null));
  }

  /** Changes some columns. */
  update(key: RowKey<Pattern, Row>, columns: Partial<New>): void {
    this.#verbs.write(this.#work.update(this.#work.keyOf(key), columns));
  }

  /** Adds to an integer column and gives the sum. */
  async increment(key: RowKey<Pattern, Row>, column: Numeric<Row>, by: number = 1): Promise<number> {
    const keyBytes = this.#work.keyOf(key);
    const work = this.#work.increment(keyBytes, column as string, integerStep(by));
    const sum = await this.#verbs.read(keyBytes, work);
    this.#verbs.write(work);
    return sum;
  }

  /** Deletes the row. */
  delete(key: RowKey<Pattern, Row>): void {
    const keyBytes = this.#work.keyOf(key);
    this.#verbs.write((workspace) => workspace.remove(keyBytes));
  }
}

/** What a transaction does for its collections. */
export interface TransactionVerbs {
  read<T>(key: Bytes, work: (workspace: Workspace) => T): Promise<T>;
  write(work: (workspace: Workspace) => void): void;
}
