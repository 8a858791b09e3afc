/** The database, as the writers of one worker have found it. Pure. */
import type { Trouble } from "./owned.js";
import type { StoreHealth } from "./report.js";

/** What is the worst that one of them says; `upSince` where none says anything. */
export function storeHealthOf(kind: string, troubles: readonly Trouble[], upSince: number): StoreHealth {
  const worst = troubles.find(({ state }) => state === "broken") ?? troubles[0];
  if (worst === undefined) return { kind, state: "up", since: upSince, error: null, nextTryAt: null };
  const { state, error, nextTryAt } = worst;
  const since = Math.min(...troubles.map((trouble) => trouble.since));
  return { kind, state, since, error, nextTryAt };
}
