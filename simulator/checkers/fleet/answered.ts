/**
 * Promise 1: answered means kept, as the keeper keeps it: who is answered has his frame in the log. Promise 5: nobody's
 * frame is there twice. Who is told that nothing was written has written nothing.
 */
import type { FleetFrame } from "../../fleet/fleet-model.js";
import { Violation, type Invocation } from "../checker.js";
import { FleetModelChecker } from "./fleet-checker.js";

const promise = "1 answered means kept";

export class FleetAnswered extends FleetModelChecker {
  readonly promise = promise;
  readonly #nothing = new Set<Invocation>();

  framed({ position }: FleetFrame, invocation: Invocation): void {
    if (invocation.frame > 0) {
      throw new Violation(
        "5 once",
        `${invocation.client}'s work is frame ${invocation.frame} and ${position.sequence}`,
      );
    }
    if (this.#nothing.has(invocation))
      throw new Violation(promise, `${invocation.client} was told that nothing was written, and it is`);
  }

  answered({ client, changes, frame }: Invocation): void {
    if (changes.length > 0 && frame === 0) throw new Violation(promise, `${client} is answered, and nothing is kept`);
  }

  failed(invocation: Invocation): void {
    const { client, frame } = invocation;
    if (frame > 0) throw new Violation(promise, `${client} is told that nothing was written, and frame ${frame} is`);
    this.#nothing.add(invocation);
  }
}
