/**
 * The records that may be forgotten, and which goes first. S3-FIFO (Yang et al., SOSP 2023): a newcomer is on probation
 * in a small list and goes from there after one pass unless it was used more than once, so a scan of a million records
 * never touches the proven ones; a record that comes back soon after it went is proven at once.
 *
 * Pending records are not in here: an eviction never meets one.
 */
import type { Bytes } from "../bytes.js";
import { EntryList, type Entry } from "./entry.js";

/** Uses that are counted; more make no difference. */
export const usesMax = 3;

const probationShare = 0.1;

/** Clean entries in two queues. */
export class CleanSet {
  readonly #probation = new EntryList();
  readonly #proven = new EntryList();
  /** Pinned ones that an eviction met: out of its way until they are unpinned. */
  readonly #held = new EntryList();
  readonly #departed = new Departed();

  get count(): number {
    return this.#probation.count + this.#proven.count + this.#held.count;
  }

  /** Takes an entry in. */
  add(entry: Entry): void {
    if (!entry.proven && this.#departed.take(entry.record)) entry.proven = true;
    (entry.proven ? this.#proven : this.#probation).append(entry);
  }

  /** An entry whose last pin is gone may be evicted again. */
  unhold(entry: Entry): void {
    if (entry.list !== this.#held) return;
    this.#held.remove(entry);
    (entry.proven ? this.#proven : this.#probation).append(entry);
  }

  /** Takes out the entry that is worth the least, of a set that may hold `bytesMax`; null where every one is pinned. */
  evict(bytesMax: number, isPinned: (record: Bytes) => boolean): Entry | null {
    for (;;) {
      const fromProbation = this.#probation.bytes > bytesMax * probationShare || this.#proven.first === null;
      const list = fromProbation ? this.#probation : this.#proven;
      const entry = list.first;
      if (entry === null) return null;
      list.remove(entry);
      if (isPinned(entry.record)) {
        this.#held.append(entry);
      } else if (fromProbation && entry.uses > 1) {
        entry.uses = 0;
        entry.proven = true;
        this.#proven.append(entry);
      } else if (!fromProbation && entry.uses > 0) {
        entry.uses -= 1;
        this.#proven.append(entry);
      } else {
        if (fromProbation) this.#departed.put(entry.record, this.count);
        return entry;
      }
    }
  }

  empty(): void {
    this.#probation.empty();
    this.#proven.empty();
    this.#held.empty();
  }
}

const departedMin = 4096;
// With fewer, too many records that left would be overwritten by others before they come back.
const printsPerRecord = 4;

/**
 * Who left probation lately: some 32-bit fingerprints for each record in the set, a newer one taking the place of an
 * older. A wrong "yes" (two records of one fingerprint) costs a little room, never a wrong value.
 */
class Departed {
  #prints = new Uint32Array(departedMin);
  #used = false;

  put(record: Bytes, records: number): void {
    while (records * printsPerRecord > this.#prints.length) this.#grow();
    const print = fingerprint(record);
    this.#prints[print & (this.#prints.length - 1)] = print;
    this.#used = true;
  }

  take(record: Bytes): boolean {
    if (!this.#used) return false;
    const print = fingerprint(record);
    const slot = print & (this.#prints.length - 1);
    if (this.#prints[slot] !== print) return false;
    this.#prints[slot] = 0;
    return true;
  }

  #grow(): void {
    const prints = new Uint32Array(this.#prints.length * 2);
    for (const print of this.#prints) if (print !== 0) prints[print & (prints.length - 1)] = print;
    this.#prints = prints;
  }
}

/** FNV-1a with a final mix, never 0. */
function fingerprint(record: Bytes): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < record.length; index += 1) hash = Math.imul(hash ^ record.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = (hash ^ (hash >>> 13)) >>> 0;
  return hash === 0 ? 1 : hash;
}
