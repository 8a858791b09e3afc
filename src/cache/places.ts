/**
 * Loads in flight: each holds a place for its record. A change or invalidation of the record takes the place away, and
 * with it the right to fill: what was read may be older than what is known by then.
 */
import type { Bytes } from "../bytes.js";
import type { InLog } from "./pending-set.js";

/** A load's right to fill one record. Any change of the record, or invalidation, takes it away. */
export interface Place {
  readonly record: Bytes;
  /** Whether the right is still there. */
  readonly open: boolean;
  /** Where the value is made of frames of the log; null where it is the row. */
  readonly inLog: InLog | null;
}

interface OwnPlace extends Place {
  open: boolean;
}

/** The places, by record. */
export class Places {
  readonly #places = new Map<Bytes, OwnPlace>();

  /** Whether nothing is being loaded: hot paths ask first. */
  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** The place that is open for a record; loads of one record at the same time share it. */
  shared(record: Bytes): Place | undefined {
    return this.#places.get(record);
  }

  /** A new place; with `open` false it never had the right to fill. */
  take(record: Bytes, open: boolean, inLog: InLog | null): Place {
    const place: OwnPlace = { record, open, inLog };
    if (open) this.#places.set(record, place);
    return place;
  }

  /** Takes the place of a record away, if there is one. */
  close(record: Bytes): void {
    const place = this.#places.get(record);
    if (place === undefined) return;
    place.open = false;
    this.#places.delete(record);
  }

  closeAll(): void {
    for (const place of this.#places.values()) place.open = false;
    this.#places.clear();
  }
}
