/** What samples say about a moment: rates are differences of counters. Pure. */
import type { Sample } from "../watch.js";

/** Numbers of now, over the last few seconds. Per second, where the name says so; null: nothing to divide by. */
export interface Rates {
  readonly writesPerSecond: number;
  readonly rowsPerSecond: number;
  readonly batchesPerSecond: number;
  readonly changesPerBatch: number | null;
  readonly hitShare: number | null;
  /** Of the changes that were stored lately: those that needed no row of their own. */
  readonly savedShare: number | null;
}

type Counter = "writes" | "rows" | "batches" | "coalesced" | "hits" | "misses";

/** So many seconds are looked at for the numbers of now. */
const windowSamples = 5;

/** The rates at the end of samples. */
export function ratesOf(samples: readonly Sample[]): Rates {
  const last = samples.at(-1);
  const first = samples.at(-1 - windowSamples) ?? samples[0];
  const seconds = Math.max(0.001, ((last?.at ?? 0) - (first?.at ?? 0)) / 1000);
  // A counter that went back began anew: the server was started again.
  const grown = (name: Counter): number => Math.max(0, (last?.[name] ?? 0) - (first?.[name] ?? 0));
  const [rows, batches, coalesced, hits, misses] = [
    grown("rows"),
    grown("batches"),
    grown("coalesced"),
    grown("hits"),
    grown("misses"),
  ];
  const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
  return {
    writesPerSecond: grown("writes") / seconds,
    rowsPerSecond: rows / seconds,
    batchesPerSecond: batches / seconds,
    changesPerBatch: share(rows + coalesced, batches),
    hitShare: share(hits, hits + misses),
    savedShare: share(coalesced, rows + coalesced),
  };
}

/** A counter's growth per second at each sample, for a chart; null where there is none before it. */
export function perSecond(samples: readonly Sample[], name: Counter): (number | null)[] {
  return samples.map((sample, index) => {
    const before = samples[index - 1];
    if (before === undefined || sample.at <= before.at) return null;
    return (1000 * Math.max(0, sample[name] - before[name])) / (sample.at - before.at);
  });
}

/** The share of lookups that hit at each sample; null where there were none. */
export function hitShares(samples: readonly Sample[]): (number | null)[] {
  return samples.map((sample, index) => {
    const before = samples[index - 1];
    if (before === undefined) return null;
    const [hits, misses] = [sample.hits - before.hits, sample.misses - before.misses];
    return hits < 0 || misses < 0 || hits + misses === 0 ? null : (100 * hits) / (hits + misses);
  });
}
