/**
 * What was written to the database, in order: triggers on the real tables keep a history of it in the database itself,
 * so whatever dies, a transaction and its history are there together or not at all. It shows that nothing was written
 * twice: the position only grows, every commit goes on where the last one ended, and no value of a record comes a
 * second time.
 */

/** A value that a string was given, or a move of the position. */
export interface WrittenRow {
  readonly key: string | null;
  readonly value: string | null;
  readonly sequence: number | null;
}

/** The history of one database over a whole campaign. */
export class Written {
  #sequence = 0;
  /** For each key the number of the last value, and whether it was a whole value or a count. */
  readonly #numbers = new Map<string, number>();
  /** Values and moves of the position that were looked at. */
  values = 0;
  commits = 0;

  /** Looks at what comes next. Throws where anything was written twice or out of order. */
  look(rows: readonly WrittenRow[]): void {
    for (const row of rows) this.#take(row);
  }

  #take({ key, value, sequence }: WrittenRow): void {
    if (key === null) {
      this.commits++;
      if (sequence === null || sequence <= this.#sequence) {
        throw new Error(`the position in the database went from ${this.#sequence} to ${sequence}`);
      }
      this.#sequence = sequence;
      return;
    }
    const number = numberOf(key, value ?? "");
    if (number === null) return;
    this.values++;
    const before = this.#numbers.get(key) ?? -1;
    if (number <= before) throw new Error(`${key} was written as number ${number} after number ${before}`);
    this.#numbers.set(key, number);
  }
}

/** The number in a value that SET has made: `connection-number-filling`. A counter that was deleted begins again. */
function numberOf(key: string, value: string): number | null {
  if (!/^[sx]/.test(key)) return null;
  const match = /^\d+-(\d+)-/.exec(value);
  return match === null ? null : Number(match[1]);
}
