/**
 * From flags, variables, a file or the library's argument to options that are complete and checked. Everything that
 * is wrong is said in one error. Pure: who reads files and variables is in cli/.
 */
import { WriteBehindError } from "./errors.js";
import { formatNumber, nearest, parseOption, type OptionSpec } from "./options-parse.js";
import { defaultOptions, optionTable, type EngineOptions, type OptionName, type Options } from "./options.js";
import { parseRoutes } from "./routes/route.js";

/** One place where options are written. `spell` gives an option's name as it is written there. */
export interface OptionSource {
  readonly given: Readonly<Record<string, unknown>>;
  readonly spell: (name: OptionName) => string;
  /** Names that belong to somebody else in this place, and are left alone. */
  readonly others?: readonly string[];
}

const prefix = "WRITE_BEHIND_";
const hint = "docs/reference/options.md and `write-behind serve --help` list every option with its unit and limits";

/** The name of the flag: delayMs is --delay-ms. What is true unless it is said is said by its opposite: --no-worker. */
export function flagOf(name: OptionName): string {
  const words = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `--${isTrueUnlessSaid(name) ? "no-" : ""}${words}`;
}

/** Whether an option is a flag that is true by default. */
export function isTrueUnlessSaid(name: OptionName): boolean {
  const spec: OptionSpec = optionTable[name];
  return spec.type === "flag" && spec.default;
}

/** The name of the variable: delayMs is WRITE_BEHIND_DELAY_MS. */
export function variableOf(name: OptionName): string {
  return prefix + name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** Every line of the table with its name. */
export function optionEntries(): [OptionName, OptionSpec][] {
  return Object.entries(optionTable) as [OptionName, OptionSpec][];
}

/**
 * The options of the library, from its argument: complete and checked. `store` may be in it and is left alone. Throws
 * CONFIG with everything that is wrong; undefined counts as not given.
 */
export function resolveEngineOptions(given: unknown): EngineOptions {
  if (given === undefined) return resolveFrom([], "engine");
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    throw new WriteBehindError("CONFIG", "the options must be an object", {
      hint: 'writeBehind({ data: "./data", delayMs: 100 })',
    });
  }
  return resolveFrom([{ given: given as Record<string, unknown>, spell: (name) => name, others: ["store"] }], "engine");
}

/** The options of `serve`, from sources in order of precedence, the first one first. Throws CONFIG. */
export function resolveOptions(sources: readonly OptionSource[]): Options {
  return resolveFrom(sources, "serve");
}

/** Only these options, for those who talk to a server. What else is given, and how it all fits, is its business. */
export function resolveNames<Name extends OptionName>(
  sources: readonly OptionSource[],
  names: readonly Name[],
): Pick<Options, Name> {
  const options: Record<string, unknown> = defaultOptions();
  const problems: string[] = [];
  for (const name of names) {
    const source = sources.find(({ given }) => given[name] !== undefined);
    if (source === undefined) continue;
    const parsed = readOption(name, source);
    if ("problem" in parsed) problems.push(parsed.problem);
    else options[name] = parsed.value;
  }
  if (problems.length > 0) throw configError(problems);
  return options as unknown as Options;
}

/** Flags as a source: the keys are names of options. */
export function flagSource(given: Readonly<Record<string, unknown>>): OptionSource {
  return { given, spell: flagOf };
}

/** A parsed file as a source. Throws CONFIG where it is not a map of options. */
export function fileSource(file: string, parsed: unknown): OptionSource {
  if (parsed === null || parsed === undefined) return { given: {}, spell: (name) => name };
  if (typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new WriteBehindError("CONFIG", `${file} must hold a map of options, one a line`, {
      hint: "for example: delayMs: 200ms",
    });
  }
  return { given: parsed as Record<string, unknown>, spell: (name) => `${name} in ${file}` };
}

/**
 * Variables as a source. `others` are names after the prefix that belong to somebody else (`ADMIN`, `CONFIG`).
 * Kubernetes sets WRITE_BEHIND_PORT=tcp://… and WRITE_BEHIND_SERVICE_… for a service of our name: those are not ours.
 */
export function variableSource(
  variables: Readonly<Record<string, string | undefined>>,
  others: readonly string[] = [],
): OptionSource {
  const names = new Map(optionEntries().map(([name]) => [variableOf(name), name]));
  const given: Record<string, unknown> = {};
  for (const [variable, value] of Object.entries(variables)) {
    if (!variable.startsWith(prefix) || value === undefined || others.includes(variable.slice(prefix.length))) continue;
    if (/^WRITE_BEHIND_(SERVICE_|PORT_\d)/.test(variable) || value.startsWith("tcp://")) continue;
    given[names.get(variable) ?? variable] = value;
  }
  return { given, spell: variableOf };
}

