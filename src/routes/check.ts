/** (A stand-in until the real one is merged.) */
import { Plan } from "./plan.js";
import type { RouteSpec, Unrouted } from "./route.js";
import type { TableSchema } from "./table.js";

export function planOf(
  routes: readonly RouteSpec[],
  tables: readonly TableSchema[],
  unrouted: Unrouted,
): { plan: Plan } | { problems: readonly string[] } {
  return tables.length > 0 ? { problems: ["none"] } : { plan: new Plan(routes, [], unrouted) };
}
