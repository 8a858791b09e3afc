/**
 * How long what the keeper has of a record may be answered once the database has it: as the route of its table says,
 * and not at all where the database may have made more of a change than it was given (defaults, triggers).
 */
import type { Bytes } from "../../bytes.js";
import type { RecordChange } from "../../change.js";
import { planOf } from "../../routes/check.js";
import type { Plan } from "../../routes/plan.js";
import type { Routing } from "../../routes/route.js";
import { mayDiffer } from "../../routes/row-door.js";
import type { TableSchema } from "../../routes/table.js";

/** How long records stay. */
export class Freshness {
  readonly #routing: Routing;
  readonly #cacheTtlMs: number;
  #plan: Plan | null = null;

  /** `cacheTtlMs`: how long a clean record stays where no route says less. */
  constructor(routing: Routing, cacheTtlMs: number) {
    this.#routing = routing;
    this.#cacheTtlMs = cacheTtlMs;
  }

  /** The store has looked at its tables. */
  found(tables: readonly TableSchema[]): void {
    const { routes, unrouted } = this.#routing;
    const made = planOf(routes, tables, unrouted);
    this.#plan = "plan" in made ? made.plan : null;
  }

  /** Whether the row may hold more than a change says. */
  mayDiffer({ record, change }: RecordChange): boolean {
    const table = this.#plan?.rowOf(record)?.table ?? null;
    return table !== null && mayDiffer(table, change);
  }

  /** How long a record may be answered, in milliseconds. */
  ofRecord(record: Bytes): number {
    const ttlMs = this.#plan?.rowOf(record)?.table.route.cacheTtlMs ?? null;
    return ttlMs === null ? this.#cacheTtlMs : Math.min(ttlMs, this.#cacheTtlMs);
  }
}
