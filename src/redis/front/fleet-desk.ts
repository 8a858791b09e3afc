/**
 * What an operator does to a fleet, from any place that reaches its keeper: every verb finds the owner of the partition
 * that it is about, leaves an order there, and waits for the answer. Nothing of it needs a worker of one's own.
 */
import { errorOfPlain, WriteBehindError } from "../../errors.js";
import type {
  DeadLetter,
  DeadLetterIds,
  DeadLetterOutcome,
  DeadLetterPage,
  DeadLetterReport,
  StepReport,
} from "../../heart.js";
import type { Clock, Random } from "../../host/host.js";
import { rest } from "../../rest.js";
import type { Keeper, PartitionState } from "../keeper.js";
import type { FleetAnswer, FleetAnswers, FleetOrder } from "../orders.js";

/** Between two looks whether an order was answered, in milliseconds. */
const lookEveryMs = 20;

/** How long an operator waits for an owner, in milliseconds. */
const answerMs = 15_000;

/** The desk. Ids of dead letters are "partition-sequence" here. */
export class FleetDesk {
  readonly #keeper: Keeper;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #partitions: readonly number[];

  constructor(keeper: Keeper, clock: Clock, random: Random, partitions: number) {
    this.#keeper = keeper;
    this.#clock = clock;
    this.#random = random;
    this.#partitions = Array.from({ length: partitions }, (_, partition) => partition);
  }

  /** How all partitions are. */
  async states(): Promise<{ readonly now: number; readonly states: readonly PartitionState[] }> {
    return this.#keeper.states(this.#partitions);
  }

  /** All writers stand still. Resolves when they do. */
  async pause(): Promise<void> {
    await this.#keeper.pause(true);
    const { states } = await this.states();
    const owned = states.filter(({ owner }) => owner !== null);
    await Promise.all(owned.map(async ({ partition }) => this.#ask(partition, { verb: "pause" })));
  }

  async resume(): Promise<void> {
    await this.#keeper.pause(false);
  }

  /** One run of the partition whose oldest change has waited longest. */
  async step(): Promise<StepReport> {
    const { states } = await this.states();
    const waiting = states.filter(({ oldestAt }) => oldestAt !== null);
    const [first] = waiting.sort((a, b) => (a.oldestAt ?? 0) - (b.oldestAt ?? 0));
    if (first === undefined) return { batch: null };
    return { batch: await this.#ask(first.partition, { verb: "step" }) };
  }

  /** Dead letters by partition, oldest first in each. */
  async list(limit: number, after: string | null): Promise<DeadLetterPage> {
    const from = after === null ? null : idOf(after);
    const items: DeadLetter[] = [];
    for (const { partition, letters } of (await this.states()).states) {
      if (letters === 0 || (from !== null && partition < from.partition)) continue;
      if (items.length >= limit) return { items, next: (items.at(-1) as DeadLetter).id };
      const start = from !== null && partition === from.partition ? from.sequence : null;
      const page = await this.#ask(partition, { verb: "list", limit: limit - items.length, after: start });
      for (const item of page.items) {
        items.push({ ...item, id: idText(partition, item.id), group: idText(partition, item.group) });
      }
      if (page.next !== null) return { items, next: idText(partition, page.next) };
    }
    return { items, next: null };
  }

  retry(ids: DeadLetterIds): Promise<DeadLetterReport> {
    return this.#settle(ids, (some) => ({ verb: "retry", ids: some }));
  }

  discard(ids: DeadLetterIds, behind: boolean): Promise<DeadLetterReport> {
    return this.#settle(ids, (some) => ({ verb: "discard", ids: some, behind }));
  }

  async #settle(
    ids: DeadLetterIds,
    orderOf: (ids: readonly string[] | "all") => FleetOrder & { readonly verb: "retry" | "discard" },
  ): Promise<DeadLetterReport> {
    const groups = new Map<number, string[] | "all">();
    if (ids === "all") {
      for (const { partition, letters } of (await this.states()).states) if (letters > 0) groups.set(partition, "all");
    } else {
      for (const { partition, sequence } of ids.map(idOf)) {
        const group = groups.get(partition);
        if (group === undefined) groups.set(partition, [sequence]);
        else if (group !== "all") group.push(sequence);
      }
    }
    const items: DeadLetterOutcome[] = [];
    for (const [partition, some] of groups) {
      for (const outcome of await this.#ask(partition, orderOf(some))) {
        items.push({ ...outcome, id: idText(partition, outcome.id) });
      }
    }
    return { items, next: null };
  }

  async #ask<Verb extends FleetOrder["verb"]>(
    partition: number,
    order: FleetOrder & { readonly verb: Verb },
  ): Promise<FleetAnswers[Verb]> {
    if (!this.#partitions.includes(partition)) throw noSuchPartition(partition);
    const id = this.#random.hex(12);
    await this.#keeper.order(partition, { id, text: JSON.stringify(order) });
    const deadline = this.#clock.monotonic() + answerMs;
    for (;;) {
      const text = await this.#keeper.answerOf(id);
      if (text !== null) {
        const answer = JSON.parse(text) as FleetAnswer;
        if ("error" in answer) throw errorOfPlain(answer.error);
        return answer.value as FleetAnswers[Verb];
      }
      if (this.#clock.monotonic() >= deadline) throw noOwner(partition);
      await rest(this.#clock, lookEveryMs, true);
    }
  }
}

function idOf(text: string): { readonly partition: number; readonly sequence: string } {
  const match = /^(\d{1,4})-(\d{1,16})$/.exec(text);
  if (match !== null) return { partition: Number(match[1]), sequence: match[2] as string };
  throw new WriteBehindError("BAD_VALUE", `${JSON.stringify(text)} is no id of a dead letter of a fleet`, {
    hint: "`write-behind dead list` shows them: partition-sequence",
  });
}

function idText(partition: number, sequence: string): string {
  return `${partition}-${sequence}`;
}

function noSuchPartition(partition: number): WriteBehindError {
  return new WriteBehindError("BAD_VALUE", `this fleet has no partition ${partition}`, {
    hint: "`write-behind dead list` shows the ids of dead letters: partition-sequence",
  });
}

function noOwner(partition: number): WriteBehindError {
  return new WriteBehindError("CLOSED", `no worker has answered for partition ${partition}`, {
    hint: "start one: `write-behind work --cache URL --store URL`; see who lives in `write-behind status`",
  });
}
