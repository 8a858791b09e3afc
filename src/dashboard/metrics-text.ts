/** The metrics of the table as Prometheus reads them: its text format, version 0.0.4, written by prom-client. */
import { Registry, type Metric as PrometheusMetric } from "prom-client";
import type { HistogramMetric, Metric, MetricSources } from "../metrics/metric.js";
import { samplesOf } from "../metrics/metric.js";
import { metrics } from "../metrics/table.js";

/** One line. */
interface Line {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** The Content-Type of the text. */
export const metricsType = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * The text. A metric that is not there (a fleet has no journal) is left out. What prom-client's registry asks of a
 * metric is `get`; its own classes count by themselves, and here the counters are kept where the work is done.
 */
export function metricsText(sources: MetricSources): Promise<string> {
  const registry = new Registry();
  for (const metric of metrics) {
    const values = linesOf(metric, sources);
    if (values.length === 0) continue;
    const { name, type, doc } = metric;
    const get = () => Promise.resolve({ name, type, help: doc, values });
    registry.registerMetric({ name, get } as unknown as PrometheusMetric);
  }
  return registry.metrics();
}

function linesOf(metric: Metric, sources: MetricSources): readonly Line[] {
  return metric.type === "histogram" ? bucketsOf(metric, sources) : samplesOf(metric, sources);
}

/** Prometheus' buckets hold what is in the smaller ones, too. */
function bucketsOf({ name, read }: HistogramMetric, sources: MetricSources): readonly Line[] {
  const histogram = read(sources);
  if (histogram === null) return [];
  let below = 0;
  const buckets = histogram.counts.map((count, bucket) => {
    below += count;
    return { metricName: `${name}_bucket`, labels: { le: histogram.bounds[bucket] ?? "+Inf" }, value: below };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: histogram.sum },
    { metricName: `${name}_count`, labels: {}, value: below },
  ];
}
