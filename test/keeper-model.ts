/**
 * Random sequences of what processes and a worker do to a keeper, beside a model of rows and changes. What is read of a
 * record is always the model's value, or not known with just what makes that value of its row.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KeeperWorld } from "../contract/keeper.js";
import { telling, wide } from "../contract/keeper/world.js";
import type { Bytes } from "../src/bytes.js";
import { apply, applyAll, type Change, type RecordChange, type RecordValue } from "../src/change.js";
import type { Claim, FrameToWrite, Keeper, Known, Mark } from "../src/redis/keeper.js";
import { change, nameOf } from "./arbitraries.js";

const names = ["a", "b", "c", "d"].map((each) => each as Bytes);
const name = nameOf(names.length);

/** Far from now: ends that pass are other tests' business. */
const farMs = 9_000_000_000_000;

const farChange = change
  .filter((each) => each.kind !== "merge" || each.fields === null || each.fields.set.size + each.fields.unset.size > 0)
  .map((each): Change => {
    if (each.kind === "remove" || typeof each.expiresAt !== "number") return each;
    return { ...each, expiresAt: farMs + each.expiresAt };
  });

const changes = fc
  .uniqueArray(fc.record({ record: name, change: farChange }), { maxLength: 3, selector: ({ record }) => record })
  .map((each): readonly RecordChange[] => each);

const plain = fc
  .record({ record: name, content: fc.constantFrom("1" as Bytes, "2" as Bytes) })
  .map(({ record, content }): readonly RecordChange[] => [
    { record, change: { kind: "replace", content, expiresAt: null, afterRemove: false } },
  ]);

/** One step. */
export type Step =
  /** Frames of one call; `fromSeen`: made from what was seen last. */
  | { readonly step: "write"; readonly frames: readonly (readonly RecordChange[])[]; readonly fromSeen: boolean }
  /** Reads all records, checks them, and takes a lease of what is not known. */
  | { readonly step: "see" }
  /** Fills what was loaded of the records that were not known when they were seen last. */
  | { readonly step: "fill" }
  /** The database gets so much of what is pending, and is told of after the next steps. */
  | { readonly step: "commit"; readonly part: number }
  | { readonly step: "settle"; readonly freshMs: number }
  /** A clean record's room is needed. */
  | { readonly step: "evict"; readonly record: Bytes };

/** Any steps. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .record({ frames: fc.array(fc.oneof(changes, plain), { minLength: 1, maxLength: 3 }), fromSeen: fc.boolean() })
        .map((rest): Step => ({ step: "write", ...rest })),
    },
    { weight: 3, arbitrary: fc.constant<Step>({ step: "see" }) },
    { weight: 3, arbitrary: fc.constant<Step>({ step: "fill" }) },
    {
      weight: 2,
      arbitrary: fc.double({ min: 0, max: 1, noNaN: true }).map((part): Step => ({ step: "commit", part })),
    },
    { weight: 2, arbitrary: fc.constantFrom(0, 60_000).map((freshMs): Step => ({ step: "settle", freshMs })) },
    { weight: 2, arbitrary: name.map((record): Step => ({ step: "evict", record })) },
  ),
  { minLength: 1, maxLength: 25 },
);

interface Written {
  readonly sequence: number;
  readonly record: Bytes;
  readonly change: Change;
}

interface SeenThen {
  readonly mark: Mark;
  readonly lease: string;
  /** The value that a load makes of each record that was not known. */
  readonly loaded: ReadonlyMap<Bytes, RecordValue | null>;
}

/** The model and the keeper that it watches. */
export class KeeperModel {
  readonly #keeper: Keeper;
  readonly #world: KeeperWorld;
  readonly #claim: Claim;
  readonly #rows = new Map<Bytes, RecordValue>();
  /** All that was written. */
  readonly #log: Written[] = [];
  #committed = 0;
  #settled = 0;
  #head = 0;
  #seen: SeenThen | null = null;
  #leases = 0;

  private constructor(keeper: Keeper, world: KeeperWorld, claim: Claim) {
    this.#keeper = keeper;
    this.#world = world;
    this.#claim = claim;
  }

  static async run(world: KeeperWorld, script: readonly Step[], rows: ReadonlyMap<Bytes, RecordValue>): Promise<void> {
    const keeper = await world.connect();
    await keeper.fleet({ id: "0123456789abcdef01234567", partitions: 1 });
    const claim = await keeper.claim("worker", 0, 1_000_000);
    assert.ok(claim);
    const model = new KeeperModel(keeper, world, claim);
    for (const [record, value] of rows) model.#rows.set(record, value);
    for (const step of script) await model.#take(step);
    await model.#see();
    await model.#commit(1);
    await model.#settle(60_000);
    await model.#see();
    const { states } = await keeper.states([0]);
    assert.equal(states[0]?.pendingRecords, 0);
  }

