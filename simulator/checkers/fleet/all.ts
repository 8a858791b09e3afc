/** Every checker of a fleet. The view from outside is that of a single process (../linearizable.ts). */
import type { Model } from "../../model.js";
import { isReading } from "../../operation.js";
import { Linearizable } from "../linearizable.js";
import { FleetAnswered } from "./answered.js";
import { FleetBounded } from "./bounded.js";
import type { FleetChecker, FleetCheckerParts } from "./fleet-checker.js";
import { FleetKept } from "./kept.js";
import { FleetLetters } from "./letters.js";
import { FleetMismatch } from "./mismatch.js";
import { FleetNewest } from "./newest.js";
import { FleetOrder } from "./order.js";
import { FleetOwners } from "./owners.js";
import { FleetPastMoment } from "./past-moment.js";

/** The checkers of one fleet, and the view from outside. */
export function fleetCheckers(parts: FleetCheckerParts): {
  readonly checkers: readonly FleetChecker[];
  readonly outside: Linearizable;
} {
  const outside = new Linearizable({ model: null as unknown as Model, engine: parts.options.engine, diskMs: 0 });
  // The order of reads between the frames of a log is not known, only when they were asked and answered.
  outside.decides = false;
  const checkers: readonly FleetChecker[] = [
    new FleetAnswered(parts),
    new FleetNewest(parts),
    new FleetOwners(parts),
    new FleetPastMoment(parts),
    new FleetOrder(parts),
    new FleetKept(parts),
    new FleetLetters(parts),
    new FleetBounded(parts),
    new FleetMismatch(parts),
    fromOutside(outside),
  ];
  return { checkers, outside };
}

function fromOutside(outside: Linearizable): FleetChecker {
  let frames = 0;
  return {
    promise: outside.promise,
    asked: (invocation) => {
      outside.asked(invocation);
      if (isReading(invocation.operation)) outside.guessed(invocation, 0);
    },
    // The order of the log is that in which they were done.
    framed: (_, invocation) => outside.guessed(invocation, ++frames),
    // What has changed nothing saw its record about then; an error is as good as a read.
    worked: (invocation) => {
      if (!isReading(invocation.operation)) outside.guessed(invocation, frames + 0.5);
    },
    answered: (invocation) => {
      outside.answered(invocation);
      if (invocation.reply === "WRONG_TYPE" || invocation.reply === "BAD_VALUE") outside.guessed(invocation, 0);
    },
    failed: (invocation) => outside.failed(invocation),
    over: () => outside.over(),
  };
}
