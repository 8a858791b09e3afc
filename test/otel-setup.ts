/**
 * What `node --import` runs before `serve` in a test: traces and metrics that are written to the file OTEL_TEST_FILE, one
 * line of JSON for each span, and one with the metrics' names a few times a second.
 */
import { appendFileSync } from "node:fs";
import { metrics, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, SimpleSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace-base";

const file = process.env["OTEL_TEST_FILE"] ?? "";

function say(what: object): void {
  appendFileSync(file, `${JSON.stringify(what)}\n`);
}

const spans = {
  export: (ended: readonly ReadableSpan[], done: (result: { code: number }) => void) => {
    for (const span of ended) {
      const links = span.links.map(({ context }) => context.spanId);
      say({ span: span.name, id: span.spanContext().spanId, links });
    }
    done({ code: 0 });
  },
  shutdown: () => Promise.resolve(),
};
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));

class NamesExporter extends InMemoryMetricExporter {
  override export({ scopeMetrics }: ResourceMetrics, done: (result: { code: number }) => void): void {
    say({ metrics: scopeMetrics.flatMap((scope) => scope.metrics.map(({ descriptor }) => descriptor.name)) });
    done({ code: 0 });
  }
}
const exporter = new NamesExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 100, exportTimeoutMillis: 100 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
