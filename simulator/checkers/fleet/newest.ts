/** Promise 2: what a write has read, and so what it makes and replies, was true in the step in which it was kept. */
import type { FleetFrame } from "../../fleet/fleet-model.js";
import type { RecordValue } from "../../../src/change.js";
import { expected, textOf } from "../../operation.js";
import { Violation, type Invocation } from "../checker.js";
import { FleetModelChecker } from "./fleet-checker.js";

const promise = "2 reads see the newest value";

export class FleetNewest extends FleetModelChecker {
  readonly promise = promise;

  framed(frame: FleetFrame, { operation, reply, at, client, inDoubt }: Invocation): void {
    const { model, database } = this.parts;
    // Where the database has what the keeper has lost, readers see it until that is found out.
    if (inDoubt || model.doubtful || !model.isPresent(frame.partition, database.position(frame.partition))) return;
    const should = expected(operation, (record) => frame.parent?.state.get(record) ?? null, at);
    const words = `frame ${frame.position.sequence} of partition ${frame.partition}, by ${client}`;
    if (should.reply !== reply) throw new Violation(promise, `${words}: it replies ${reply}, and not ${should.reply}`);
    for (const [record, value] of should.effects) {
      const is = frame.state.get(record) ?? null;
      // What has ended is as good as gone.
      if (textOf(live(is, at)) !== textOf(live(value, at))) {
        throw new Violation(promise, `${words}: ${record} becomes\n    ${textOf(is)}\n    and not ${textOf(value)}`);
      }
    }
  }
}

function live(value: RecordValue | null, at: number): RecordValue | null {
  return value !== null && (value.expiresAt === null || value.expiresAt > at) ? value : null;
}
