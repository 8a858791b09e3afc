/** The lesson's two tables as rows of cells, for whoever draws them. Pure. */
import type { Lesson } from "./lesson.js";

/** A table: its heads, and its rows of as many cells. */
export interface Table {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Step, Action, Cache State, Write Queue, DB State, Output. */
export function executionTable({ rows }: Lesson): Table {
  return {
    heads: ["Step", "Action", "Cache State", "Write Queue", "DB State", "Output"],
    rows: rows.map(({ step, action, cells }) => [
      String(step),
      action,
      cells.cache,
      cells.queue,
      cells.database,
      cells.output,
    ]),
  };
}

/** Cache, Write Queue, DB and Output over time. */
export function trackerTable({ tracker }: Lesson): Table {
  return {
    heads: ["Variable", ...tracker.columns],
    rows: tracker.rows.map(({ name, cells }) => [name, ...cells]),
  };
}
