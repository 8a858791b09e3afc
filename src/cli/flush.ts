/** `write-behind flush`: waits until what is pending now is in the database. */
import { bytesOfText, jsonOfBytes } from "../bytes.js";
import type { FlushReport } from "../heart.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { print } from "./output.js";

/** Runs the verb. */
export async function flush(keys: readonly string[], flags: Flags): Promise<void> {
  const body = keys.length === 0 ? {} : { keys: keys.map((key) => jsonOfBytes(bytesOfText(key))) };
  const answer = (await ask(flags, "POST", "/api/flush", body)) as FlushReport;
  print(answer, flags["json"] === true, () => {
    const what = keys.length === 0 ? "everything that was pending" : "everything that was pending of these keys";
    const parked = answer.parked.length === 0 ? "" : `, but for ${answer.parked.length} that it refused`;
    return `${what} is in the database${parked}\n`;
  });
}
