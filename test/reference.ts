/** docs/reference/options.md, cli.md, errors.md and metrics.md, made from the tables that the program itself uses. */
import type { Command } from "commander";
import { exampleLines, verbHelps } from "../src/cli/help.js";
import { buildProgram } from "../src/cli/program.js";
import { replyOfError } from "../src/commands/reply.js";
import { statusOf } from "../src/dashboard/admin.js";
import { routes } from "../src/dashboard/routes.js";
import { errorCodes, WriteBehindError, type ErrorCode } from "../src/errors.js";
import type { Metric } from "../src/metrics/metric.js";
import { metrics } from "../src/metrics/table.js";
import { formatNumber, formatDefault, type OptionSpec } from "../src/options-parse.js";
import { flagOf, optionEntries, variableOf } from "../src/options-resolve.js";

const made = "<!-- Made from the tables in the code (test/reference.ts). Do not edit. -->";

function limits(spec: OptionSpec): string {
  if ("min" in spec) return `${formatNumber(spec.type, spec.min)} to ${formatNumber(spec.type, spec.max)}`;
  if (spec.type === "choice") return spec.of.map((word) => `\`${word}\``).join(", ");
  if (spec.type === "routes") return "a list, in a flag and a variable the file with it";
  return spec.type === "flag" ? "true, false" : "text";
}

function optionRows(scope: OptionSpec["scope"]): string[] {
  const rows = optionEntries().filter(([, spec]) => spec.scope === scope);
  return [
    "| option | flag | variable | default | limits | what it is |",
    "|---|---|---|---|---|---|",
    ...rows.map(([name, spec]) => {
      const flag = spec.alias === undefined ? `\`${flagOf(name)}\`` : `\`${flagOf(name)}\`, \`--${spec.alias}\``;
      return `| \`${name}\` | ${flag} | \`${variableOf(name)}\` | ${formatDefault(spec)} | ${limits(spec)} | ${spec.doc} |`;
    }),
  ];
}

/** The text of docs/reference/options.md. */
export function optionsPage(): string {
  return `${[
    made,
    "",
    "# Options",
    "",
    "Every option has one name. The library takes it as it is (`delayMs`), `serve` as a flag (`--delay-ms`), as a variable",
    "(`WRITE_BEHIND_DELAY_MS`) and in a YAML file (`delayMs: 200ms`, given with `--config FILE` or `WRITE_BEHIND_CONFIG`).",
    "A flag beats a variable, a variable beats the file, the file beats the default.",
    "",
    "Sizes are written `65536`, `64kb`, `16mb`, `4gb` (1 kb is 1024 bytes); times `100` (milliseconds), `100ms`, `5s`, `10m`,",
    "`1h`, `1d`. An unknown name is an error that names the nearest one; a value out of its limits is an error that says",
    "them. Everything that is wrong is said at once.",
    "",
    "## Library and server",
    "",
    ...optionRows("engine"),
    "",
    "## Server only",
    "",
    ...optionRows("serve"),
    "",
    "On an address that others can reach, `serve` demands a password and an admin token. A password alone demands the token",
    "too: whoever could reach the admin API without it would need no password. Give secrets as variables or in the file: flags",
    "can be seen in the list of processes.",
  ].join("\n")}\n`;
}

const stopping = [
  "SIGTERM or Ctrl-C stops it: it drains for up to `closeMs`, and says what is left and where; a second one ends the drain.",
  "What was answered is in the queue either way. While it starts it may wait, and says so. All of it is in",
  "[stopping.md](../guide/stopping.md), and what it does while the database fails in",
  "[when-the-database-fails.md](../guide/when-the-database-fails.md).",
];

function verbText(command: Command, common: ReadonlySet<string>): string[] {
  const args = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  const own = command.options.filter(({ flags }) => !common.has(flags));
  const flags =
    command.name() === "serve"
      ? ["Takes every option of [options.md](options.md) as a flag.", "", ...stopping]
      : own.map((option) => `- \`${option.flags}\`: ${option.description}`);
  const name = nameOf(command);
  const help = verbHelps[name];
  const usage = ["write-behind", name, ...args].join(" ");
  return [
    `## ${name}`,
    "",
    `\`${usage}\``,
    "",
    sentence(command.description()),
    "",
    help?.when ?? "",
    "",
    ...flags,
    ...(flags.length > 0 ? [""] : []),
    ...exampleLines(help?.examples ?? []).map((line) => `    ${line}`),
    "",
  ];
}

