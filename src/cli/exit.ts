/** How a verb ends: the exit codes, and errors on their way to one. */
import { errorCodes, WriteBehindError } from "../errors.js";
import { DiskError } from "../host/host.js";
import { storeErrorKind } from "../store/store.js";

/** What the shell gets. `left`: stopped with changes that are not in the database yet; they are in the journal. */
export const exitCodes = { done: 0, failed: 1, usage: 2, noServer: 3, left: 4 } as const;

/** An exit code. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * What an error of a verb may be called under --json beside the codes of errors.ts and those of the admin API. An error
 * that only says how the process ends has the name of its exit.
 */
const exitNames: Readonly<Record<ExitCode, string>> = {
  0: "DONE",
  1: "FAILED",
  2: "USAGE",
  3: "NO_SERVER",
  4: "LEFT",
};

/** The end of a verb: what to print, and what the shell gets. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exit: ExitCode;
  readonly hint: string | null;
  readonly code: string;

  constructor(exit: ExitCode, message: string, hint: string | null = null, code = exitNames[exit]) {
    super(message);
    this.exit = exit;
    this.hint = hint;
    this.code = code;
  }
}

/** An error of ours as the end of a verb. */
export function cliError(exit: ExitCode, error: WriteBehindError): CliError {
  return new CliError(exit, error.message, error.hint, error.code);
}

/** What was asked could not be done. */
export function notDone(code: string | undefined, message: string, hint: string | null): CliError {
  return new CliError(exitCodes.failed, message, hint === "resume" ? "npx write-behind resume" : hint, code);
}

/** Prints an error, its message, then what to try, or as one line of JSON. Says how the process ends. */
export function report(error: unknown, asJson: boolean): ExitCode {
  const { code, message, hint, stack } = described(error);
  const text = asJson ? JSON.stringify({ error: { code, message, hint } }) : `${stack ?? message}\n${tryLine(hint)}`;
  process.stderr.write(`${text}\n`);
  return error instanceof CliError ? error.exit : exitCodes.failed;
}

/** What can be typed or done about it. */
export function tryLine(hint: string): string {
  return `try: ${hint}`;
}

/** An error as it is said. */
interface Described {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** Only for a fault of the program, which nobody can meet in operation. */
  readonly stack?: string | undefined;
}

/** What is to be done about errors of this kind, where the error itself does not say it. */
function remedyOf(code: string): string {
  const known = (errorCodes as Readonly<Partial<Record<string, { readonly remedy: string }>>>)[code];
  return known?.remedy ?? "npx write-behind status, and see what the server says of itself";
}

/** What is said of an error. */
export function described(error: unknown): Described {
  if (error instanceof CliError || error instanceof WriteBehindError) {
    const { code, message } = error;
    return { code, message, hint: error.hint ?? remedyOf(code) };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof DiskError)
    return { code: error.code, message, hint: "see that --data names a folder that this user may read and write" };
  if (storeErrorKind(error) !== null)
    return { code: "STORE_DOWN", message, hint: "mend the database, or name another one: --store sqlite:FILE" };
  const hint = "the same again; if it fails again, report it with the lines above and the version (--version)";
  return { code: "INTERNAL", message, hint, stack: error instanceof Error ? error.stack : undefined };
}
