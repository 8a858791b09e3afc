/**
 * The statements that one connection has prepared, by name: a bounded number, of which the one that was not used for
 * the longest time goes first. What is in here is what the server has.
 */
import type { Statement } from "./postgres-statements.js";

/** Each keeps a parsed statement in the server's memory. */
const preparedMax = 500;

/** Names of prepared statements, those that were used last at the end. */
export class PreparedNames {
  readonly #names = new Set<string>();
  readonly #max: number;

  constructor(max = preparedMax) {
    this.#max = max;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** To be called when a statement is sent to be prepared. */
  add(name: string): void {
    this.#names.add(name);
  }

  /** Makes room for statements that are used now, and gives the names of those that are to be forgotten for it. */
  makeRoom(used: Iterable<Statement>): string[] {
    const names = new Set<string>();
    for (const { name } of used) names.add(name);
    let size = this.#names.size;
    for (const name of names) {
      if (this.#names.delete(name)) this.#names.add(name);
      else size++;
    }
    const gone: string[] = [];
    for (const name of this.#names) {
      if (size <= this.#max || names.has(name)) break;
      this.#names.delete(name);
      gone.push(name);
      size--;
    }
    return gone;
  }

  clear(): void {
    this.#names.clear();
  }
}
