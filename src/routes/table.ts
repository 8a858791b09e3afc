/** A table of a user's, as an adapter has found it. Types only. */
import type { Column } from "./column.js";

/** What happens to the rows that refer to a row when that is deleted. */
export type OnDeleteRule = "refuse" | "cascade" | "set";

/** A foreign key from this table. */
export interface Reference {
  readonly columns: readonly string[];
  /** The table it refers to, as routes name it where a route does, else as the database does. */
  readonly table: string;
  readonly onDelete: OnDeleteRule;
  /** A row may be written before the one that it refers to: that is checked at the end of the transaction. */
  readonly waits: boolean;
}

/** A table that a route maps. */
export interface TableSchema {
  /** As the routes name it: `users`, `shop.users`. */
  readonly name: string;
  readonly columns: readonly Column[];
  /** Columns by which a row is found alone: of the primary key, then of every plain unique index without NULLs. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** Columns in further unique indexes or constraints, of whatever kind: two rows may be in each other's way. */
  readonly references: readonly Reference[];
  /** Triggers may change a row behind the cache. */
  readonly hasTriggers: boolean;
  /** What the adapter has found that no route can live with: a key that compares case-insensitively, a view, … */
  readonly problems: readonly string[];
}
