/** `write-behind resume`: the writer goes on. */
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { print } from "./output.js";

/** Runs the verb. */
export async function resume(flags: Flags): Promise<void> {
  const answer = await ask(flags, "POST", "/api/resume");
  print(answer, flags["json"] === true, () => "the writer goes on\n");
}
