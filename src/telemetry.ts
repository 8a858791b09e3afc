/**
 * Where the traces and metrics of a heart go, as its opener sees it. How it is done is in telemetry/, which is loaded
 * only by whoever wants it.
 */
import type { Heart } from "./heart.js";
import type { Clock } from "./host/host.js";
import type { MetricSources } from "./metrics/metric.js";

/** What `openTelemetry()` of write-behind/telemetry gives: pass it to `writeBehind` as `telemetry`. */
export interface Telemetry {
  /**
   * The same heart, the one to work with: its writes and commits are spans, and the metrics of `sources` are told
   * whenever they are asked for, until it is closed.
   */
  around(heart: Heart, clock: Pick<Clock, "now">, sources: () => MetricSources): Heart;
}
