/** docs/reference/options.md and cli.md, made from the tables that the program itself uses. */
import type { Command } from "commander";
import { buildProgram } from "../src/cli/program.js";
import { routes } from "../src/dashboard/routes.js";
import { formatNumber, formatOption, type OptionSpec } from "../src/options-parse.js";
import { flagOf, optionEntries, variableOf } from "../src/options-resolve.js";

const made = "<!-- Made from the tables in the code (test/reference.ts). Do not edit. -->";

function limits(spec: OptionSpec): string {
  if ("min" in spec) return `${formatNumber(spec.type, spec.min)} to ${formatNumber(spec.type, spec.max)}`;
  if (spec.type === "choice") return spec.of.map((word) => `\`${word}\``).join(", ");
  return spec.type === "flag" ? "true, false" : "text";
}

function optionRows(scope: OptionSpec["scope"]): string[] {
  const rows = optionEntries().filter(([, spec]) => spec.scope === scope);
  return [
    "| option | flag | variable | default | limits | what it is |",
    "|---|---|---|---|---|---|",
    ...rows.map(([name, spec]) => {
      const flag = spec.alias === undefined ? `\`${flagOf(name)}\`` : `\`${flagOf(name)}\`, \`--${spec.alias}\``;
      return `| \`${name}\` | ${flag} | \`${variableOf(name)}\` | ${formatOption(spec, spec.default)} | ${limits(spec)} | ${spec.doc} |`;
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

function verbText(command: Command, common: ReadonlySet<string>): string[] {
  const args = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  const own = command.options.filter(({ flags }) => !common.has(flags));
  const flags =
    command.name() === "serve"
      ? ["Takes every option of [options.md](options.md) as a flag."]
      : own.map((option) => `- \`${option.flags}\`: ${option.description}`);
  const usage = ["write-behind", command.name(), ...args].join(" ");
  return [
    `## ${command.name()}`,
    "",
    `\`${usage}\``,
    "",
    sentence(command.description()),
    "",
    ...flags,
    ...(flags.length > 0 ? [""] : []),
  ];
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** The text of docs/reference/cli.md. */
export function cliPage(): string {
  const { commands } = buildProgram(() => {});
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
    "| 1 | failed; the reason and a hint are on stderr |",
    "| 2 | the command line, a variable or the file is wrong |",
    "| 3 | there is no server there |",
    "| 4 | stopped with changes that are not in the database yet; they are in the journal and go on at the next start |",
    "",
    ...commands.flatMap((command) => verbText(command, common)),
    "# The admin API",
    "",
    'JSON over HTTP, on loopback unless told otherwise. Keys and values are strings, or `{"base64": "…"}` where they are not',
    'UTF-8; positions are strings; lists are `{"items": […], "next": null}`; errors `{"error": {"code", "message", "hint"}}`.',
    "POST demands `Content-Type: application/json`. Where a token is set, everything but `/health/` demands",
    "`Authorization: Bearer TOKEN`. Requests with the Origin of another page are refused, and, without a token, those whose",
    "Host is a foreign name.",
    "",
    "| endpoint | takes | gives |",
    "|---|---|---|",
    ...routes.map(({ method, path, takes, doc }) => `| \`${method} ${path}\` | ${takes} | ${doc} |`),
    "| `GET /api/events` | | the events as they happen, as server-sent events; `accepted` summed up ten times a second |",
  ].join("\n")}\n`;
}
