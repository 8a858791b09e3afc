/** How a verb ends: the exit codes, and errors on their way to one. */
import { WriteBehindError } from "../errors.js";

/** What the shell gets. `left`: stopped with changes that are not in the database yet; they are in the journal. */
export const exitCodes = { done: 0, failed: 1, usage: 2, noServer: 3, left: 4 } as const;

/** An exit code. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The end of a verb: what to print, and what the shell gets. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exit: ExitCode;
  readonly hint: string | null;

  constructor(exit: ExitCode, message: string, hint: string | null = null) {
    super(message);
    this.exit = exit;
    this.hint = hint;
  }
}

/** An error of ours as the end of a verb. */
export function cliError(exit: ExitCode, error: WriteBehindError): CliError {
  return new CliError(exit, error.message, error.hint);
}

/** Prints an error: its message, then its hint. Says how the process ends. */
export function report(error: unknown): ExitCode {
  const known = error instanceof CliError || error instanceof WriteBehindError;
  const message = known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${message}\n`);
  if (known && error.hint !== null) process.stderr.write(`hint: ${error.hint}\n`);
  return error instanceof CliError ? error.exit : exitCodes.failed;
}
