/** Records that every application process writes: what was answered of them, and what the database must show. */
import type { Sight } from "../crash/history.js";

/** A counter: each answer is a number that no other answer is. */
export class SharedCounter {
  readonly key: string;
  readonly #answers = new Set<number>();
  #highest = 0;
  /** Increments of which it is not known whether they were done. */
  unknown = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** What an increment that begins now is at the least answered with. */
  get atLeast(): number {
    return this.#highest + 1;
  }

  /** Gives what is wrong with an answer. */
  answered(value: number, atLeast: number): string | null {
    if (this.#answers.has(value)) return `two increments of ${this.key} were answered ${value}`;
    if (value < atLeast) return `an increment of ${this.key} was answered ${value}, after ${atLeast - 1}`;
    this.#answers.add(value);
    this.#highest = Math.max(this.#highest, value);
    return null;
  }

  /** When all is stored: every answered increment was done once, and nothing else but those that are unknown. */
  check(sight: Sight): void {
    const found = sight.records.get(this.key) ?? null;
    const value = found?.type === "string" ? Number(found.value) : 0;
    const [low, high] = [this.#answers.size, this.#answers.size + this.unknown];
    if (value < low || value > high || value < this.#highest)
      throw new Error(
        `${this.key} is ${value} in the database: ${low} increments were answered, up to ${this.#highest}, ` +
          `and ${this.unknown} are unknown`,
      );
  }
}

/** One hash, of which each stream writes a field of its own. */
export class SharedHash {
  readonly key: string;
  readonly #fields = new Map<string, { answered: string | null; unknown: string[] }>();

  constructor(key: string) {
    this.key = key;
  }

  answered(field: string, value: string): void {
    this.#fields.set(field, { answered: value, unknown: [] });
  }

  unanswered(field: string, value: string): void {
    const known = this.#fields.get(field) ?? { answered: null, unknown: [] };
    known.unknown.push(value);
    this.#fields.set(field, known);
  }

  /** When all is stored. */
  check(sight: Sight): void {
    const found = sight.records.get(this.key) ?? null;
    const fields = found?.type === "hash" ? found.fields : new Map<string, string>();
    for (const [field, { answered, unknown }] of this.#fields) {
      const value = fields.get(field) ?? null;
      if (value !== answered && (value === null || !unknown.includes(value)))
        throw new Error(`${this.key}/${field} is ${value} in the database; ${answered} was answered`);
    }
    for (const field of fields.keys())
      if (!this.#fields.has(field)) throw new Error(`${this.key}/${field} is in the database, and nobody wrote it`);
  }
}

/** Accounts between which amounts are moved in transactions: their sum is always 0. */
export class Bank {
  readonly accounts: readonly string[];

  constructor(tag: string, count: number) {
    this.accounts = Array.from({ length: count }, (_, i) => `{${tag}}${i}`);
  }

  /** At any moment: no half transaction is ever there. */
  check({ records }: Sight): void {
    const values = this.accounts.map((key) => {
      const found = records.get(key) ?? null;
      return found?.type === "string" ? Number(found.value) : 0;
    });
    const sum = values.reduce((a, b) => a + b, 0);
    if (sum !== 0) throw new Error(`the accounts ${this.accounts[0]} … are ${values.join(", ")}: their sum is ${sum}`);
  }
}

/** All that is shared. */
export class Shared {
  readonly counters = ["count:0", "count:1", "count:2"].map((key) => new SharedCounter(key));
  readonly hash = new SharedHash("all");
  readonly banks = [new Bank("bank", 4), new Bank("safe", 3)];

  /** At any moment. */
  checkMoment(sight: Sight): void {
    for (const bank of this.banks) bank.check(sight);
  }

  /** When all is stored. */
  check(sight: Sight): void {
    this.checkMoment(sight);
    for (const counter of this.counters) counter.check(sight);
    this.hash.check(sight);
  }
}
