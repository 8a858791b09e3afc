/** How a verb ends: the exit codes, and errors on their way to one. */
import { WriteBehindError } from "../errors.js";
import { DiskError } from "../host/host.js";
import { storeErrorKind } from "../store/store.js";

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
  const hint = hintOf(error);
  const unexpected = hint === undefined && error instanceof Error ? error.stack : undefined;
  process.stderr.write(`${unexpected ?? (error instanceof Error ? error.message : String(error))}\n`);
  if (typeof hint === "string") process.stderr.write(`hint: ${hint}\n`);
  return error instanceof CliError ? error.exit : exitCodes.failed;
}

/** What to do about an error that can be met in operation; undefined for a fault of the program. */
function hintOf(error: unknown): string | null | undefined {
  if (error instanceof CliError || error instanceof WriteBehindError) return error.hint;
  if (error instanceof DiskError) return "see that --data names a folder that this user may read and write";
  return storeErrorKind(error) === null ? undefined : "mend the database, or name another one: --store sqlite:FILE";
}