/** `dead list`: the name of a verb behind a verb has both. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent === undefined || parent.parent === null ? command.name() : `${parent.name()} ${command.name()}`;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** The text of docs/reference/cli.md. */
export function cliPage(): string {
  const commands = buildProgram(() => {}).commands.flatMap((each) =>
    each.commands.length === 0 ? [each] : each.commands,
  );
  const shared =
    commands[0]?.options.filter(({ flags }) =>
      commands.every((each) => each.options.some((option) => option.flags === flags)),
    ) ?? [];
  const common = new Set(shared.map(({ flags }) => flags));
  return `${[
    made,
    "",
    "# The command line",
    "",
    "Every verb takes:",
    "",
    ...shared.map(({ flags, description }) => `- \`${flags}\`: ${description}`),
    "",
    "| exit code | meaning |",
    "|---|---|",
    "| 0 | done |",
    "| 1 | failed; the reason, and a line `try: …` with what to do, are on stderr |",
    "| 2 | the command line, a variable or the file is wrong |",
    "| 3 | there is no server there; with `--cache` no fleet, or no Redis |",
    "| 4 | stopped with changes that are not in the database yet; they are in the journal and go on at the next start, or in the Redis of a fleet, where its workers go on |",
    "",
    ...commands.flatMap((command) => verbText(command, common)),
    "# The admin API",
    "",
    'JSON over HTTP, on loopback unless told otherwise. Keys and values are strings, or `{"base64": "…"}` where they are not',
    'UTF-8; positions are strings; lists are `{"items": […], "next": null}`; errors `{"error": {"code", "message", "hint"}}`.',
    "POST demands `Content-Type: application/json`. Where a token is set, everything but `/health/` demands",
    "`Authorization: Bearer TOKEN`. Requests with the Origin of another page are refused, and, without a token, those whose",
    "Host is a foreign name. [errors.md](errors.md) lists the codes.",
    "",
    "Status, record, queue, step, flush and dead-letters answer with what the package exports as the types `Status`,",
    "`Inspection`, `QueuePage`, `StepReport`, `FlushReport` and `DeadLetterPage`; retry and discard with `DeadLetterReport`;",
    "pause and resume with `{state, reason}`; command with `{reply: {type, value}}`, the type being that of the Redis protocol;",
    "every call of a sandbox with what it gave and what there is now, `{id, kind, action, output, wrote, misses, step, error, now}`",
    "(`now` has the engine, cache, queue and database, status and counters; `error` is what the engine could not do).",
    "",
    "| endpoint | takes | gives |",
    "|---|---|---|",
    ...routes.map(({ method, path, takes, doc }) => `| \`${method} ${path}\` | ${takes} | ${doc} |`),
    "| `GET /api/events` | only (names of events, with commas) | the events as they happen, as server-sent events; `accepted` summed up ten times a second, `status` once a second |",
  ].join("\n")}\n`;
}

const codes = Object.keys(errorCodes) as ErrorCode[];

/** `TERM` is CODE, CODE: one line for each term, in the order in which they come. */
function grouped(termOf: (code: ErrorCode) => string, others: string): string[] {
  const groups = new Map<string, ErrorCode[]>();
  for (const code of codes) groups.set(termOf(code), [...(groups.get(termOf(code)) ?? []), code]);
  return [...groups]
    .toSorted(([a], [b]) => Number(a === others) - Number(b === others) || (a < b ? -1 : 1))
    .map(
      ([term, of]) =>
        `- \`${term}\`: ${term === others ? "every other one" : of.map((code) => `\`${code}\``).join(", ")}`,
    );
}

/** The text of docs/reference/errors.md. */
export function errorsPage(): string {
  return `${[
    made,
    "",
    "# Errors",
    "",
    "The library throws and rejects with one class, `WriteBehindError`: `code` is one of these, `message` says what was being",
    "done to what, `hint` what to do (or null). What is no value at all, such as an object, is a `TypeError` with the code",
    "`BAD_VALUE` and a hint. A wait that is called off rejects with the reason of its signal.",
    "",
    "| code | what it means | what to do |",
    "|---|---|---|",
    ...codes.map((code) => `| \`${code}\` | ${errorCodes[code].means} | ${errorCodes[code].remedy} |`),
    "",
    "Over the Redis protocol an error begins with",
    "",
    ...grouped((code) => `-${replyOfError(new WriteBehindError(code, "")).text.split(" ", 1)[0]}`, "-ERR"),
    "",
    "The admin API answers with the HTTP status",
    "",
    ...grouped((code) => String(statusOf(code)), "503"),
    "",
    "and for the request itself with 401 `UNAUTHORIZED`, 403 `FORBIDDEN`, 404 `NOT_FOUND`, 405 `METHOD_NOT_ALLOWED`,",
    "415 `UNSUPPORTED_MEDIA_TYPE`, 503 `TOO_MANY`, and 500 `INTERNAL` for a fault of the program.",
    "",
    'A verb that fails prints the message, and the hint after `try:`, to stderr; with `--json` one line `{"error": {"code", "message", "hint"}}`.',
    "Its code is one of those above, or `NO_SERVER` (exit code 3), `USAGE` (2), `FAILED` (1), or the system's own for a disk.",
    "An error that `send --json` got as a reply has the Redis protocol's first word as its code.",
  ].join("\n")}\n`;
}

function inFleet({ inFleet, embedded }: Metric): string {
  if (inFleet === null) return "not there";
  return `${inFleet === "fleet" ? "of the whole fleet" : "of this process"}${embedded ? "" : "; there only"}`;
}

/** The text of docs/reference/metrics.md. */
export function metricsPage(): string {
  return `${[
    made,
    "",
    "# Metrics",
    "",
    "`GET /metrics` on the admin port of `serve` gives them as text for Prometheus. Where there is an admin token, it wants that,",
    "too:",
    "",
    "```yaml",
    "scrape_configs:",
    "  - job_name: write-behind",
    "    authorization: { credentials_file: /etc/prometheus/write-behind.token }",
    '    static_configs: [{ targets: ["127.0.0.1:8380"] }]',
    "```",
    "",
    "What to look at first, and how the same numbers go to OpenTelemetry, is in [observing.md](../guide/observing.md); a",
    "dashboard and alert rules are in [deploy/](../../deploy/README.md).",
    "",
    "Counters begin with the process. Where many processes share cache and queue (`--cache`), each of them shows the numbers of",
    "the whole fleet where the table says so: take the `max` over the processes, not the sum. What the workers have done is told",
    "by their reports, a moment later; it is added up from the start of the process that shows it, and what its workers had done",
    "before that is counted, too. `write-behind work` has no admin port.",
    "",
    "| metric | type | labels | what it is | in a fleet |",
    "|---|---|---|---|---|",
    ...metrics.map((metric) => {
      const labels = metric.labels.map((label) => `\`${label}\``).join(", ");
      return `| \`${metric.name}\` | ${metric.type} | ${labels} | ${metric.doc} | ${inFleet(metric)} |`;
    }),
  ].join("\n")}\n`;
}
