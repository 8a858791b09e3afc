#!/usr/bin/env node
/** The command `write-behind`. */
import { runCommandLine } from "./program.js";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read our output has read enough: `write-behind status | head -1`.
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
const exit = await runCommandLine(process.argv.slice(2));
process.stdout.write("", () => process.exit(exit));