function resolveFrom(sources: readonly OptionSource[], scope: "engine" | "serve"): Options {
  const options: Record<string, unknown> = { ...defaultOptions() };
  const problems: string[] = [];
  const spelled: Partial<Record<OptionName, string>> = {};
  // The weakest source first, so that a stronger one overwrites it; a problem in any of them is a problem.
  for (const source of sources.toReversed()) {
    for (const [key, value] of Object.entries(source.given)) {
      if (value === undefined || (source.others?.includes(key) ?? false)) continue;
      if (
        !Object.hasOwn(optionTable, key) ||
        (scope === "engine" && optionTable[key as OptionName].scope !== "engine")
      ) {
        problems.push(unknown(key, source, scope));
        continue;
      }
      const name = key as OptionName;
      const parsed = readOption(name, source);
      spelled[name] = source.spell(name);
      if ("problem" in parsed) problems.push(parsed.problem);
      else options[name] = parsed.value;
    }
  }
  if (problems.length === 0)
    problems.push(...crossChecks(options as unknown as Options, (name) => spelled[name] ?? name, scope));
  if (problems.length > 0) throw configError(problems);
  return (scope === "engine" ? engineOnly(options) : options) as unknown as Options;
}

/** One option from one place, or the whole sentence on what is wrong with it. */
function readOption(name: OptionName, { given, spell }: OptionSource): { value: unknown } | { problem: string } {
  const spec: OptionSpec = optionTable[name];
  if (spec.type === "routes") {
    const read = parseRoutes(given[name]);
    if ("routes" in read) return { value: read.routes };
    const [first = "", ...more] = read.problems;
    if (more.length === 0) return { problem: `${spell(name)}: ${first}` };
    return { problem: `${spell(name)}:\n${read.problems.map((problem) => `    - ${problem}`).join("\n")}` };
  }
  const parsed = parseOption(spec, given[name]);
  return "problem" in parsed ? { problem: `${spell(name)} ${parsed.problem}` } : parsed;
}

function unknown(key: string, source: OptionSource, scope: "engine" | "serve"): string {
  if (scope === "engine" && Object.hasOwn(optionTable, key))
    return `${key} is an option of \`write-behind serve\` only, not of the library`;
  const variable = key.startsWith(prefix);
  const names = optionEntries().filter(([, spec]) => scope === "serve" || spec.scope === "engine");
  const candidates = [...names.map(([name]) => (variable ? variableOf(name) : name)), ...(source.others ?? [])];
  const meant = nearest(key, candidates);
  return `${JSON.stringify(key)} is not an option${meant === null ? "" : `; did you mean ${meant}?`}`;
}

function crossChecks(options: Options, spelled: (name: OptionName) => string, scope: "engine" | "serve"): string[] {
  const problems: string[] = [];
  if (options.retryMinMs > options.retryMaxMs) {
    problems.push(
      `${spelled("retryMinMs")} (${formatNumber("ms", options.retryMinMs)}) is more than ${spelled("retryMaxMs")} (${formatNumber("ms", options.retryMaxMs)})`,
    );
  }
  if (options.segmentBytes * 2 > options.queueBytes) {
    problems.push(
      `${spelled("queueBytes")} (${formatNumber("bytes", options.queueBytes)}) has no room for two journal files of ${spelled("segmentBytes")} (${formatNumber("bytes", options.segmentBytes)})`,
    );
  }
  if (options.resident && options.routes.some(({ table }) => table !== null)) {
    problems.push(
      `${spelled("resident")} keeps all records in memory, and ${spelled("routes")} map tables, whose rows others may write: leave one of them out`,
    );
  }
  if (scope === "engine") return problems;
  if (options.cache !== null && options.store === null) {
    problems.push(
      `${spelled("cache")} names a Redis that many processes share: such a fleet needs a database that all of them reach; set ${flagOf("store")} postgres://… or ${variableOf("store")}`,
    );
  }
  if (options.port !== 0 && options.port === options.adminPort)
    problems.push(`${spelled("port")} and ${spelled("adminPort")} are both ${options.port}`);
  if (!isLoopback(options.host) && options.password === null && options.tlsClientCa === null) {
    problems.push(
      `${spelled("host")} is ${options.host}, which others can reach, and there is no password; set ${flagOf("password")} or ${variableOf("password")}`,
    );
  }
  problems.push(...tlsProblems(options, spelled));
  if (options.adminToken === null && (!isLoopback(options.host) || options.password !== null)) {
    const why = isLoopback(options.host)
      ? "a password is set"
      : `${spelled("host")} is ${options.host}, which others can reach`;
    problems.push(`${why}, so the admin API needs a token; set ${flagOf("adminToken")} or ${variableOf("adminToken")}`);
  }
  return problems;
}

/** Certificate and key belong together, and clients show certificates over TLS only. */
function tlsProblems({ tlsCert, tlsKey, tlsClientCa }: Options, spelled: (name: OptionName) => string): string[] {
  const needs = (given: OptionName, missing: OptionName): string =>
    `${spelled(given)} needs ${missing}; set ${flagOf(missing)} FILE or ${variableOf(missing)}`;
  if (tlsCert !== null && tlsKey === null) return [needs("tlsCert", "tlsKey")];
  if (tlsKey !== null && tlsCert === null) return [needs("tlsKey", "tlsCert")];
  return tlsClientCa !== null && tlsCert === null ? [needs("tlsClientCa", "tlsCert")] : [];
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function engineOnly(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    optionEntries()
      .filter(([, spec]) => spec.scope === "engine")
      .map(([name]) => [name, options[name]]),
  );
}

function configError(problems: readonly string[]): WriteBehindError {
  const message =
    problems.length === 1
      ? (problems[0] as string)
      : `${problems.length} options are wrong:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`;
  return new WriteBehindError("CONFIG", message, { hint });
}
