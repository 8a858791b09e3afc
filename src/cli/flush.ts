/** `write-behind flush`: waits until what is pending now is in the database. */
import { bytesOfText, jsonOfBytes } from "../bytes.js";
import type { FlushReport } from "../heart.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { print } from "./output.js";

/** Dead letters that are named. */
const shownMax = 10;

/** Runs the verb. */
export async function flush(keys: readonly string[], flags: Flags): Promise<void> {
  const body = keys.length === 0 ? {} : { keys: keys.map((key) => jsonOfBytes(bytesOfText(key))) };
  const answer = (await ask(flags, "POST", "/api/flush", body)) as FlushReport;
  print(answer, flags["json"] === true, () => {
    const what = keys.length === 0 ? "everything that was pending" : "everything that was pending of these keys";
    if (answer.parked.length === 0) return `${what} is in the database\n`;
    const ids = answer.parked.slice(0, shownMax).join(", ");
    const more = answer.parked.length > shownMax ? " …" : "";
    return `${what} is in the database, but for what it refuses: dead letter${answer.parked.length === 1 ? "" : "s"} ${ids}${more} (npx write-behind dead list)\n`;
  });
}
