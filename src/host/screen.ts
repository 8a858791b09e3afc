/** The terminal behind stderr, for progress: what is on stdout is for whoever reads the result. */
import type { Screen } from "../progress.js";

/** The screen that stderr is, or a file or pipe that only takes lines. */
export function stderrScreen(): Screen {
  const { stderr } = process;
  return {
    isTerminal: stderr.isTTY && process.env["TERM"] !== "dumb",
    // Some terminals do not say it.
    width: () => (stderr.columns > 0 ? stderr.columns : 80),
    write: (text) => void stderr.write(text),
    now: () => performance.now(),
  };
}
