/**
 * Traces and metrics of `serve` go to OpenTelemetry where somebody has set it up before (`node --import ./otel.mjs …`);
 * else nothing of it is done. No flag: who has registered a provider wants to hear.
 */
import type { Heart } from "../heart.js";
import type { Clock } from "../host/host.js";
import type { MetricSources } from "../metrics/metric.js";
import type { Telemetry } from "../telemetry.js";

/** The heart to work with. */
export async function withTelemetry(heart: Heart, clock: Clock, sources: () => MetricSources): Promise<Heart> {
  return (await registered())?.around(heart, clock, sources) ?? heart;
}

async function registered(): Promise<Telemetry | null> {
  try {
    const { registeredTelemetry } = await import("../telemetry/index.js");
    return registeredTelemetry();
  } catch (error) {
    // The package of its interface is not installed: then nobody can have registered anything.
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return null;
    throw error;
  }
}
