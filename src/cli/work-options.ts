/** The options that `work` obeys: those of a writer, and where it finds cache, queue and database. */
import type { OptionName } from "../options.js";

/** Their names. */
export const workOptions = [
  "cache",
  "store",
  "routes",
  "unrouted",
  "partitions",
  "leaseMs",
  "delayMs",
  "batchBytes",
  "batchRecords",
  "cacheBytes",
  "cacheTtlMs",
  "retainBytes",
  "retainMs",
  "retryMinMs",
  "retryMaxMs",
  "deadLettersMax",
  "closeMs",
] as const satisfies readonly OptionName[];
