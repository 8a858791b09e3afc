/**
 * Spare segments: files that were written full before the first change is put into them. So a full disk shows here,
 * in the background, and never when a change has been taken (promise 8), and a write of frames needs no metadata.
 *
 * One task makes what is missing, one file at a time. It stops while making one more would leave less than
 * `diskReserve` free, because the database needs that room to commit; it tries again when something was given back, and
 * every second.
 */
import { DiskError, type Disk, type DiskFile, type Host, type Timer } from "../../host/host.js";
import { segmentHeaderBytes, spareName, spareNumber } from "./segment.js";

/** A file that is ready to become a segment. */
export interface Spare {
  readonly path: string;
  readonly size: number;
  readonly file: DiskFile;
}

/** What a supply is made of. */
export interface SupplyOptions {
  readonly segmentBytes: number;
  readonly diskReserve: number;
  /** Spares are opened the way segments are written. */
  readonly dsync: boolean;
}

const readyWanted = 2;
const readyMax = 6;
const zeroBytes = 1024 * 1024;
const tryAgainMs = 1000;

/** The spares of one journal. */
export class Supply {
  /** Called when there may be room that was not there before. */
  onReady: () => void = () => {};
  /** Called when making a spare failed for another reason than a full disk. */
  onFailed: (error: unknown) => void = () => {};
  /** Asked before the disk counts as full: gives committed log up, and says whether there was any. */
  giveUp: () => Promise<boolean> = async () => false;
  /** Whether the last try found the disk full. */
  full = false;
  readonly #host: Host;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #options: SupplyOptions;
  readonly #ready: Spare[] = [];
  #readyBytesMax = 0;
  #wantedBytes = 0;
  #number = 0;
  #busy = false;
  #tending: Promise<void> = Promise.resolve();
  #again: Timer | null = null;
  #closed = false;

  constructor(host: Host, folder: string, options: SupplyOptions) {
    this.#host = host;
    this.#disk = host.disk;
    this.#folder = folder;
    this.#options = options;
  }

