/** Which key leads where, for one process of a fleet. */
import { keyIsRecord, type Address } from "../../address.js";
import type { Bytes } from "../../bytes.js";
import type { Plan } from "../../routes/plan.js";

/** The addresses of one process. */
export interface FleetAddressing {
  readonly plan: Plan | null;
  resolve(key: Bytes): Address;
  /** How long a record may be answered without looking at the database again, in milliseconds. */
  freshMs(record: Bytes): number;
}

/** Without routes a key is its own record. */
export const withoutRoutes: FleetAddressing = {
  plan: null,
  resolve: keyIsRecord,
  freshMs: () => Number.POSITIVE_INFINITY,
};
