/** Looks at one record, or at what is pending, without changing anything: cache, journal and database side by side. */
import { jsonOfBytes, type Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import { WriteBehindError } from "../errors.js";
import type { Inspection, JsonChange, QueuePage, Recent } from "../heart.js";
import { jsonOfFrame, jsonOfValue } from "./json.js";
import type { Journal } from "../queue/journal/journal.js";
import type { JournalReader } from "../queue/journal/reader.js";
import { positionOfText, type Frame } from "../queue/queue.js";
import type { StoreReader } from "../store/store.js";
import type { Addressing } from "./addressing.js";
import type { Parked } from "./parked.js";

/** Changes of one record that an inspection shows at the most: the newest ones. */
const changesShownMax = 100;

/** The end of the log that is looked through for what is stored already: so many frames and bytes, at the most. */
const recentFramesMax = 20_000;
const recentBytesMax = 4 * 1024 * 1024;

/** So often a look begins again where the log is trimmed under it. */
const triesMax = 20;

/** What an inspector is made with. */
export interface InspectorParts {
  readonly log: JournalReader;
  readonly journal: Journal;
  readonly cache: MemoryCache;
  readonly reader: StoreReader;
  readonly parked: Parked;
  /** The highest sequence that is in the database. */
  readonly stored: () => number;
  readonly addressing: Pick<Addressing, "plan" | "resolve">;
}

/** Reads everything there is about records and about the queue. */
export class Inspector {
  readonly #parts: InspectorParts;

  constructor(parts: InspectorParts) {
    this.#parts = parts;
  }

  /** One record in the cache, in the queue and in the database itself. */
  async inspect(key: Bytes, now: number): Promise<Inspection> {
    const { cache, addressing } = this.#parts;
    const { record, field, cacheOnly } = addressing.resolve(key);
    const cached = cache.peek(record, now);
    const state = cached === undefined ? "unknown" : cached === null ? "absent" : "present";
    return {
      key: jsonOfBytes(key),
      record: jsonOfBytes(record),
      field: field === null ? null : jsonOfBytes(field),
      route: addressing.plan?.routeOf(key) ?? null,
      cache: { state, value: jsonOfValue(cached ?? null) },
      queue: cache.keys.isPending(record) ? await this.#changesOf(record, this.#pendingFrames(0)) : [],
      database: cacheOnly ? { value: null, error: null } : await this.#inDatabase(record),
      deadLetters: this.#lettersOf(record),
    };
  }

  /** Its last changes, pending or stored, that are in the end of the log; oldest first. */
  async recent(key: Bytes): Promise<Recent> {
    const { journal, addressing } = this.#parts;
    const { record } = addressing.resolve(key);
    const least = (): number => journal.oldest() - 1;
    let from = Math.max(least(), journal.accepted - recentFramesMax);
    while (journal.waitingAfter(from).bytes > recentBytesMax) from = Math.ceil((from + journal.accepted) / 2);
    const changes = await this.#changesOf(record, this.#frames(from, least));
    return { changes, deadLetters: this.#lettersOf(record) };
  }

  /** A page of pending changes, oldest first. A page never cuts a frame, so it may hold a few more than `limit`. */
  async pending(limit: number, after: string | null): Promise<QueuePage> {
    const position = after === null ? null : positionOfText(after);
    if (after !== null && position === null) {
      throw new WriteBehindError("BAD_VALUE", `${after} is not a position`, { hint: "pass `next` of the page before" });
    }
    const items: JsonChange[] = [];
    for await (const frame of this.#pendingFrames(position?.sequence ?? 0)) {
      if (items.length >= limit) return { items, next: (items.at(-1) as JsonChange).position };
      for (const item of jsonOfFrame(frame)) items.push(item);
    }
    return { items, next: null };
  }

  async close(): Promise<void> {
    await this.#parts.log.close();
  }

  #lettersOf(record: Bytes): string[] {
    const letter = this.#parts.parked.letterOf(record);
    return letter === null ? [] : [letter];
  }

  async #changesOf(record: Bytes, frames: AsyncIterable<Frame>): Promise<JsonChange[]> {
    const found: JsonChange[] = [];
    for await (const frame of frames) {
      const { body } = frame;
      if (body.kind === "clear") found.push(...jsonOfFrame(frame));
      else {
        const changes = body.changes.filter((change) => change.record === record);
        if (changes.length > 0) found.push(...jsonOfFrame({ ...frame, body: { kind: "changes", changes } }));
      }
      if (found.length > changesShownMax) found.shift();
    }
    return found;
  }

  /** Frames that are pending now, of those after a sequence. */
  #pendingFrames(after: number): AsyncIterable<Frame> {
    return this.#frames(after, this.#parts.stored);
  }

  /**
   * Frames up to now, of those after a sequence and after `least`. The writer goes on meanwhile: what it has stored may
   * be trimmed before it was read here, and is left out then.
   */
  async *#frames(after: number, least: () => number): AsyncGenerator<Frame, void, undefined> {
    const { log, journal } = this.#parts;
    const upTo = await journal.syncNow();
    let from = after;
    for (let tries = 1; ; tries++) {
      from = Math.max(from, least());
      try {
        for await (const piece of log.read(from, upTo, journal.postBefore(from + 1))) {
          for (const { frame } of piece) yield frame;
          from += piece.length;
        }
        return;
      } catch (error) {
        if (from >= least() || tries === triesMax) throw error;
      }
    }
  }

  async #inDatabase(record: Bytes): Promise<Inspection["database"]> {
    try {
      const [value] = await this.#parts.reader.read([record]);
      return { value: jsonOfValue(value ?? null), error: null };
    } catch (error) {
      return { value: null, error: error instanceof Error ? error.message : String(error) };
    }
  }
}
