/**
 * The cursors of SCAN on one server: an id for each place that a client may go on from. A client that asks again, since
 * an answer was lost, finds its last places; scans that nobody goes on with are forgotten, the oldest first. It knows
 * nothing of what a place is.
 */
import type { KeysPlace } from "../heart.js";

/** Scans that are remembered at the same time. */
const scansMax = 1000;
/** Keys that the places of all of them may keep in memory, but for those of the last one. */
const heldMax = 2_000_000;
/** Places of one scan. */
const placesMax = 4;

/** One client's walk: the ids of its last places. */
export interface Scan {
  readonly ids: number[];
  held: number;
}

/** The cursors. */
export class Cursors {
  #lastId: number;
  readonly #places = new Map<number, { readonly scan: Scan; readonly place: KeysPlace }>();
  /** In the order of their last use. */
  readonly #scans = new Set<Scan>();
  #held = 0;

  /** `firstId`: another one for each start of a server, so that a cursor of before is not taken for one of now. */
  constructor(firstId: number) {
    this.#lastId = firstId;
  }

  /** The place of a cursor; undefined where there is none, or none any more. */
  find(id: number): { readonly scan: Scan; readonly place: KeysPlace } | undefined {
    return this.#places.get(id);
  }

  /** A new cursor for a place of a scan; null begins a scan. */
  put(scan: Scan | null, place: KeysPlace): number {
    const id = ++this.#lastId;
    const to = scan ?? { ids: [], held: 0 };
    this.#scans.delete(to);
    this.#scans.add(to);
    this.#held += place.held - to.held;
    to.held = place.held;
    to.ids.push(id);
    this.#places.set(id, { scan: to, place });
    if (to.ids.length > placesMax) this.#places.delete(to.ids.shift() as number);
    this.#forgetSome();
    return id;
  }

  /** A scan has come to its end. */
  end(scan: Scan): void {
    if (!this.#scans.delete(scan)) return;
    for (const id of scan.ids) this.#places.delete(id);
    this.#held -= scan.held;
  }

  #forgetSome(): void {
    for (const scan of this.#scans) {
      const fits = this.#scans.size <= scansMax && this.#held <= heldMax;
      if (fits || this.#scans.size === 1) return;
      this.end(scan);
    }
  }
}
