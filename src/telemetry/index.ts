/**
 * write-behind/telemetry: traces and metrics for OpenTelemetry, through `@opentelemetry/api` alone. What becomes of them is
 * decided by the SDK that the program has set up.
 */
import { createNoopMeter, metrics, ProxyTracerProvider, trace } from "@opentelemetry/api";
import type { Telemetry } from "../telemetry.js";
import { around } from "./around.js";
import { observe } from "./instruments.js";
import { Traces } from "./traces.js";

export type { Telemetry } from "../telemetry.js";

/** The name of the instrumentation scope. */
const scope = "write-behind";

/**
 * Traces and metrics go to the providers that are registered with `@opentelemetry/api`: pass it to `writeBehind` as
 * `telemetry`. Register the SDK first: metrics go to the provider that is there when the instance is opened.
 */
export function openTelemetry(): Telemetry {
  return telemetryOf({ traces: true, measures: true });
}

/** What is registered; null: nobody listens, and nothing need be told. */
export function registeredTelemetry(): Telemetry | null {
  const provider = trace.getTracerProvider();
  const traces = !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(scope) !== undefined;
  const measures = metrics.getMeter(scope) !== createNoopMeter();
  return traces || measures ? telemetryOf({ traces, measures }) : null;
}

function telemetryOf(wanted: { readonly traces: boolean; readonly measures: boolean }): Telemetry {
  return {
    around: (heart, clock, sources) => {
      const traces = wanted.traces ? new Traces(heart, trace.getTracer(scope), () => clock.now()) : null;
      const ends = traces === null ? [] : [heart.events.on("batch", (report) => traces.committed(report))];
      if (wanted.measures) ends.push(observe(metrics.getMeter(scope), heart, sources));
      return around(heart, traces, () => {
        for (const end of ends) end();
      });
    },
  };
}
