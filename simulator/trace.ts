/**
 * What happened in a world: a hash over every event (the same seed must give the same), and, only when a failed seed
 * is run again to tell it, the story in words.
 */

/** Hash and story of a world. */
export class Trace {
  #hash = 0x811c9dc5;
  readonly #story: string[] | null;

  constructor(telling: boolean) {
    this.#story = telling ? [] : null;
  }

  /** The hash so far, as 8 hexadecimal digits. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** The story so far; empty unless it is told. */
  get story(): readonly string[] {
    return this.#story ?? [];
  }

  /** Takes a number into the hash. */
  number(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
    this.#hash = Math.imul(this.#hash ^ ((value * 65_536) >>> 0), 0x01000193);
  }

  /** Takes a text into the hash. */
  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.#hash = Math.imul(this.#hash ^ value.charCodeAt(i), 0x01000193);
  }

  /** A line of the story. The words are made only when somebody listens. */
  tell(nowMs: number, words: () => string): void {
    this.#story?.push(`${nowMs.toFixed(3).padStart(11)}  ${words()}`);
  }
}
