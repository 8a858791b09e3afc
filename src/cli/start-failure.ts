/** Why `serve` could not start, with the command that goes on from here as it has to be typed. Pure. */
import { WriteBehindError } from "../errors.js";
import type { Options } from "../options.js";
import type { NamedStore } from "./store-url.js";

const adoptCommand = /write-behind adopt --data (.*?)(?: --store URL)?( --accept-gap)?$/;

/** The error as it is said at the start, where nothing is running that would try again. */
export function startFailure(error: unknown, options: Pick<Options, "store">, store: NamedStore): unknown {
  if (!(error instanceof WriteBehindError) || error.hint === null) return error;
  const { code, message, hint } = error;
  return new WriteBehindError(code, message, { hint: hintAtStart(code, hint, options, store), cause: error });
}

function hintAtStart(code: string, hint: string, options: Pick<Options, "store">, { kind, place }: NamedStore): string {
  if (code === "STORE_DOWN")
    return "mend the database, or name another one (--store URL), and start again; the queue is as it was";
  // A URL with a password is not repeated.
  const flag = options.store === null ? "" : ` --store ${kind === "sqlite" ? `sqlite:${place}` : "URL"}`;
  return hint.replace(
    adoptCommand,
    (_, data: string, gap: string | undefined) => `npx write-behind adopt --data ${data}${flag}${gap ?? ""}`,
  );
}
