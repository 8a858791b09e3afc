/** `write-behind pause`: the writer stands still after the run in hand; clients are served as before. Outlives a restart. */
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { print } from "./output.js";

/** Runs the verb. */
export async function pause(flags: Flags): Promise<void> {
  const answer = await ask(flags, "POST", "/api/pause");
  print(
    answer,
    flags["json"] === true,
    () =>
      "the writer is paused: writes are answered and queued, the database stays as it is; go on with: npx write-behind resume\n",
  );
}
