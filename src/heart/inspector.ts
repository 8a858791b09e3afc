/** Looks at one record, or at what is pending, without changing anything: cache, journal and database side by side. */
import type { Resolve } from "../address.js";
import { jsonOfBytes, type Bytes } from "../bytes.js";
import type { MemoryCache } from "../cache/memory-cache.js";
import { WriteBehindError } from "../errors.js";
import type { Inspection, JsonChange, QueuePage } from "../heart.js";
import { jsonOfFrame, jsonOfValue } from "./json.js";
import type { Journal } from "../queue/journal/journal.js";
import type { JournalReader } from "../queue/journal/reader.js";
import { positionOfText } from "../queue/queue.js";
import type { StoreReader } from "../store/store.js";
import type { Parked } from "./parked.js";

/** Changes of one record that an inspection shows at the most: the newest ones. */
const changesShownMax = 100;

/** Reads everything there is about records and about the queue. */
export class Inspector {
  readonly #log: JournalReader;
  readonly #journal: Journal;
  readonly #cache: MemoryCache;
  readonly #reader: StoreReader;
  readonly #parked: Parked;
  readonly #resolve: Resolve;

  constructor(
    log: JournalReader,
    journal: Journal,
    cache: MemoryCache,
    reader: StoreReader,
    parked: Parked,
    resolve: Resolve,
  ) {
    this.#log = log;
    this.#journal = journal;
    this.#cache = cache;
    this.#reader = reader;
    this.#parked = parked;
    this.#resolve = resolve;
  }

  /** One record in the cache, in the queue and in the database itself. */
  async inspect(key: Bytes, stored: number, now: number): Promise<Inspection> {
    const { record, field } = this.#resolve(key);
    const cached = this.#cache.peek(record, now);
    const letter = this.#parked.letterOf(record);
    const state = cached === undefined ? "unknown" : cached === null ? "absent" : "present";
    return {
      key: jsonOfBytes(key),
      record: jsonOfBytes(record),
      field: field === null ? null : jsonOfBytes(field),
      route: null,
      cache: { state, value: jsonOfValue(cached ?? null) },
      queue: await this.#changesOf(record, stored),
      database: await this.#inDatabase(record),
      deadLetters: letter === null ? [] : [letter],
    };
  }

  /** A page of pending changes, oldest first. A page never cuts a frame, so it may hold a few more than `limit`. */
  async pending(limit: number, after: string | null, stored: number): Promise<QueuePage> {
    const position = after === null ? null : positionOfText(after);
    if (after !== null && position === null) {
      throw new WriteBehindError("BAD_VALUE", `${after} is not a position`, { hint: "pass `next` of the page before" });
    }
    const from = Math.max(stored, position?.sequence ?? 0);
    const items: JsonChange[] = [];
    for await (const piece of this.#log.read(from, await this.#journal.syncNow())) {
      for (const { frame } of piece) {
        if (items.length >= limit) return { items, next: (items.at(-1) as JsonChange).position };
        for (const item of jsonOfFrame(frame)) items.push(item);
      }
    }
    return { items, next: null };
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  async #changesOf(record: Bytes, stored: number): Promise<JsonChange[]> {
    const found: JsonChange[] = [];
    for await (const piece of this.#log.read(stored, await this.#journal.syncNow())) {
      for (const { frame } of piece) {
        const { body } = frame;
        if (body.kind === "clear") found.push(...jsonOfFrame(frame));
        else {
          const changes = body.changes.filter((change) => change.record === record);
          if (changes.length > 0) found.push(...jsonOfFrame({ ...frame, body: { kind: "changes", changes } }));
        }
        if (found.length > changesShownMax) found.shift();
      }
    }
    return found;
  }

  async #inDatabase(record: Bytes): Promise<Inspection["database"]> {
    try {
      const [value] = await this.#reader.read([record]);
      return { value: jsonOfValue(value ?? null), error: null };
    } catch (error) {
      return { value: null, error: error instanceof Error ? error.message : String(error) };
    }
  }
}
