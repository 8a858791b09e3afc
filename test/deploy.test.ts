/** What lies in deploy/ is true: rules and dashboard name metrics that there are; unit and image start our program. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parser } from "@prometheus-io/lezer-promql";
import { expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { buildProgram } from "../src/cli/program.js";
import { retryClasses } from "../src/counters.js";
import { routes } from "../src/dashboard/routes.js";
import { errorCodes } from "../src/errors.js";
import { metrics } from "../src/metrics/table.js";
import { optionEntries, variableOf } from "../src/options-resolve.js";
import { defaultOptions } from "../src/options.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Labels that Prometheus itself gives, and `le` of its histograms. */
const foreignLabels = new Set(["job", "instance", "le"]);
/** Longer than `closeMs` by so much it must be let stop: docs/guide/stopping.md. */
const beyondCloseMs = 6000;

/** The values that a label may have, where they are known. */
const labelValues: Readonly<Record<string, readonly string[]>> = {
  class: retryClasses,
  code: Object.keys(errorCodes),
  state: ["running", "paused", "draining", "stalled", "broken", "up", "down"],
};

/** What is wrong with an expression of Prometheus' language. */
function wrongWith(expression: string): readonly string[] {
  const wrong: string[] = [];
  const known: string[] = [];
  let label = "";
  parser.parse(expression).iterate({
    enter: ({ name, from, to, type }) => {
      const text = expression.slice(from, to);
      if (type.isError) wrong.push(`${expression}: not understood at ${from}`);
      if (name === "Identifier") {
        const metric = metrics.find((each) => namesOf(each).includes(text));
        if (metric === undefined && text !== "up") wrong.push(`there is no metric ${text}`);
        known.push(...(metric?.labels ?? []));
      }
      if (name === "LabelName") label = text;
      if (name === "StringLiteral")
        for (const value of (JSON.parse(text) as string).split("|"))
          if (labelValues[label]?.includes(value) === false) wrong.push(`${label} is never ${value}`);
    },
  });
  parser.parse(expression).iterate({
    enter: ({ name, from, to }) => {
      const text = expression.slice(from, to);
      if (name === "LabelName" && !foreignLabels.has(text) && !known.includes(text))
        wrong.push(`${expression}: nothing in it has the label ${text}`);
    },
  });
  return wrong;
}

/** The names of a metric's series. */
function namesOf({ name, type }: (typeof metrics)[number]): readonly string[] {
  return type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name];
}

test("the checker of expressions sees what is wrong", () => {
  expect(wrongWith('rate(write_behind_rejected_writes_total{code="QUEUE_FULL"}[5m])')).toEqual([]);
  expect(wrongWith("write_behind_nothing")).toHaveLength(1);
  expect(wrongWith("sum(")).toHaveLength(1);
  expect(wrongWith('write_behind_state{state="gone"}')).toHaveLength(1);
  expect(wrongWith('write_behind_state{code="CLOSED"}')).toHaveLength(1);
  expect(wrongWith("write_behind_commit_seconds")).toHaveLength(1);
});

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

test("alert rules: every metric is there, and each says what happened and what to do", () => {
  const { groups } = parseYaml(read("deploy/prometheus-rules.yml")) as {
    groups: readonly { rules: readonly Rule[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.flatMap(({ expr }) => wrongWith(expr))).toEqual([]);
  for (const rule of rules) {
    expect(rule.alert).toMatch(/^WriteBehind[A-Za-z]+$/);
    expect(rule.for).toMatch(/^\d+[smh]$/);
    expect(["warning", "critical"]).toContain(rule.labels.severity);
    expect(rule.annotations.summary).toContain("{{");
    expect(rule.annotations.description).toMatch(/ Do: /);
    for (const path of rule.annotations.description.match(/docs\/[\w/-]+\.md/g) ?? []) expect(read(path)).not.toBe("");
  }
  const names = rules.map(({ alert }) => alert);
  expect(new Set(names).size).toBe(names.length);
  for (const kind of ["Lag", "Stalled", "DeadLetters", "DiskFull", "DatabaseDown"])
    expect(names).toContain(`WriteBehind${kind}`);
});

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly w: number };
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly type: string; readonly name: string; readonly definition?: string }[];
  };
}

test("the dashboard: every metric is there, every number of interest is on it, and the data source is chosen", () => {
  const { panels, templating } = JSON.parse(read("deploy/grafana-dashboard.json")) as Dashboard;
  const expressions = panels
    .flatMap(({ targets }) => targets ?? [])
    .map(({ expr }) => expr.replaceAll("$__rate_interval", "5m"));
  expect(expressions.flatMap(wrongWith)).toEqual([]);
  const asked = templating.list.flatMap(({ definition }) => (definition === undefined ? [] : [definition]));
  expect(asked.flatMap((text) => wrongWith(/label_values\((.*), \w+\)/.exec(text)?.[1] ?? "sum("))).toEqual([]);
  expect(templating.list.some(({ type, name }) => type === "datasource" && name === "datasource")).toBe(true);
  for (const panel of panels) {
    if (panel.type !== "row") expect([panel.title, panel.datasource?.uid]).toEqual([panel.title, "${datasource}"]);
    expect(panel.gridPos.x + panel.gridPos.w).toBeLessThanOrEqual(24);
  }
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const shown = [...expressions, ...asked].join(" ");
  const unshown = metrics.filter((metric) => !namesOf(metric).some((name) => shown.includes(name)));
  // They are the same thing twice: changes are shown as rows, connections as they are now, records as bytes.
  expect(unshown.map(({ name }) => name)).toEqual([
    "write_behind_accepted_changes_total",
    "write_behind_cache_records",
    "write_behind_connections_total",
  ]);
});

