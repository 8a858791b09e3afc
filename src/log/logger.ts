/** Where lines of a log go: any logger, given by whoever opens an instance. The only one made here is the program's. */

/**
 * Takes lines: `fields` for machines (always with `event`, the name of what happened), `text` for people. A logger of
 * pino is one, and so is `console`; what it throws is swallowed.
 */
export interface Logger {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** The same logger, but that its failures are its own. */
export function harmless(logger: Logger): Logger {
  const guarded =
    (level: keyof Logger) =>
    (fields: object, text: string): void => {
      try {
        logger[level](fields, text);
      } catch {
        // A logger is a guest: its failure is its own, and must not become one of the queue.
      }
    };
  return { info: guarded("info"), warn: guarded("warn"), error: guarded("error") };
}
