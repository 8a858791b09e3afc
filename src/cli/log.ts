/** Where the lines of `serve` and `work` go: JSON lines for machines (pino), short lines on a terminal. To stderr. */
import { pino, destination } from "pino";
import type { Logger } from "../log/logger.js";

/** Text for a person on a terminal, else JSON lines. */
export function openLog(terminal: boolean): Logger {
  if (!terminal) {
    // Written at once: the line that says why the process ends must not be lost.
    return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ dest: 2, sync: true }));
  }
  const line = (_: object, text: string): void => void process.stderr.write(`${text}\n`);
  return { info: line, warn: line, error: line };
}