  /** Takes over the spares that an earlier run left. */
  async begin(): Promise<void> {
    for (const name of await this.#disk.list(this.#folder)) {
      const spare = spareNumber(name);
      if (spare === null) continue;
      this.#number = Math.max(this.#number, spare.number);
      const path = `${this.#folder}/${name}`;
      const size = spare.ready && this.#ready.length < readyMax ? await this.#sizeOf(path) : -1;
      if (size === this.#options.segmentBytes) await this.#add(path, size);
      else await this.#disk.remove(path);
    }
  }

  /** Bytes of the spares. */
  get bytes(): number {
    return this.#ready.reduce((sum, spare) => sum + spare.size, 0);
  }

  /** Whether a frame of this size fits into a spare that is ready. */
  has(frameBytes: number): boolean {
    return frameBytes + segmentHeaderBytes <= this.#readyBytesMax;
  }

  /** Hands out the smallest spare that such a frame fits into, and has another one made. */
  take(frameBytes: number): Spare | null {
    let best = -1;
    for (let i = 0; i < this.#ready.length; i++) {
      const size = (this.#ready[i] as Spare).size;
      if (size < frameBytes + segmentHeaderBytes) continue;
      if (best < 0 || size < (this.#ready[best] as Spare).size) best = i;
    }
    if (best < 0) return null;
    const [spare] = this.#ready.splice(best, 1);
    this.#measure();
    this.tend();
    return spare as Spare;
  }

  /** A frame of this size is waiting. A frame larger than a segment gets a segment of its own. */
  want(frameBytes: number): void {
    if (this.has(frameBytes)) return;
    this.#wantedBytes = Math.max(this.#wantedBytes, frameBytes + segmentHeaderBytes);
    this.tend();
  }

  /** A segment that is not needed any more: becomes a spare, or goes. It is on disk when this resolves. */
  async retire(path: string, size: number): Promise<void> {
    const recycle = !this.#closed && size === this.#options.segmentBytes && this.#ready.length < readyMax;
    if (!recycle) {
      await this.#disk.remove(path);
      await this.#disk.syncFolder(this.#folder);
      if (this.full) this.tend();
      return;
    }
    const spare = `${this.#folder}/${spareName(++this.#number, true)}`;
    await this.#disk.rename(path, spare);
    // Before its header is overwritten the old name must be gone for good.
    await this.#disk.syncFolder(this.#folder);
    await this.#add(spare, size);
    this.full = false;
    this.onReady();
  }

  /** Makes what is missing, in the background. */
  tend(): void {
    if (this.#closed || this.#busy) return;
    this.#busy = true;
    this.#tending = this.#tend().catch((error: unknown) => {
      this.#busy = false;
      this.onFailed(error);
    });
  }

  /** Makes one spare now. Throws a DiskError of the kind `full` where there is no room. */
  async makeFirst(): Promise<void> {
    if (!(await this.#make(this.#options.segmentBytes))) {
      throw new DiskError(
        "full",
        "ENOSPC",
        `no room for a journal of ${this.#options.segmentBytes} bytes in ${this.#folder}`,
      );
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#again?.cancel();
    await this.#tending;
    // Nothing is in them that could be lost.
    for (const spare of this.#ready) await spare.file.close().catch(() => {});
    this.#ready.length = 0;
    this.#measure();
  }

  async #tend(): Promise<void> {
    let tooLarge = false;
    for (let size = this.#missing(); size > 0 && !this.#closed; size = this.#missing()) {
      const made = await this.#make(size);
      if (made) {
        this.onReady();
        continue;
      }
      if (await this.giveUp()) continue;
      this.full = true;
      if (size > this.#options.segmentBytes) {
        // Whoever wants it is told DISK_FULL and may ask again; meanwhile the others get theirs.
        this.#wantedBytes = 0;
        tooLarge = true;
        continue;
      }
      this.#again?.cancel();
      this.#again = this.#host.clock.after(tryAgainMs, () => this.tend());
      this.#busy = false;
      return;
    }
    this.full = tooLarge;
    // In the same step as the look at what is missing: whoever wants more next must find it idle.
    this.#busy = false;
  }

  /** The size of the next file to be made, or 0. */
  #missing(): number {
    if (this.#wantedBytes > this.#readyBytesMax) return Math.max(this.#wantedBytes, this.#options.segmentBytes);
    this.#wantedBytes = 0;
    return this.#ready.length < readyWanted ? this.#options.segmentBytes : 0;
  }

  /** Makes a spare and says whether there was room for it. */
  async #make(size: number): Promise<boolean> {
    const free = await this.#disk.freeBytes(this.#folder);
    if (free - size < this.#options.diskReserve) return false;
    const number = ++this.#number;
    const making = `${this.#folder}/${spareName(number, false)}`;
    const file = await this.#disk.open(making, { write: true, create: true, dsync: false });
    try {
      const zeros = Buffer.alloc(Math.min(zeroBytes, size));
      for (let at = 0; at < size && !this.#closed; at += zeros.length) {
        await file.write(zeros, 0, Math.min(zeros.length, size - at), at);
      }
      if (!this.#closed) await file.sync();
    } catch (error) {
      await file.close();
      await this.#disk.remove(making);
      if (error instanceof DiskError && error.kind === "full") return false;
      throw error;
    }
    await file.close();
    if (this.#closed) await this.#disk.remove(making);
    else await this.#finish(making, `${this.#folder}/${spareName(number, true)}`, size);
    return true;
  }

  async #finish(making: string, path: string, size: number): Promise<void> {
    await this.#disk.rename(making, path);
    await this.#disk.syncFolder(this.#folder);
    await this.#add(path, size);
  }

  async #add(path: string, size: number): Promise<void> {
    const file = await this.#disk.open(path, { write: true, create: false, dsync: this.#options.dsync });
    this.#ready.push({ path, size, file });
    this.#measure();
  }

  async #sizeOf(path: string): Promise<number> {
    const file = await this.#disk.open(path, { write: false, create: false, dsync: false });
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  }

  #measure(): void {
    this.#readyBytesMax = this.#ready.reduce((max, spare) => Math.max(max, spare.size), 0);
  }
}
