#!/usr/bin/env node
/** The command `write-behind`. */
import { runCommandLine } from "./program.js";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read our output has read enough: `write-behind status | head -1`.
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
// A start that waits for the database has nothing open that would keep the process alive.
const alive = setInterval(() => {}, 2 ** 30);
const exit = await runCommandLine(process.argv.slice(2));
clearInterval(alive);
process.stdout.write("", () => process.exit(exit));
