/** OpenTelemetry: a write's span lies in the trace of who asked, and the commit that stored it links to it. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { context, metrics as metricsApi, propagation, trace, SpanStatusCode, type Link } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { DataPointType, MeterProvider, MetricReader, type MetricData } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
  type Sampler,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { memoryStore, writeBehind, type WriteBehind, type WriteBehindOptions } from "../src/index.js";
import { samplesOf, sourcesOf } from "../src/metrics/metric.js";
import { metrics } from "../src/metrics/table.js";
import { instrumentOf } from "../src/telemetry/instruments.js";
import { openTelemetry, registeredTelemetry } from "../src/telemetry/index.js";
import { linksMax } from "../src/telemetry/traces.js";
import { ServerProcess } from "./crash/server-process.js";
import { eventually, onMachine, send } from "./serve-machine.js";
import { testFolder } from "./server-setup.js";

class Reader extends MetricReader {
  protected onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

let exporter: InMemorySpanExporter;

function register(sampler?: Sampler): void {
  exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors, ...(sampler === undefined ? {} : { sampler }) }),
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
}

async function open(options: Partial<WriteBehindOptions> = {}): Promise<WriteBehind> {
  const telemetry = openTelemetry();
  const wb = await writeBehind({ data: testFolder(), store: memoryStore(), delayMs: 0, telemetry, ...options });
  onTestFinished(async () => void (await wb.close({ deadlineMs: 0 })));
  return wb;
}

function spans(name: string): readonly ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === `write_behind ${name}`);
}

function linked(commit: ReadableSpan | undefined): readonly string[] {
  return (commit?.links ?? []).map((link: Link) => link.context.spanId);
}

const idOf = (span: ReadableSpan): string => span.spanContext().spanId;

afterEach(() => {
  for (const api of [trace, context, metricsApi, propagation]) api.disable();
});

describe("traces", () => {
  beforeEach(() => register());

  test("a write lies in the trace of the request; the commit that stored it links to it", async () => {
    const wb = await open();
    await trace.getTracer("test").startActiveSpan("request", async (request) => {
      await wb.set("a", "1");
      request.end();
    });
    await wb.flush();
    const [write] = spans("write");
    const request = exporter.getFinishedSpans().find(({ name }) => name === "request");
    expect(write?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    expect(write?.spanContext().traceId).toBe(request?.spanContext().traceId);
    expect(write?.attributes).toMatchObject({ "write_behind.sequence": 1, "write_behind.durability": "disk" });
    const commits = spans("commit");
    expect(commits.map(linked)).toEqual([[idOf(write as ReadableSpan)]]);
    expect(commits[0]?.parentSpanContext).toBeUndefined();
    expect(commits[0]?.attributes).toMatchObject({ "write_behind.changes": 1, "write_behind.unlinked_writes": 0 });
    expect(commits[0]?.attributes["write_behind.to"]).toBe(wb.status().queue.stored);
  });

  test("each commit links to its own writes, and to so many at the most", async () => {
    const wb = await open();
    await wb.pause();
    await Promise.all(Array.from({ length: 3 }, (_, n) => wb.set(`a${n}`, "1")));
    await wb.step();
    const first = spans("write").map(idOf);
    await Promise.all(Array.from({ length: linksMax + 20 }, (_, n) => wb.set(`b${n}`, "1")));
    await wb.step();
    const later = spans("write")
      .map(idOf)
      .filter((id) => !first.includes(id));
    const [one, two] = spans("commit");
    expect(new Set(linked(one))).toEqual(new Set(first));
    expect(linked(two)).toHaveLength(linksMax);
    expect(linked(two).every((id) => later.includes(id))).toBe(true);
    expect(two?.attributes["write_behind.unlinked_writes"]).toBe(20);
  });

  test("reads and work that changes nothing have no span; what is refused has one with its code", async () => {
    const wb = await open();
    await wb.get("nobody");
    await wb.delete("nobody");
    await wb.set("text", "1");
    await expect(wb.hash("text").set({ a: "1" })).rejects.toMatchObject({ code: "WRONG_TYPE" });
    await expect(wb.increment("nobody", 1, { signal: AbortSignal.abort(new Error("gone")) })).resolves.toBe(1);
    const refused = spans("write").filter(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(refused.map(({ attributes }) => attributes["error.type"])).toEqual(["WRONG_TYPE"]);
    expect(spans("write")).toHaveLength(3);
  });

  test("the heart around which it stands is the same one: every verb works, and closing ends the spans", async () => {
    const wb = await open();
    await wb.transaction(async (tx) => tx.set("a", String(Number(await tx.get("a")) + 1)));
    expect(await wb.get("a")).toBe("1");
    await wb.flush();
    expect((await wb.inspect("a")).database.value).toMatchObject({ value: "1" });
    expect(wb.heart.kept).toBe(wb.heart.accepted);
    expect((await wb.close()).drained).toBe(true);
    await expect(wb.set("a", "2")).rejects.toMatchObject({ code: "CLOSED" });
  });
});

test("what is not sampled leaves nothing behind", async () => {
  register(new AlwaysOffSampler());
  const wb = await open();
  await wb.set("a", "1");
  await wb.flush();
  expect(exporter.getFinishedSpans()).toEqual([]);
});

test("only where a provider is registered does `serve` tell anything", () => {
  expect(registeredTelemetry()).toBe(null);
  register();
  expect(registeredTelemetry()).not.toBe(null);
  trace.disable();
  expect(registeredTelemetry()).toBe(null);
  metricsApi.setGlobalMeterProvider(new MeterProvider());
  expect(registeredTelemetry()).not.toBe(null);
});

describe("metrics", () => {
  /** What is told now, by name. */
  async function collected(reader: Reader): Promise<ReadonlyMap<string, MetricData>> {
    const { resourceMetrics, errors } = await reader.collect();
    expect(errors).toEqual([]);
    const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return new Map(all.map((metric) => [metric.descriptor.name, metric]));
  }

  test("are those of the table, with its numbers", async () => {
    const reader = new Reader();
    metricsApi.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    const wb = await open();
    await wb.set("a", "1");
    await wb.get("a");
    await wb.flush();
    const told = await collected(reader);
    const sources = sourcesOf(wb.heart, "0");
    let compared = 0;
    for (const metric of metrics) {
      const { name } = instrumentOf(metric.name);
      if (metric.type === "histogram") continue;
      // How old the oldest is, changes while this is compared; here nothing is pending.
      const wanted = samplesOf(metric, sources);
      const points = told.get(name)?.dataPoints ?? [];
      if (metric.name === "write_behind_info") expect(points).toHaveLength(1);
      else
        expect([name, points.map(({ attributes, value }) => ({ labels: attributes, value }))]).toEqual([name, wanted]);
      compared += wanted.length;
    }
    expect(compared).toBeGreaterThan(30);
    const durations = told.get("write_behind.commit");
    expect(durations?.descriptor.unit).toBe("s");
    expect(durations?.dataPointType).toBe(DataPointType.HISTOGRAM);
    expect(durations?.dataPoints[0]?.value).toMatchObject({ count: wb.status().writer.batches });
    expect(told.get("write_behind.sync.count")?.dataPoints[0]?.value).toBe(wb.heart.counters.syncSeconds.count);
    expect(told.get("write_behind.sync.sum")?.dataPoints[0]?.value).toBe(wb.heart.counters.syncSeconds.sum);
  });

  test("are not asked for any more once the instance is closed", async () => {
    const reader = new Reader();
    metricsApi.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    const { heart } = await open({ telemetry: undefined });
    let asked = 0;
    const sources = () => {
      asked++;
      return sourcesOf(heart, "0");
    };
    const around = openTelemetry().around(heart, { now: () => Date.now() }, sources);
    await collected(reader);
    await around.close();
    await collected(reader);
    expect(asked).toBe(1);
  });

  test("no two have one name", () => {
    const names = metrics.map(({ name }) => instrumentOf(name).name);
    expect(new Set(names).size).toBe(names.length);
    expect(instrumentOf("write_behind_oldest_pending_age_seconds")).toEqual({
      name: "write_behind.oldest_pending_age",
      unit: "s",
    });
    expect(instrumentOf("write_behind_rows_total")).toEqual({ name: "write_behind.rows", unit: "" });
  });
});

