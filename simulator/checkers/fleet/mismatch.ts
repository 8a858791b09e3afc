/** A keeper that lost what the database has, or was emptied, is found and named (promises 1 and 4). */
import { Violation } from "../checker.js";
import { FleetModelChecker, type FleetRest } from "./fleet-checker.js";

const promise = "a keeper that lost something is named";

export class FleetMismatch extends FleetModelChecker {
  readonly promise = promise;

  atRest({ mismatched }: FleetRest): void {
    for (const [partition, said] of mismatched) {
      if (said === null) throw new Violation(promise, `partition ${partition}: nobody says that something is lost`);
    }
  }
}
