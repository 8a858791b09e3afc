/**
 * Promise 2: reads see the newest value. An operation is done in one step, so its reply must be exactly what the
 * model gives for that moment: never an older value, never one that nobody wrote. An operation that the engine says it
 * has not done must not have been done.
 */
import { describe } from "../operation.js";
import { Violation, type Checker, type Invocation } from "./checker.js";

const promise = "2 reads see the newest value";

export class NewestWins implements Checker {
  readonly promise = promise;

  replied({ client, operation, outcome, reply, inDoubt }: Invocation): void {
    if (reply === outcome.reply || inDoubt) return;
    throw new Violation(
      promise,
      `${client} asked ${describe(operation)}\n    and got   ${reply}\n    should be ${outcome.reply}`,
    );
  }

  failed({ client, operation, frame }: Invocation, code: string): void {
    if (frame === 0) return;
    throw new Violation(
      promise,
      `${client} was told ${code}, nothing written, but ${describe(operation)} is frame ${frame}`,
    );
  }
}
