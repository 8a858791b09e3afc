/** Planted bugs in what routes bring: they show in worlds whose records are rows (rows.ts). See mutants.ts. */
import type { Mutant } from "./mutant.js";

/** Columns without a look at their row, and tables that are remembered. */
export const rowsMutants: readonly Mutant[] = [
  {
    name: "a-row-that-ended-is-changed",
    promise: 4,
    file: "src/workspace.js",
    find: "if (address.table !== null && address.table.expiresAt !== null)",
    replace: "if (false)",
    seeds: 300,
    rows: true,
  },
  {
    name: "taking-a-column-away-makes-a-row",
    promise: 4,
    file: "src/workspace.js",
    find: "if (value === null || !fieldsOf(value.content, key).has(field))",
    replace: "this.#missing = null; if (false)",
    seeds: 300,
    rows: true,
  },
  {
    name: "read-back-of-what-is-not-written",
    promise: 2,
    file: "src/heart/read-back.js",
    find: "> this.#journal.written",
    replace: "> Infinity",
    seeds: 3000,
    rows: true,
  },
  {
    name: "tables-are-not-remembered",
    promise: 6,
    file: "src/heart/addressing.js",
    find: "this.#replan(this.#tables);",
    replace: "this.#replan([]);",
    seeds: 300,
    rows: true,
  },
  {
    name: "tables-are-remembered-without-a-sync",
    promise: 6,
    file: "src/heart/routes-file.js",
    find: "await file.sync();",
    replace: "",
    seeds: 3000,
    rows: true,
  },
];