test(
  "`node --import` of a program that registers its SDK is all that serve needs",
  onMachine(async (machine) => {
    const file = join(dirname(machine.data), "told");
    const setup = new URL("./otel-setup.js", import.meta.url).href;
    const variables = { NODE_OPTIONS: `--import ${setup}`, OTEL_TEST_FILE: file };
    const server = new ServerProcess(["--data", machine.data, "--delay", "0"], { variables });
    onTestFinished(async () => void (await server.end("SIGKILL")));
    expect(await server.ready()).toBe(true);
    await send(server, ["SET", "a", "1"]);
    type Told = {
      readonly span?: string;
      readonly id?: string;
      readonly links?: string[];
      readonly metrics?: string[];
    };
    const told = (): readonly Told[] =>
      existsSync(file)
        ? readFileSync(file, "utf8")
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as Told)
        : [];
    await expect
      .poll(() => told().find(({ span }) => span === "write_behind commit")?.links, eventually)
      .toHaveLength(1);
    const write = told().find(({ span }) => span === "write_behind write");
    expect(told().find(({ span }) => span === "write_behind commit")?.links).toEqual([write?.id]);
    // Threads run the program of --import, too, and tell nothing.
    const names = () => told().flatMap((each) => each.metrics ?? []);
    const some = ["write_behind.commands", "write_behind.pending_changes", "write_behind.event_loop_lag.count"];
    await expect.poll(names, eventually).toEqual(expect.arrayContaining(some));
    expect(await server.end("SIGTERM")).toBe(0);
  }),
);