/** The flags of a command line of `serve` must be flags of the program. */
function expectRealCommand(words: readonly string[]): void {
  const [verb, ...rest] = words;
  const command = buildProgram(() => {}).commands.find((each) => each.name() === verb);
  expect(command?.name()).toBe(verb);
  const flags = rest.filter((word) => word.startsWith("--")).map((word) => word.split("=", 1)[0]);
  const real = command?.options.flatMap(({ long, short }) => [long, short]) ?? [];
  for (const flag of flags) expect(real).toContain(flag);
}

test("the unit: systemd takes it, its flags are real, and it is given the time to stop", () => {
  const unit = read("deploy/write-behind.service");
  const values = (name: string): readonly string[] =>
    unit.split("\n").flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));
  const [start = ""] = values("ExecStart");
  expect(start.split(" ").slice(0, 2)).toEqual(["/usr/bin/env", "write-behind"]);
  expect(Object.keys((JSON.parse(read("package.json")) as { bin: object }).bin)).toEqual(["write-behind"]);
  expectRealCommand(start.split(" ").slice(2));
  const [stop = ""] = values("TimeoutStopSec");
  expect(Number(/^(\d+)s$/.exec(stop)?.[1]) * 1000).toBeGreaterThan(defaultOptions().closeMs + beyondCloseMs);
  expect([values("Restart"), values("DynamicUser"), values("StateDirectory")]).toEqual([
    ["on-failure"],
    ["yes"],
    ["write-behind"],
  ]);
  const asked = spawnSync("systemd-analyze", ["verify", join(root, "deploy/write-behind.service")], {
    encoding: "utf8",
  });
  // Where there is no systemd, or one that cannot look here, the lines above must do.
  if (asked.error === undefined && !/Failed to (initialize|set up)/.test(asked.stderr))
    expect([asked.status, asked.stderr.split("\n").filter((line) => line.includes("write-behind.service"))]).toEqual([
      0,
      [],
    ]);
});

/** The instructions of a Dockerfile, continued lines joined. */
function instructions(text: string): readonly (readonly [string, string])[] {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  const joined = lines
    .join("\n")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  return joined
    .filter((line) => line !== "")
    .map((line) => [line.split(" ", 1)[0] as string, line.slice(line.indexOf(" ") + 1)] as const);
}

test("the image: not root, the data in a volume, and a program, variables, ports and a path that are real", () => {
  const all = instructions(read("deploy/Dockerfile"));
  const of = (name: string): readonly string[] => all.filter(([each]) => each === name).map(([, rest]) => rest);
  expect(of("FROM")).toEqual(["node:22-slim"]);
  expect(of("USER")).toEqual(["node"]);
  expect(all.findIndex(([name]) => name === "USER")).toBeGreaterThan(all.findLastIndex(([name]) => name === "RUN"));
  const env = new Map(
    of("ENV").flatMap((line) => line.split(" ").map((pair) => pair.split("=", 2) as [string, string])),
  );
  const real = new Set(optionEntries().map(([name]) => variableOf(name)));
  expect([...env.keys()].filter((name) => name !== "NODE_ENV" && !real.has(name))).toEqual([]);
  expect(of("VOLUME")).toEqual([env.get("WRITE_BEHIND_DATA")]);
  expect(of("STOPSIGNAL")).toEqual(["SIGTERM"]);
  const { port, adminPort } = defaultOptions();
  expect(of("EXPOSE")).toEqual([`${port} ${adminPort}`]);
  const url = new URL(/fetch\('([^']+)'\)/.exec(of("HEALTHCHECK")[0] ?? "")?.[1] ?? "");
  expect([Number(url.port), routes.some(({ path }) => path === url.pathname)]).toEqual([adminPort, true]);
  // From the network comes what npm brings, and nothing else.
  expect(of("RUN").join(" ")).not.toMatch(/curl|wget|apt|git |https?:/);
  expect(of("ADD")).toEqual([]);
  const { bin } = JSON.parse(read("package.json")) as { bin: Record<string, string> };
  const entry = JSON.parse(of("ENTRYPOINT")[0] ?? "[]") as readonly string[];
  expect(entry).toEqual(["node", `node_modules/write-behind/${bin["write-behind"]}`]);
  expectRealCommand(JSON.parse(of("CMD")[0] ?? "[]") as readonly string[]);
});
