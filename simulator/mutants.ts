/**
 * Planted bugs. Each is a change of the compiled text of one file, made in a copy (production code has no switches for
 * tests), and states the promise that it breaks and within how many seeds a world must notice. A simulator that catches
 * none of them proves nothing.
 */

/** A planted bug. */
export interface Mutant {
  readonly name: string;
  /** The number of the promise that it breaks. */
  readonly promise: number;
  /** The file in dist/, and what is replaced in it: this text must be there exactly once. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Within how many seeds it must be caught. */
  readonly seeds: number;
}

export const mutants: readonly Mutant[] = [];
