/**
 * What an operator has given up: dead letters that he discards while clients write. From the commit on the truth is
 * another one (model.ts): as if those frames had never been written. It takes a while until readers see that, and the
 * guide says how long: until the process has heard of it, and until changes that were pending at that moment are
 * stored. So long a record is in doubt, and nobody judges what is read of it; what is done to it then is taken from the
 * engine. A process that starts while the database is away knows nothing of what was discarded until it has reached it.
 */
import type { Bytes } from "../src/bytes.js";
import type { Heart } from "../src/heart.js";
import type { ParkedGroup } from "../src/store/store.js";
import { withParked, type Commit } from "./database.js";
import type { Model } from "./model.js";
import { textOf } from "./operation.js";

/** A record of which readers may see what was given up. */
interface Doubt {
  /** Where the database was. */
  readonly position: number;
  readonly letters: readonly number[];
  /** The process that has heard of it, or that has begun without knowing. */
  heart: Heart | null;
  /** A record that was written again is clean a little late: when all is stored that was accepted by then. */
  until: number | null;
}

/** What was given up in one world, and who may not know it yet. */
export class GivenUp {
  readonly #model: Model;
  /** Whether what waits behind is given up as well. */
  readonly #behind: boolean;
  /** Letters that somebody wanted to discard. */
  readonly #asked = new Set<number>();
  readonly #records = new Set<Bytes>();
  readonly #doubts = new Map<Bytes, Doubt>();

  constructor(model: Model, behind: boolean) {
    this.#model = model;
    this.#behind = behind;
  }

  get behind(): boolean {
    return this.#behind;
  }

  /** An operator asks for letters to be discarded: it happens soon, later, or never. */
  asked(letters: Iterable<number>): void {
    for (const letter of letters) this.#asked.add(letter);
  }

  /**
   * The database has committed. Where letters are gone that somebody wanted to discard, and it does not hold what a
   * retry makes of them, they are given up. Gives their records.
   */
  committed(commit: Commit): Bytes[] {
    const { batch, parked, parkedBefore } = commit;
    const left = new Set([...parked.values()].flatMap(lettersOf));
    const records: Bytes[] = [];
    for (const id of batch.parking?.drop ?? []) {
      const group = parkedBefore.get(id);
      if (group === undefined || lettersOf(group).some((letter) => left.has(letter))) continue;
      if (!lettersOf(group).some((letter) => this.#asked.has(letter))) continue;
      if (!this.#isRetried(group, commit)) records.push(...this.#giveUp(group, batch.to.sequence));
    }
    return records;
  }

  /** A process knows that letters are discarded. */
  heard(heart: Heart, letters: readonly number[]): void {
    for (const doubt of this.#doubts.values()) {
      if (letters.some((letter) => doubt.letters.includes(letter))) doubt.heart = heart;
    }
  }

  /** A process begins with what the database tells; or without knowing what that is. */
  opened(heart: Heart): void {
    this.#doubts.clear();
    if (heart.status().queue.stored !== null) return;
    for (const record of this.#records)
      this.#doubts.set(record, { position: Infinity, letters: [], heart, until: null });
  }

  /** Whether one of the records may be seen as it was before. */
  anyInDoubt(heart: Heart, records: readonly Bytes[]): boolean {
    if (this.#doubts.size === 0) return false;
    let any = false;
    for (const record of records) {
      const doubt = this.#doubts.get(record);
      if (doubt === undefined) continue;
      if (this.#isOver(doubt, heart, record)) this.#doubts.delete(record);
      else any = true;
    }
    return any;
  }

  #isOver(doubt: Doubt, heart: Heart, record: Bytes): boolean {
    // What was committed later was told later.
    const knows = doubt.heart === heart || heart.stored > doubt.position;
    if (!knows || heart.status().queue.stored === null) return false;
    if (heart.stored < this.#model.lastChangeOf(record)) doubt.until = null;
    else doubt.until ??= heart.accepted;
    return doubt.until !== null && heart.stored >= doubt.until;
  }

  #isRetried(group: ParkedGroup, commit: Commit): boolean {
    const { sequence } = commit.batch.to;
    const same = (record: Bytes): boolean =>
      textOf(withParked(commit, record)) === textOf(this.#model.valueAt(record, sequence));
    return recordsOf(group).every(same);
  }

  #giveUp(group: ParkedGroup, position: number): Bytes[] {
    const model = this.#model;
    for (const letter of group.letters) {
      for (const { record } of letter.changes) model.giveUp(record, [letter.position.sequence]);
    }
    if (this.#behind) {
      for (const [record, { frames }] of group.behind) {
        const changes = model.changesOf(record).filter((sequence) => sequence <= position);
        model.giveUp(record, changes.slice(-frames));
      }
    }
    const records = recordsOf(group);
    for (const record of records) {
      this.#records.add(record);
      this.#doubts.set(record, { position, letters: lettersOf(group), heart: null, until: null });
    }
    return records;
  }
}

function lettersOf({ letters }: ParkedGroup): number[] {
  return letters.map(({ position }) => position.sequence);
}

function recordsOf({ letters, behind }: ParkedGroup): Bytes[] {
  return [...new Set([...letters.flatMap(({ changes }) => changes.map(({ record }) => record)), ...behind.keys()])];
}
