/** `write-behind inspect KEY`: one record everywhere: in the cache, in the queue, in the database itself. */
import type { Inspection, JsonChange } from "../heart.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { columns, print, shownBytes, shownValue } from "./output.js";

/** Runs the verb. */
export async function inspect(key: string, flags: Flags): Promise<void> {
  const name = flags["base64"] === true ? "keyBase64" : "key";
  const answer = (await ask(flags, "GET", `/api/record?${name}=${encodeURIComponent(key)}`)) as Inspection;
  print(answer, flags["json"] === true, () => inspectionText(answer));
}

/** The record for people. */
export function inspectionText({ key, cache, queue, database }: Inspection): string {
  const cached = {
    present: () => shownValue(cache.value),
    absent: () => "known to be absent",
    unknown: () => "not in memory",
  };
  const lines: [string, string][] = [
    ["key", shownBytes(key)],
    ["cache", cached[cache.state]()],
    ["queue", queue.length === 0 ? "nothing pending" : `${queue.length} pending`],
    ...queue.map((change): [string, string] => ["", shownChange(change)]),
    ["database", database.error === null ? shownValue(database.value) : `cannot be read: ${database.error}`],
  ];
  return columns(lines);
}

function shownChange({ kind, value, unset, position }: JsonChange): string {
  const parts = [
    kind,
    value === null ? "" : shownValue(value),
    unset.length === 0 ? "" : `without ${unset.map(shownBytes).join(", ")}`,
  ];
  return `${parts.filter((part) => part !== "").join(" ")}  (${position.split(":")[1] ?? position})`;
}
