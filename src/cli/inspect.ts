/** `write-behind inspect KEY`: one record everywhere: in the cache, in the queue, in the database itself. */
import type { Inspection } from "../heart.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { columns, print, shownBytes, shownChange, shownValue } from "./output.js";

/** Runs the verb. */
export async function inspect(key: string, flags: Flags): Promise<void> {
  const name = flags["base64"] === true ? "keyBase64" : "key";
  const answer = (await ask(flags, "GET", `/api/record?${name}=${encodeURIComponent(key)}`)) as Inspection;
  print(answer, flags["json"] === true, () => inspectionText(answer));
}

/** The record for people. */
export function inspectionText({ key, cache, queue, database, deadLetters }: Inspection): string {
  const cached = {
    present: () => shownValue(cache.value),
    absent: () => "known to be absent",
    unknown: () => "not in memory",
  };
  const lines: [string, string][] = [
    ["key", shownBytes(key)],
    ["cache", cached[cache.state]()],
    ["queue", queue.length === 0 ? "nothing pending" : `${queue.length} pending`],
    ...queue.map((change): [string, string] => ["", `${shownChange(change)}  (${sequenceOf(change.position)})`]),
    ["database", database.error === null ? shownValue(database.value) : `cannot be read: ${database.error}`],
  ];
  for (const id of deadLetters) {
    lines.push(["refused", `dead letter ${id} keeps changes from the database: npx write-behind dead show ${id}`]);
  }
  return columns(lines);
}

function sequenceOf(position: string): string {
  return position.split(":")[1] ?? position;
}
