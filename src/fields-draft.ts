/**
 * The fields of a hash as work in hand has changed them: what it set and took out, laid over fields that stay as they
 * are. So a change costs what it changes, and not what the hash holds. Not a copy: it is true only as long as what lies
 * below it does not change, which is one synchronous step.
 */
import type { Bytes } from "./bytes.js";
import type { Fields } from "./change.js";

/** What is laid over a field: its value, null where it was taken out, undefined where it is as it was. */
export type Laid = Bytes | null | undefined;

/** Fields with changes over them. `set` and `unset` are also the maps of the change that is being made. */
export class FieldsDraft implements Fields {
  readonly set: Map<Bytes, Bytes>;
  readonly unset: Set<Bytes>;
  readonly #below: Fields;
  #size: number | null = null;

  constructor(below: Fields, set: Map<Bytes, Bytes>, unset: Set<Bytes>) {
    this.#below = below;
    this.set = set;
    this.unset = unset;
  }

  /** What is laid over a field now: laying it again takes back whatever comes between. */
  laid(field: Bytes): Laid {
    return this.unset.has(field) ? null : this.set.get(field);
  }

  /** Lays something over a field, in place of what lay there. */
  lay(field: Bytes, what: Laid): void {
    const had = this.#size !== null && this.has(field);
    if (typeof what === "string") this.set.set(field, what);
    else this.set.delete(field);
    if (what === null) this.unset.add(field);
    else this.unset.delete(field);
    if (this.#size !== null) this.#size += Number(this.has(field)) - Number(had);
  }

  get size(): number {
    this.#size ??= this.#count();
    return this.#size;
  }

  get(field: Bytes): Bytes | undefined {
    const laid = this.laid(field);
    return laid === undefined ? this.#below.get(field) : (laid ?? undefined);
  }

  has(field: Bytes): boolean {
    const laid = this.laid(field);
    return laid === undefined ? this.#below.has(field) : laid !== null;
  }

  *entries(): MapIterator<[Bytes, Bytes]> {
    for (const [field, value] of this.#below) {
      if (!this.unset.has(field)) yield [field, this.set.get(field) ?? value];
    }
    for (const entry of this.set) if (!this.#below.has(entry[0])) yield entry;
  }

  *keys(): MapIterator<Bytes> {
    for (const [field] of this) yield field;
  }

  *values(): MapIterator<Bytes> {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator](): MapIterator<[Bytes, Bytes]> {
    return this.entries();
  }

  forEach(call: (value: Bytes, field: Bytes, fields: Fields) => void): void {
    for (const [field, value] of this) call(value, field, this);
  }

  #count(): number {
    let size = this.#below.size;
    for (const field of this.unset) if (this.#below.has(field)) size -= 1;
    for (const field of this.set.keys()) if (!this.#below.has(field)) size += 1;
    return size;
  }
}
