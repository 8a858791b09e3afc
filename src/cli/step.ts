/** `write-behind step`: one run of the writer now, paused or not. */
import type { StepReport } from "../heart.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { counted, duration, print } from "./output.js";

/** Runs the verb. */
export async function step(flags: Flags): Promise<void> {
  const answer = (await ask(flags, "POST", "/api/step")) as StepReport;
  print(answer, flags["json"] === true, () => {
    if (answer.batch === null) return "nothing is pending\n";
    const { changes, records, commitMs } = answer.batch;
    return `${counted(changes, "change")} of ${counted(records, "record")} went to the database in one transaction, in ${duration(commitMs)}\n`;
  });
}
