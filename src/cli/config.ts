/** Where options come from on the command line: flags, then variables, then the file, then the table's defaults. */
import { readFileSync } from "node:fs";
import { Option, type Command } from "commander";
import { parse } from "yaml";
import { WriteBehindError } from "../errors.js";
import { formatDefault, type OptionSpec } from "../options-parse.js";
import {
  fileSource,
  flagOf,
  flagSource,
  isTrueUnlessSaid,
  optionEntries,
  resolveNames,
  resolveOptions,
  variableSource,
  type OptionSource,
} from "../options-resolve.js";
import { optionTable, type OptionName, type Options } from "../options.js";
import { CliError, cliError, exitCodes } from "./exit.js";

/** What commander gives a verb: flags by their name in camel case. */
export type Flags = Readonly<Record<string, unknown>>;

/** Variables with our prefix that are no options of `serve`. */
const otherVariables = ["ADMIN", "CONFIG"];
/** Flags of every verb that are no options of `serve`. */
const otherFlags = [
  "admin",
  "config",
  "json",
  "acceptGap",
  "base64",
  "all",
  "behind",
  "limit",
  "after",
  "watch",
  "every",
  "tls",
  "tlsCa",
];

/** Adds --admin, --json and --config, as every verb has them. */
export function addCommonFlags(command: Command): Command {
  return command
    .option("--admin <url>", "the admin API of the server (default http://127.0.0.1:8380, or WRITE_BEHIND_ADMIN)")
    .option("--json", "print JSON")
    .option("--config <file>", "YAML file with options (or WRITE_BEHIND_CONFIG)");
}

/** Adds the flags of these options; without a list every flag of the table. */
export function addOptionFlags(command: Command, names: readonly OptionName[] | null = null): Command {
  for (const [name, spec] of optionEntries()) {
    if (names?.includes(name) === false) continue;
    command.addOption(new Option(flagsOf(name, spec), description(spec)));
  }
  return command;
}

/** Some flags of the table, with what they mean to a verb. */
export type SomeFlags = Partial<Record<OptionName, string>>;

/** Adds some flags of the table, with what they mean to a verb that talks to a server. */
export function addSomeFlags(command: Command, texts: SomeFlags): Command {
  for (const [name, spec] of optionEntries()) {
    const text = texts[name];
    if (text !== undefined) command.addOption(new Option(flagsOf(name, spec), text));
  }
  return command;
}

const placeholders: Readonly<Record<string, string>> = { bytes: "size", ms: "time", routes: "file" };

function flagsOf(name: OptionName, spec: OptionSpec): string {
  const flag = spec.alias === undefined ? flagOf(name) : `--${spec.alias}, ${flagOf(name)}`;
  if (spec.type === "flag") return flag;
  return `${flag} <${placeholders[spec.type] ?? spec.type}>`;
}

function description(spec: OptionSpec): string {
  const choices = spec.type === "choice" ? ` (${spec.of.join(", ")})` : "";
  return spec.default === null || spec.type === "routes"
    ? spec.doc
    : `${spec.doc}${choices} (default ${formatDefault(spec)})`;
}

/** All options of `serve`, resolved and checked. */
export function serveOptions(flags: Flags): Options {
  return asUsage(() => resolveOptions(sources(flags, true)));
}

/** Some options, for a verb that talks to a server. */
export function someOptions<Name extends OptionName>(flags: Flags, names: readonly Name[]): Pick<Options, Name> {
  return asUsage(() =>
    resolveNames(
      sources(
        flags,
        names.some((name) => name === "routes"),
      ),
      names,
    ),
  );
}

/** `withRoutes`: the file that --routes or its variable names is read, too. */
function sources(flags: Flags, withRoutes: boolean): OptionSource[] {
  const file = flags["config"] ?? process.env["WRITE_BEHIND_CONFIG"];
  const own = Object.fromEntries(Object.entries(flags).filter((flag) => isGiven(...flag)));
  const given = [flagSource(own), variableSource(process.env, otherVariables)].map((source) =>
    withRoutes ? routesRead(source) : source,
  );
  return typeof file === "string" ? [...given, fileSource(file, readYaml(file))] : given;
}

/** commander says `true` for --no-worker that was not given, which would overrule a variable and the file. */
function isGiven(name: string, value: unknown): boolean {
  if (otherFlags.includes(name)) return false;
  return !(value === true && Object.hasOwn(optionTable, name) && isTrueUnlessSaid(name as OptionName));
}

function routesRead(source: OptionSource): OptionSource {
  const file = source.given["routes"];
  if (typeof file !== "string") return source;
  const routes = readYaml(file, `${source.spell("routes")} names a YAML file with a list of routes`) ?? [];
  const spell = (name: OptionName): string => (name === "routes" ? `routes in ${file}` : source.spell(name));
  return { ...source, given: { ...source.given, routes }, spell };
}

function readYaml(file: string, hint = "--config and WRITE_BEHIND_CONFIG name a YAML file with options"): unknown {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(exitCodes.usage, `the file ${file} cannot be read: ${reason}`, hint);
  }
}

function asUsage<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof WriteBehindError ? cliError(exitCodes.usage, error) : error;
  }
}
