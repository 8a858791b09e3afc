/** docs/reference/commands.md is made from the table of commands. UPDATE_DOCS=1 writes it anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Command, CommandGroup } from "../src/commands/command.js";
import { redisVersion } from "../src/commands/info.js";
import { commandTable } from "../src/commands/table.js";

const file = join(dirname(fileURLToPath(import.meta.url)), "../../docs/reference/commands.md");

const groups: readonly (readonly [CommandGroup, string])[] = [
  ["string", "Strings and counters"],
  ["bitmap", "Bits of strings"],
  ["hash", "Hashes"],
  ["generic", "Keys"],
  ["transactions", "Transactions"],
  ["connection", "Connection"],
  ["server", "Server"],
  ["write-behind", "The writer"],
];

const top = `<!-- Made from the table in src/commands (test/commands-reference.test.ts). Do not edit. -->

# Commands

What \`write-behind serve\` answers over the Redis protocol: RESP2, RESP3 (after \`HELLO 3\`) and inline commands. Replies
and error texts are those of Redis ${redisVersion.split(".")[0]}.
A command that is not here is answered with Redis' error for an unknown command.

A write is answered when it is as durable as \`--durability\` asks. The errors that Redis does not have:

| error | when | what to do |
|---|---|---|
| \`-WBFULL\` | the write queue has reached its limit, and no room came within \`--wait-ms\` | send it again later; look at the database |
| \`-WBDISK\` | the disk has no room for the change | make room |
| \`-WBSTORE\` | the reply needs the database, which cannot be reached; nothing was changed | send it again later |
| \`-WBCACHE\` | the Redis of \`--cache\` cannot be reached, or takes no writes; nothing was written | send it again later |
| \`-WBVALUE\` | the value is not what the operation needs or the database can hold | correct it |

[errors.md](errors.md) has the library's codes behind them.

What differs from Redis:

- There is one database (0), and an expiry lies before the year 287396 (2^53 milliseconds).
- FLUSHALL and FLUSHDB need \`--allow-flush\` and cannot be part of a transaction.
- An argument has at most 128 MB. APPEND, SETRANGE and SETBIT change a part of a string, but the write queue takes the
  whole string each time: keep it short.
- SCAN, KEYS, DBSIZE and RANDOMKEY may have to wait for the database, so they cannot be part of a transaction; a cursor
  of SCAN that the server does not know is an error.
- WATCH watches the record of a key: with routes that is the whole row, so that EXEC may answer null where another field
  of it has changed. With \`--cache\` EXEC may also answer null where nothing has changed but the database has taken
  later writes since WATCH.
`;

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function line(command: Command): string {
  const usage = `${command.name.toUpperCase()} ${command.syntax}`.trim();
  const kind = command.flags.includes("write") ? "writes" : command.flags.includes("readonly") ? "reads" : "";
  return `| \`${cell(usage)}\` | ${kind} | ${cell(command.summary)} |`;
}

function commandsPage(): string {
  const parts = groups.map(([group, title]) => {
    const lines = commandTable.filter((command) => command.group === group).map(line);
    return `## ${title}\n\n| command | | what it does |\n|---|---|---|\n${lines.join("\n")}\n`;
  });
  return [top, ...parts].join("\n");
}

test("docs/reference/commands.md is what the table says", () => {
  const page = commandsPage();
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(file, page);
  expect(readFileSync(file, "utf8")).toBe(page);
});
