/**
 * Brings the store over a region (queue.ts): piece after piece of records, committed where the store is, and last a
 * commit that moves the position over it. What is refused is halved by record, set aside in memory, tried again when
 * the rest is in, because what it refers to may have come later, and only then parked (promise 7). It knows neither
 * position nor claim; runs.ts makes one for each region, and gives it up where the store fails: a region begun again
 * does no harm, because changes are values, and until it ends nothing newer of its records is written (promise 3).
 */
import type { Bytes } from "../bytes.js";
import type { Change } from "../change.js";
import type { Clock } from "../host/host.js";
import type { Position, Region, RegionChange } from "../queue/queue.js";
import { missesRow, type Letter, type ParkedGroup } from "../store/store.js";
import { notOneChange, tooLargeLetters, tooManyLetters } from "./failures.js";
import { letterId, parkedBytes } from "./group.js";
import type { WriterOptions } from "./messages.js";
import { Aside, type Parked, type ParkingRun, type RunParking } from "./parked.js";

/** What it is made with. */
export interface RegionDrainParts {
  readonly region: Region;
  readonly from: Position;
  readonly options: WriterOptions;
  readonly parked: Parked;
  readonly clock: Pick<Clock, "now">;
  /** Whether the store keeps dead letters. */
  readonly canPark: boolean;
  /** Commits rows where the store is. */
  readonly commit: (rows: ReadonlyMap<Bytes, Change>) => Promise<void>;
  /** Why a commit was refused for what it is; throws what is no refusal. */
  readonly refusal: (error: unknown) => Promise<string>;
  /** As in WriterParts. */
  readonly others?: (() => Promise<void>) | undefined;
  /** Whether to stand still after this commit. */
  readonly halted: () => boolean;
}

/** What was refused alone. */
interface Refused {
  readonly change: RegionChange;
  readonly reason: string;
  readonly missesRow: boolean;
}

type Piece = readonly RegionChange[];
type Reading = AsyncIterator<{ readonly changes: Piece; readonly bytes: number }>;

/** One region, as far as the store has it. */
export class RegionDrain {
  readonly #parts: RegionDrainParts;
  readonly #reading: Reading;
  /** To be committed, the last one first. */
  readonly #pieces: Piece[] = [];
  /** By record. */
  #refused = new Map<Bytes, Refused>();
  #refusedBytes = 0;
  /** Of records that are parked: they wait behind their letters. */
  readonly #behind = new Map<Bytes, RegionChange>();
  #records = 0;
  /** What was refused when all was tried that was refused before; null where it was not. */
  #before: number | null = null;
  #waitedForOthers = false;

  constructor(parts: RegionDrainParts) {
    this.#parts = parts;
    this.#reading = parts.region.read()[Symbol.asyncIterator]();
  }

  /**
   * Commits everything, and returns the run that ends the region; null where it was halted. Where a commit fails of
   * what may pass it throws, and goes on there when it is called again.
   */
  async drain(): Promise<ParkingRun | null> {
    do {
      for (;;) {
        const piece = this.#pieces.at(-1) ?? (await this.#read());
        if (piece === null) break;
        if (this.#parts.halted()) return null;
        await this.#commit(piece);
      }
    } while (await this.#again());
    return this.#last();
  }

  /** The next piece of the region; null after the last one. */
  async #read(): Promise<Piece | null> {
    const { parked, options } = this.#parts;
    const piece: RegionChange[] = [];
    let bytes = 0;
    while (piece.length < options.batchRecords && bytes < options.batchBytes) {
      const next = await this.#reading.next();
      if (next.done === true) break;
      bytes += next.value.bytes;
      for (const change of next.value.changes) {
        if (parked.groupOf(change.record) === undefined) piece.push(change);
        else this.#behind.set(change.record, change);
      }
    }
    if (piece.length === 0) return null;
    this.#records += piece.length;
    this.#putPieces(piece);
    return this.#pieces.at(-1) as Piece;
  }

  #putPieces(changes: Piece): void {
    const { batchRecords } = this.#parts.options;
    for (let first = 0; first < changes.length; first += batchRecords) {
      this.#pieces.push(changes.slice(first, first + batchRecords));
    }
  }

