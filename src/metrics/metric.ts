/** What a metric is: one entry of the table (table.ts), and what it is read from. It knows no format. */
import type { ServerCounters } from "../commands/command.js";
import type { Counters, Histogram } from "../counters.js";
import type { Heart, Status } from "../heart.js";

/** What metrics are read from, at one moment. */
export interface MetricSources {
  readonly status: Status;
  readonly counters: Counters;
  /** Of the server of the Redis protocol; null where there is none. */
  readonly server: Readonly<ServerCounters> | null;
  /** How late the event loop was; null where nobody looks. */
  readonly eventLoopLag: Histogram | null;
  readonly version: string;
}

/** One number, and the labels that tell it from the others of its metric. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface MetricInfo {
  /** As Prometheus has it: with the unit, and `_total` where it only grows. */
  readonly name: string;
  readonly labels: readonly string[];
  /** Whose numbers they are where cache and queue are shared: this process', or the whole fleet's; null: not there. */
  readonly inFleet: "process" | "fleet" | null;
  /** Whether one process alone has it, too. */
  readonly embedded: boolean;
  readonly doc: string;
}

/** A number, or several that differ in their labels. Null: there is none here. */
export interface NumberMetric extends MetricInfo {
  readonly type: "counter" | "gauge";
  readonly read: (sources: MetricSources) => number | readonly Sample[] | null;
}

/** How often something took how long, in seconds. */
export interface HistogramMetric extends MetricInfo {
  readonly type: "histogram";
  readonly read: (sources: MetricSources) => Histogram | null;
}

/** An entry of the table. */
export type Metric = NumberMetric | HistogramMetric;

/** What a heart alone is read from: a library has no server. */
export function sourcesOf(heart: Pick<Heart, "status" | "counters">, version: string): MetricSources {
  return { status: heart.status(), counters: heart.counters, server: null, eventLoopLag: null, version };
}

/** What a metric says now, as numbers. */
export function samplesOf(metric: NumberMetric, sources: MetricSources): readonly Sample[] {
  const read = metric.read(sources);
  if (read === null) return [];
  return typeof read === "number" ? [{ labels: {}, value: read }] : read;
}
