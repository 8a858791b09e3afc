/**
 * One file of the simulated disk: what a reader sees now (live), what a power loss leaves (durable), and which sectors
 * differ. See disk.ts for the fault model.
 */
import type { Dice } from "./random.js";

/** What a disk writes whole or not at all, in bytes. */
export const sectorBytes = 512;

/** A growing array of bytes. Bytes beyond `length` are zero. */
class Image {
  bytes = new Uint8Array(0);
  length = 0;

  grow(length: number): void {
    if (length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(length, Math.min(this.bytes.length * 2, length + 65_536)));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.length = Math.max(this.length, length);
  }

  /** Takes the bytes of a stretch from another image. */
  copy(from: Image, start: number, end: number): void {
    const stop = Math.min(end, from.length);
    if (stop <= start) return;
    this.grow(stop);
    this.bytes.set(from.bytes.subarray(start, stop), start);
  }
}

/** A sync on its way: the sectors that were dirty when it was asked for. */
export type Sync = Set<number>;

/** A file. */
export class Inode {
  readonly #live = new Image();
  readonly #durable = new Image();
  /** Sectors whose live bytes are not durable. */
  readonly #dirty = new Set<number>();
  readonly #syncs = new Set<Sync>();

  get size(): number {
    return this.#live.length;
  }

  /** Copies live bytes into a target; says how many there were. */
  read(target: Uint8Array, targetOffset: number, length: number, offset: number): number {
    const end = Math.min(offset + length, this.#live.length);
    if (end <= offset) return 0;
    target.set(this.#live.bytes.subarray(offset, end), targetOffset);
    return end - offset;
  }

  /** Bytes arrive in the page cache. */
  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length === 0) return;
    const first = Math.floor(offset / sectorBytes);
    const last = Math.floor((offset + bytes.length - 1) / sectorBytes);
    for (let sector = first; sector <= last; sector++) {
      // A sync on its way takes the bytes of its moment, not those that come after it.
      for (const sync of this.#syncs) if (sync.delete(sector)) this.#flush(sector);
      this.#dirty.add(sector);
    }
    this.#live.grow(offset + bytes.length);
    this.#live.bytes.set(bytes, offset);
  }

  /** The sectors of this stretch reach the disk, as after a write with O_DSYNC. */
  flushRange(offset: number, length: number): void {
    if (length === 0) return;
    const last = Math.floor((offset + length - 1) / sectorBytes);
    for (let sector = Math.floor(offset / sectorBytes); sector <= last; sector++) this.#flush(sector);
  }

  beginSync(): Sync {
    const sync: Sync = new Set(this.#dirty);
    this.#syncs.add(sync);
    return sync;
  }

  /** The sync ends. After a failed one the page cache holds its sectors to be clean: they never become durable. */
  endSync(sync: Sync, failed: boolean): void {
    this.#syncs.delete(sync);
    for (const sector of sync) {
      if (failed) this.#dirty.delete(sector);
      else this.#flush(sector);
    }
    if (!failed) this.#durable.grow(Math.min(this.#live.length, this.#durable.length));
  }

  /** A crash comes while these sectors are being written back: some of them are on the disk. */
  flushSome(dice: Dice, sync: Sync): void {
    for (const sector of sync) if (this.#dirty.has(sector) && dice.chance(0.5)) this.#flush(sector);
  }

  /** The sectors of a stretch. */
  static sectors(offset: number, length: number): Sync {
    const sectors: Sync = new Set();
    for (let at = Math.floor(offset / sectorBytes); at * sectorBytes < offset + length; at++) sectors.add(at);
    return sectors;
  }

  /** The system writes some dirty sectors back on its own, as it may at any time. */
  writeBack(dice: Dice, probability: number): void {
    for (const sector of this.#dirty) if (dice.chance(probability)) this.#flush(sector);
  }

  /** Power is lost: each dirty sector is on disk or not, in any combination; what is on disk is all there is. */
  losePower(dice: Dice, kept: number): void {
    const wasLength = this.#live.length;
    for (const sector of [...this.#dirty].sort((a, b) => a - b)) if (dice.chance(kept)) this.#flush(sector);
    // The length may have reached the disk without the bytes: they are zero then.
    if (wasLength > this.#durable.length && dice.chance(0.3)) {
      this.#durable.grow(dice.between(this.#durable.length, wasLength));
    }
    this.#dirty.clear();
    this.#syncs.clear();
    this.#live.bytes = this.#durable.bytes.slice();
    this.#live.length = this.#durable.length;
  }

  /** Some place, mostly one where something is. */
  pickPlace(dice: Dice): number {
    let place = dice.below(this.size);
    for (let tries = 0; tries < 50 && this.#live.bytes[place] === 0; tries++) place = dice.below(this.size);
    return place;
  }

  /** Changes one bit, live and durable. Damage at rest. */
  flip(offset: number, bit: number): void {
    for (const image of [this.#live, this.#durable]) {
      if (offset < image.length) image.bytes[offset] = (image.bytes[offset] as number) ^ (1 << bit);
    }
  }

  #flush(sector: number): void {
    this.#dirty.delete(sector);
    this.#durable.copy(this.#live, sector * sectorBytes, (sector + 1) * sectorBytes);
  }
}
