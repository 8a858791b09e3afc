/** Promise 7: one bad change blocks nothing but itself. */
import { isRefused } from "../../operation.js";
import type { Commit } from "../../database.js";
import { Violation } from "../checker.js";
import { FleetModelChecker, type FleetRest } from "./fleet-checker.js";

const promise = "7 one bad change blocks nothing but itself";

export class FleetLetters extends FleetModelChecker {
  readonly promise = promise;

  committed({ parked }: Commit, partition: number): void {
    for (const { letters } of parked.values()) {
      for (const { position, changes } of letters) {
        const frame = this.parts.model.frame(position);
        if (frame === undefined) continue;
        const words = `frame ${position.sequence} of partition ${partition}`;
        if (!frame.changes.some(({ record }) => isRefused(frame.state.get(record) ?? null)))
          throw new Violation(promise, `${words} is a letter, and holds nothing that the database refuses`);
        if (changes.length !== frame.changes.length) throw new Violation(promise, `${words} is parked in part`);
      }
    }
  }

  atRest({ letters }: FleetRest): void {
    if (letters > 0) throw new Violation(promise, `at rest there are ${letters} letters`);
  }
}
