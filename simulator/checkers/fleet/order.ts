/** Promise 3: the database never goes back to an older value of a record, nor a partition to an older position. */
import type { Bytes } from "../../../src/bytes.js";
import type { Commit } from "../../database.js";
import type { RecordValue } from "../../../src/change.js";
import { historyOf } from "../../fleet/fleet-model.js";
import { textOf } from "../../operation.js";
import { Violation } from "../checker.js";
import { FleetModelChecker } from "./fleet-checker.js";

const promise = "3 order per record";

export class FleetOrder extends FleetModelChecker {
  readonly promise = promise;
  /** For each record the sequence whose value the database holds, at the least. */
  readonly #reached = new Map<Bytes, number>();

  committed({ batch, rows }: Commit, partition: number): void {
    const history = historyOf(this.parts.model.frame(batch.to) ?? null);
    for (const record of batch.rows.keys()) {
      const from = this.#reached.get(record) ?? 0;
      const holds = rows.get(record) ?? null;
      const states = [null, ...history.map(({ state }) => state.get(record) ?? null)];
      const at = states.findIndex(
        (value, sequence) => sequence >= from && (textOf(value) === textOf(holds) || isSwept(value, holds)),
      );
      if (at === -1) {
        const what = `an older value than that of frame ${from}, or one that nobody wrote`;
        throw new Violation(
          promise,
          `partition ${partition}: the database now holds ${textOf(holds)} for ${record}: ${what}`,
        );
      }
      this.#reached.set(record, at);
    }
  }

  databaseWentBack(): void {
    this.#reached.clear();
  }

  keeperWentBack(): void {
    this.#reached.clear();
  }
}

/** What has ended may be swept, and what was pending of it then makes a row that has ended as well. */
function isSwept(value: RecordValue | null, holds: RecordValue | null): boolean {
  const endsAt = value?.expiresAt ?? null;
  return endsAt !== null && (holds === null || holds.expiresAt === endsAt);
}
