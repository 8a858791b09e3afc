/**
 * The metrics of the table as instruments of OpenTelemetry. They are asked for by whoever exports them; only how long
 * a commit took is told when it happens, because an instrument that is asked for cannot be a histogram.
 */
import type { BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import type { Histogram } from "../counters.js";
import type { Heart } from "../heart.js";
import { samplesOf, type HistogramMetric, type MetricSources, type NumberMetric } from "../metrics/metric.js";
import { metrics } from "../metrics/table.js";

/** The metric of which each value is heard of. */
const heardOf = "write_behind_commit_seconds";

/** A name and a unit as OpenTelemetry writes them; an exporter to Prometheus makes the name of the table of them. */
export function instrumentOf(metric: string): { readonly name: string; readonly unit: string } {
  const words = metric.replace(/^write_behind_/, "").replace(/_total$/, "");
  const unit = words.endsWith("_seconds") ? "s" : words.endsWith("_bytes") ? "By" : "";
  return { name: `write_behind.${words.replace(/_(seconds|bytes)$/, "")}`, unit };
}

/** Registers every metric; the returned function takes them away. */
export function observe(meter: Meter, heart: Heart, sources: () => MetricSources): () => void {
  const observers = metrics.flatMap((metric) =>
    metric.type === "histogram" ? histogramObservers(meter, metric, heart) : [numberObserver(meter, metric)],
  );
  const instruments = observers.flatMap((each) => each.instruments);
  const observeAll = (result: BatchObservableResult): void => {
    const now = sources();
    for (const { observe } of observers) observe(result, now);
  };
  meter.addBatchObservableCallback(observeAll, instruments);
  const ends = observers.map(({ end }) => end);
  return () => {
    meter.removeBatchObservableCallback(observeAll, instruments);
    for (const end of ends) end?.();
  };
}

interface Observer {
  readonly instruments: Observable[];
  readonly observe: (result: BatchObservableResult, sources: MetricSources) => void;
  readonly end?: () => void;
}

function numberObserver(meter: Meter, metric: NumberMetric): Observer {
  const { name, unit } = instrumentOf(metric.name);
  const options = { description: metric.doc, unit };
  const instrument =
    metric.type === "counter"
      ? meter.createObservableCounter(name, options)
      : meter.createObservableGauge(name, options);
  return {
    instruments: [instrument],
    observe: (result, sources) => {
      for (const { labels, value } of samplesOf(metric, sources)) result.observe(instrument, value, labels);
    },
  };
}

/** How often, and how long in all; the commits of this process' own writer one by one, too. */
function histogramObservers(meter: Meter, metric: HistogramMetric, heart: Heart): readonly Observer[] {
  const { name, unit } = instrumentOf(metric.name);
  const { doc } = metric;
  const count = meter.createObservableCounter(`${name}.count`, { description: `${doc}: how often` });
  const sum = meter.createObservableCounter(`${name}.sum`, { description: `${doc}: all together`, unit });
  const observe = (result: BatchObservableResult, sources: MetricSources): void => {
    const histogram: Histogram | null = metric.read(sources);
    if (histogram === null) return;
    result.observe(count, histogram.count);
    result.observe(sum, histogram.sum);
  };
  const observer = { instruments: [count, sum], observe };
  if (metric.name !== heardOf) return [observer];
  const advice = { explicitBucketBoundaries: [...heart.counters.writer.commitSeconds.bounds] };
  const durations = meter.createHistogram(name, { description: doc, unit, advice });
  const end = heart.events.on("batch", ({ commitMs }) => durations.record(commitMs / 1000));
  return [{ ...observer, end }];
}
