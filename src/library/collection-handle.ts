/** The rows of one typed collection: read and written by their keys, with the values a program works with. */
import type { Bytes } from "../bytes.js";
import type { WaitOptions } from "../heart.js";
import type { Workspace } from "../workspace.js";
import type { NamesIn, NewRow, RowKey } from "./collection.js";
import type { Receipt, SetOptions, Verbs } from "./receipt.js";
import type { RowWork } from "./row-work.js";
import { checkedTtl, integerStep } from "./values.js";

/** Names of the columns that hold numbers, those of the key left out. */
type Numeric<Pattern extends string, Row> = {
  [Name in keyof Row]: NonNullable<Row[Name]> extends number | bigint ? Exclude<Name, NamesIn<Pattern>> : never;
}[keyof Row];

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
    return (await this.#wb.read(this.#work.read(this.#work.rowOf(key)), options)) as Row | null;
  }

  /** Makes this the whole row: columns that are not named get their default, or NULL. Never needs the database. */
  async set(key: RowKey<Pattern, Row>, row: New, options: SetOptions = {}): Promise<Receipt> {
    const work = await this.#work.set(this.#work.rowOf(key), row as object, checkedTtl(options.ttlMs));
    return this.#wb.write(work, options);
  }

  /**
   * Changes some columns, and makes the row where it is absent; only they reach the database, and null is NULL. Needs
   * the database only where the row may have ended, or where all are null.
   */
  async update(key: RowKey<Pattern, Row>, columns: Partial<New>, options?: WaitOptions): Promise<Receipt> {
    return this.#wb.write(this.#work.update(this.#work.rowOf(key), columns), options);
  }

  /** Adds to an integer column (NULL: 0) and gives the sum. Rejects BAD_VALUE beyond 2^53 and beyond the column. */
  async increment(
    key: RowKey<Pattern, Row>,
    column: Numeric<Pattern, Row>,
    by: number = 1,
    options?: WaitOptions,
  ): Promise<number> {
    const work = this.#work.increment(this.#work.rowOf(key), column as string, integerStep(by));
    return this.#wb.run(work, options);
  }

  /** Deletes the row, or marks it as deleted where the route says so. Never needs the database. */
  async delete(key: RowKey<Pattern, Row>, options?: WaitOptions): Promise<Receipt> {
    const row = this.#work.rowOf(key);
    return this.#wb.write((workspace) => workspace.remove(row.key), options);
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
    const row = this.#work.rowOf(key);
    return (await this.#verbs.read(row.key, this.#work.read(row))) as Row | null;
  }

  /** Makes this the whole row. Resolves when it was checked. */
  async set(key: RowKey<Pattern, Row>, row: New): Promise<void> {
    this.#verbs.write(await this.#work.set(this.#work.rowOf(key), row as object, null));
  }

  /** Changes some columns. */
  update(key: RowKey<Pattern, Row>, columns: Partial<New>): void {
    this.#verbs.write(this.#work.update(this.#work.rowOf(key), columns));
  }

  /** Adds to an integer column and gives the sum. */
  async increment(key: RowKey<Pattern, Row>, column: Numeric<Pattern, Row>, by: number = 1): Promise<number> {
    const row = this.#work.rowOf(key);
    const work = this.#work.increment(row, column as string, integerStep(by));
    const sum = await this.#verbs.read(row.key, work);
    this.#verbs.write(work);
    return sum;
  }

  /** Deletes the row. */
  delete(key: RowKey<Pattern, Row>): void {
    const row = this.#work.rowOf(key);
    this.#verbs.write((workspace) => workspace.remove(row.key));
  }
}

/** What a transaction does for its collections. */
export interface TransactionVerbs {
  read<T>(key: Bytes, work: (workspace: Workspace) => T): Promise<T>;
  write(work: (workspace: Workspace) => void): void;
}
