/**
 * What the workers of a fleet have done, added up from what each says of itself since it lives. It never goes back:
 * what a worker had done that has left is still counted, as far as it was heard of.
 */
import { retryClasses, WriterTally } from "../../counters.js";
import type { WorkerReport } from "../worker/report.js";

/** Workers that are remembered: one that was taken to be gone may be heard of again. */
const workersMax = 1000;

type Done = Pick<WorkerReport, "totals" | "tally">;

const nothing: WorkerReport["totals"] = { batches: 0, rows: 0, coalesced: 0, retries: 0 };

/** The sum. */
export class WorkerTotals {
  readonly totals = { ...nothing };
  readonly tally = new WriterTally();
  readonly #last = new Map<string, Done>();

  /** Adds what a worker has done since it was heard of last. */
  saw(report: WorkerReport | null): void {
    if (report === null) return;
    const { id, totals, tally } = report;
    const before = this.#last.get(id);
    this.#last.delete(id);
    this.#last.set(id, { totals, tally });
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= workersMax) break;
      this.#last.delete(oldest);
    }
    for (const name of ["batches", "rows", "coalesced", "retries"] as const)
      this.totals[name] += grown(totals[name], before?.totals[name]);
    if (tally === undefined) return;
    const { commitSeconds, retries } = this.tally;
    for (const [bucket, count] of commitSeconds.counts.entries())
      commitSeconds.counts[bucket] = count + grown(tally.commitCounts[bucket], before?.tally?.commitCounts[bucket]);
    commitSeconds.sum += grown(tally.commitSum, before?.tally?.commitSum);
    for (const name of retryClasses) retries[name] += grown(tally.retries[name], before?.tally?.retries[name]);
  }
}

function grown(now: number | undefined, before: number | undefined): number {
  return Math.max(0, (now ?? 0) - (before ?? 0));
}
