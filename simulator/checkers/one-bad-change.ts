/**
 * Promise 7: one bad change blocks nothing but itself. What is parked is there for a reason (its oldest frame holds a
 * change that the database refuses, and every other one was joined to it by a record), whole frames are parked and
 * nothing of them is written, and nothing is dropped: a row with what is parked on top of it is the record, as promise
 * 4 compares it. Whoever is told that a letter is discarded is told the truth; that nothing else is lost by it, and
 * readers see it soon, promises 4 and 2 compare with a history that is without it (given-up.ts).
 */
import type { Bytes } from "../../src/bytes.js";
import type { ParkedGroup } from "../../src/store/store.js";
import type { Commit } from "../database.js";
import { isRefused } from "../operation.js";
import { ModelChecker, Violation, type Rest } from "./checker.js";

const promise = "7 one bad change blocks nothing but itself";

export class OneBadChange extends ModelChecker {
  readonly promise = promise;
  #letters: ReadonlySet<number> = new Set();

  toldDiscarded(letters: readonly number[]): void {
    const still = letters.filter((letter) => this.#letters.has(letter));
    if (still.length > 0) this.#wrong(`an operator was told that ${still.join(" ")} is discarded, and it is not`);
  }

  committed({ batch, parked, parkedBefore }: Commit): void {
    const letters = [...parked.values()].flatMap((group) => group.letters.map(({ position }) => position.sequence));
    this.#letters = new Set(letters);
    if (batch.parking === null && parked.size === 0) return;
    const inGroup = new Map<Bytes, number>();
    for (const group of parked.values()) this.#look(group, inGroup);
    // A record may be written first, and be joined to a group by a later frame of the same run.
    const before = new Set([...parkedBefore.values()].flatMap((group) => [...recordsOf(group)]));
    for (const record of batch.rows.keys()) {
      const id = inGroup.get(record);
      if (id !== undefined && before.has(record))
        this.#wrong(`${record} is written although it is in the group of letter ${id}`);
    }
  }

  atRest({ status }: Rest): void {
    const { count, waitingBehind } = status.deadLetters;
    if (count + waitingBehind > 0) this.#wrong(`at rest there are ${count} letters, ${waitingBehind} frames behind`);
  }

  #look(group: ParkedGroup, inGroup: Map<Bytes, number>): void {
    const { model } = this.parts;
    const { id, letters } = group;
    if (letters.length === 0) this.#wrong(`the group ${id} has no letter`);
    for (const record of recordsOf(group)) {
      if (inGroup.has(record)) this.#wrong(`${record} is in the groups ${inGroup.get(record)} and ${id}`);
      inGroup.set(record, id);
    }
    for (const { position, changes } of letters) {
      const frame = model.frame(position.sequence);
      if (frame === undefined) continue;
      if (![...frame.effects.values()].some(isRefused)) {
        this.#wrong(`frame ${position.sequence} is a letter, and holds nothing that the database refuses`);
      }
      const held = new Set(changes.map(({ record }) => record));
      const changed = [...frame.effects.keys()].filter((record) => model.changedBy(record, position.sequence));
      const left = changed.filter((record) => !held.has(record));
      if (left.length > 0) this.#wrong(`letter ${position.sequence} is without ${left.join(" ")} of its frame`);
    }
  }

  #wrong(what: string): never {
    throw new Violation(promise, what);
  }
}

function recordsOf({ letters, behind }: ParkedGroup): Set<Bytes> {
  return new Set([...letters.flatMap(({ changes }) => changes.map(({ record }) => record)), ...behind.keys()]);
}