  async #commit(piece: Piece): Promise<void> {
    const { commit, refusal } = this.#parts;
    try {
      await commit(new Map(piece.map(({ record, change }) => [record, change])));
      this.#pieces.pop();
    } catch (error) {
      const reason = await refusal(error);
      this.#pieces.pop();
      const [change] = piece as readonly [RegionChange];
      if (piece.length === 1) this.#setAside({ change, reason, missesRow: missesRow(error) });
      else {
        const half = piece.length >> 1;
        this.#pieces.push(piece.slice(half), piece.slice(0, half));
      }
    }
  }

  #setAside(refused: Refused): void {
    const { cacheBytes } = this.#parts.options;
    this.#refused.set(refused.change.record, refused);
    this.#refusedBytes += parkedBytes(refused.change);
    if (this.#refusedBytes < cacheBytes) return;
    throw tooLargeLetters(this.#refused.size, this.#refusedBytes, cacheBytes, refused.reason);
  }

  /**
   * Whether what was refused is tried again, all of it: once, and as long as that helps some of it; once more when
   * other partitions have gone on.
   */
  async #again(): Promise<boolean> {
    const refused = [...this.#refused.values()];
    if (refused.length === 0) return false;
    const helped = this.#before === null || refused.length < this.#before;
    if (!helped && !(await this.#waitForOthers(refused))) return false;
    this.#before = refused.length;
    this.#refused = new Map();
    this.#refusedBytes = 0;
    this.#putPieces(refused.map(({ change }) => change));
    return true;
  }

  async #waitForOthers(refused: readonly Refused[]): Promise<boolean> {
    const { others } = this.#parts;
    if (this.#waitedForOthers || others === undefined || !refused.some((each) => each.missesRow)) return false;
    this.#waitedForOthers = true;
    await others();
    return true;
  }

  #last(): ParkingRun {
    const { region, from } = this.#parts;
    const frames = region.to.sequence - from.sequence;
    const drained = this.#records - this.#refused.size;
    const { to, at } = region;
    return {
      from,
      to,
      at,
      clear: false,
      rows: new Map(),
      frames,
      changes: frames,
      bytes: 0,
      parking: this.#parking(),
      drained,
    };
  }

  /** Letters of what is refused still, and what waits behind older ones; null where there is nothing. */
  #parking(): RunParking | null {
    const letters = this.#letters();
    const aside = new Aside(this.#parts.parked);
    for (const { record, change, sequence } of this.#behind.values()) {
      aside.take({ ...this.#parts.region.to, sequence }, [{ record, change }]);
    }
    const behind = aside.finish();
    if (behind === null && letters.length === 0) return null;
    const waitFor = new Map(behind?.frames.map((frame, at) => [frame, behind.waitFor[at] as string]));
    for (const { change } of this.#refused.values()) waitFor.set(change.sequence, letterId(this.#placeOf(change)));
    const frames = [...waitFor].toSorted(([a], [b]) => a - b);
    const groups = letters.map((letter): ParkedGroup => {
      return { id: letter.position.sequence, letters: [letter], behind: new Map() };
    });
    return {
      drop: behind?.drop ?? [],
      put: [...(behind?.put ?? []), ...groups],
      frames: frames.map(([frame]) => frame),
      waitFor: frames.map(([, letter]) => letter),
      letter: null,
    };
  }

  #letters(): Letter[] {
    const { region, parked, options, clock, canPark } = this.#parts;
    const places = new Map<number, Refused[]>();
    for (const each of this.#refused.values()) {
      const place = this.#placeOf(each.change);
      const there = places.get(place);
      if (there === undefined) places.set(place, [each]);
      else there.push(each);
    }
    const { letters, letterBytes } = parked.totals;
    const reason = [...this.#refused.values()][0]?.reason ?? "";
    if (places.size > 0 && !canPark) throw notOneChange(`${reason} (the store keeps no dead letters)`);
    if (places.size > 0 && letters + places.size > options.deadLettersMax) throw tooManyLetters(letters, reason);
    const bytes = letterBytes + this.#refusedBytes;
    if (places.size > 0 && bytes >= options.cacheBytes)
      throw tooLargeLetters(letters, bytes, options.cacheBytes, reason);
    return [...places].map(([sequence, refused]) => ({
      position: { ...region.to, sequence },
      changes: refused.map(({ change }) => ({ record: change.record, change: change.change })),
      reason: refused[0]?.reason ?? reason,
      refusedAt: Math.max(clock.now(), region.at),
      tries: 1,
    }));
  }

  /**
   * Where a letter stands: at the last frame that changed its record, together with what else that frame changed last
   * and is refused. Letters up to where the region was begun may be there already: then it stands at the end.
   */
  #placeOf({ sequence }: RegionChange): number {
    const { from, region } = this.#parts;
    return sequence > from.sequence ? sequence : region.to.sequence;
  }
}
