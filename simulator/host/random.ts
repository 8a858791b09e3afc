/**
 * The twin of src/host/random.ts: dice that a seed decides. Everything random in a simulated world is thrown with one
 * pair of dice, in the order of its events, so a seed is a whole run.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand): small, fast, and good enough to play with. Not for secrets.
 */
import type { Random } from "../../src/host/host.js";

/** Seeded dice. */
export class Dice implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.#next();
  }

  number(): number {
    return this.#next() / 0x1_0000_0000;
  }

  hex(count: number): string {
    let digits = "";
    for (let i = 0; i < count; i++) digits += (this.#next() & 0xff).toString(16).padStart(2, "0");
    return digits;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.number() * limit);
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.number() < probability;
  }

  /** One of these. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** A place in a list of weights, each as likely as its weight says. */
  weighted(weights: readonly number[]): number {
    let total = 0;
    for (const weight of weights) total += weight;
    let left = this.number() * total;
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i] as number;
      if (left < 0) return i;
    }
    return weights.length - 1;
  }

  #next(): number {
    const sum = (((this.#a + this.#b) >>> 0) + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }
}