  #take(step: Step): Promise<void> {
    switch (step.step) {
      case "write":
        return this.#write(step.frames, step.fromSeen);
      case "see":
        return this.#see();
      case "fill":
        return this.#fill();
      case "commit":
        return this.#commit(step.part);
      case "settle":
        return this.#settle(step.freshMs);
      case "evict":
        return this.#evict(step.record);
    }
  }

  #valueOf(record: Bytes): RecordValue | null {
    const later = this.#log.filter((each) => each.record === record && each.sequence > this.#committed);
    return applyAll(
      this.#rows.get(record) ?? null,
      later.map((each) => each.change),
    );
  }

  #isPending(record: Bytes): boolean {
    return this.#log.some((each) => each.record === record && each.sequence > this.#settled);
  }

  async #write(list: readonly (readonly RecordChange[])[], fromSeen: boolean): Promise<void> {
    const mark = fromSeen ? (this.#seen?.mark ?? null) : null;
    const frames = list.map((each): FrameToWrite => {
      const from = new Map(mark === null ? [] : each.map(({ record }) => [record, mark] as const));
      return { changes: each, from };
    });
    const outcomes = await this.#keeper.write(0, frames, wide);
    for (const [index, outcome] of outcomes.entries()) {
      const { changes: made, from } = frames[index] as FrameToWrite;
      assert.notEqual(outcome.became, "full");
      const isOld = [...from].some(([record, { sequence }]) =>
        this.#log.some((each) => each.record === record && each.sequence > sequence),
      );
      if (isOld) assert.equal(outcome.became, "conflict");
      else if (from.size === 0 || this.#settled <= (mark?.sequence ?? 0)) assert.equal(outcome.became, "kept");
      if (outcome.became !== "kept") continue;
      assert.equal(outcome.sequence, ++this.#head);
      for (const each of made) this.#log.push({ sequence: this.#head, ...each });
    }
  }

  async #see(): Promise<void> {
    const lease = `lease ${++this.#leases}`;
    const asked = names.map((record) => ({ partition: 0, record }));
    const { partitions, records } = await this.#keeper.read(asked, lease);
    assert.equal(partitions[0]?.sequence, this.#head);
    const loaded = new Map<Bytes, RecordValue | null>();
    for (const [index, known] of records.entries()) {
      const record = names[index] as Bytes;
      const expected = this.#valueOf(record);
      const found = this.#madeOf(record, known);
      assert.deepEqual(found, expected, `${record}: ${known.state}`);
      if (known.state === "unknown") loaded.set(record, found);
    }
    this.#seen = { mark: { sequence: this.#head, thrown: 0 }, lease, loaded };
  }

  /** What a reader makes of what is known. */
  #madeOf(record: Bytes, known: Known): RecordValue | null {
    if (known.state === "value") return known.value;
    if (known.state === "absent") return null;
    if (known.state !== "unknown") throw new Error(`${record}: ${known.state}`);
    const { parked, overlay, lost } = known;
    assert.deepEqual([parked, lost], [null, false]);
    const row = this.#rows.get(record) ?? null;
    if (overlay === null) return row;
    const { set, unset, expiresAt } = overlay;
    return apply(row, { kind: "merge", fields: set.size + unset.size === 0 ? null : { set, unset }, expiresAt });
  }

  async #fill(): Promise<void> {
    if (this.#seen === null) return;
    const { lease, loaded, mark } = this.#seen;
    const fills = [...loaded].map(([record, value]) => ({ record, value, freshMs: 60_000 }));
    const taken = await this.#keeper.fill(0, lease, fills);
    for (const [index, { record }] of fills.entries()) {
      const isOld = this.#log.some((each) => each.record === record && each.sequence > mark.sequence);
      if (isOld) assert.equal(taken[index], false);
    }
    await this.#see();
  }

  async #commit(part: number): Promise<void> {
    const upTo = this.#committed + Math.round((this.#head - this.#committed) * part);
    for (const { record, change: made, sequence } of this.#log) {
      if (sequence <= this.#committed || sequence > upTo) continue;
      const after = apply(this.#rows.get(record) ?? null, made);
      if (after === null) this.#rows.delete(record);
      else this.#rows.set(record, after);
    }
    this.#committed = upTo;
  }

  async #settle(freshMs: number): Promise<void> {
    await this.#keeper.settle(this.#claim, this.#committed, names, freshMs, telling());
    this.#settled = this.#committed;
  }

  async #evict(record: Bytes): Promise<void> {
    if (!this.#isPending(record)) await this.#world.lose(record);
  }
}
