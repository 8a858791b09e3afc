/** What a planted bug is. */

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
  /** In worlds whose records are rows. */
  readonly rows?: true;
  /** In fleets. */
  readonly fleet?: true;
}
