/** Where the lines of `serve` and `work` go: JSON lines for machines (pino), short lines on a terminal. To stderr. */
import { pino, destination } from "pino";
import { stderrScreen } from "../host/screen.js";
import type { Logger } from "../log/logger.js";
import { Progress } from "../progress.js";

/** What a person at a terminal watches; undefined where nobody does, or JSON was asked for. */
export function watchedProgress(json: boolean): Progress | undefined {
  const screen = stderrScreen();
  return screen.isTerminal && !json ? new Progress(screen) : undefined;
}

/** Text for a person on a terminal, above what `progress` draws there; without it JSON lines. */
export function openLog(progress: Progress | undefined): Logger {
  if (progress === undefined) {
    // Written at once: the line that says why the process ends must not be lost.
    return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ dest: 2, sync: true }));
  }
  const line = (_: object, text: string): void => progress.line(text);
  return { info: line, warn: line, error: line };
}
