/** Waits for the other partitions: a frame of one may refer to a row that a frame of another is to write. */
import type { Clock } from "../../host/host.js";
import type { Keeper } from "../keeper.js";

/** So long none of them may move before they are waited for no more, in milliseconds. */
const stillMsMax = 5000;

const lookEveryMs = 50;

/** What it is done with. */
export interface OthersParts {
  readonly keeper: Pick<Keeper, "states">;
  readonly clock: Clock;
  readonly partitions: readonly number[];
  /** Ends the wait. */
  readonly ended: () => boolean;
}

/** Resolves when these partitions have stored what they hold now, or when none of them has moved for 5 s. */
export async function othersHaveStored({ keeper, clock, partitions, ended }: OthersParts): Promise<void> {
  let goals: ReadonlyMap<number, number> | null = null;
  let before = "";
  let movedAt = clock.monotonic();
  while (!ended() && partitions.length > 0 && clock.monotonic() - movedAt < stillMsMax) {
    const states = await keeper.states(partitions).then(
      (found) => found.states,
      () => null,
    );
    if (states !== null) {
      goals ??= new Map(states.map(({ partition, head }) => [partition, head.sequence]));
      const goal = goals;
      if (states.every(({ partition, stored }) => stored.sequence >= (goal.get(partition) ?? 0))) return;
      const now = states.map(({ stored }) => stored.sequence).join(" ");
      if (now !== before) movedAt = clock.monotonic();
      before = now;
    }
    await new Promise<void>((resolve) => clock.after(lookEveryMs, resolve));
  }
}
