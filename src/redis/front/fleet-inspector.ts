/** Looks at one record of a fleet, or at what is pending, without changing anything: keeper, log and database. */
import { jsonOfBytes, type Bytes } from "../../bytes.js";
import { WriteBehindError } from "../../errors.js";
import type { Address } from "../../address.js";
import type { Inspection, JsonChange, QueuePage } from "../../heart.js";
import { jsonOfFrame, jsonOfValue } from "../../heart/json.js";
import { positionOfText, type Frame } from "../../queue/queue.js";
import type { Plan } from "../../routes/plan.js";
import type { StoreReader } from "../../store/store.js";
import { baseOfBytes } from "../base-entry.js";
import type { BaseSeen, Keeper, Known } from "../keeper.js";
import { parkedOfBytes } from "../parked-change.js";
import { partitionOf, partitionOfLog } from "../partition.js";

/** Changes of one record that an inspection shows at the most: the newest ones. */
const changesShownMax = 100;

/** Log that is read at once. */
const logBytes = 1024 * 1024;

/** What it looks with. */
export interface FleetInspectorParts {
  readonly keeper: Keeper;
  readonly reader: StoreReader;
  readonly partitions: number;
  readonly resolve: (key: Bytes) => Address;
  readonly plan: () => Plan | null;
}

/** Reads everything there is about records and about the queue. */
export class FleetInspector {
  readonly #parts: FleetInspectorParts;

  constructor(parts: FleetInspectorParts) {
    this.#parts = parts;
  }

  /** One record in the keeper, in the queue and in the database itself. */
  async inspect(key: Bytes): Promise<Inspection> {
    const { keeper, partitions, resolve, plan } = this.#parts;
    const { record, field } = resolve(key);
    const partition = partitionOf(record, partitions);
    const { records } = await keeper.read([{ partition, record }], null);
    const known = records[0] as Known;
    const value = known.state === "value" ? known.value : null;
    const state = known.state === "value" ? "present" : known.state === "absent" ? "absent" : "unknown";
    const parked = known.state === "unknown" && known.parked !== null ? parkedOfBytes(known.parked).letter : null;
    return {
      key: jsonOfBytes(key),
      record: jsonOfBytes(record),
      field: field === null ? null : jsonOfBytes(field),
      route: plan()?.routeOf(key) ?? null,
      cache: { state, value: jsonOfValue(value) },
      queue: await this.#changesOf(record, partition),
      database: await this.#inDatabase(record),
      deadLetters: parked === null ? [] : [`${partition}-${parked}`],
    };
  }

  /** A page of pending changes, by partition, oldest first in each. A page never cuts a frame. */
  async pending(limit: number, after: string | null): Promise<QueuePage> {
    const position = after === null ? null : positionOfText(after);
    if (after !== null && position === null) {
      throw new WriteBehindError("BAD_VALUE", `${after} is not a position`, { hint: "pass `next` of the page before" });
    }
    const items: JsonChange[] = [];
    const first = position === null ? 0 : partitionOfLog(position.logId);
    for (let partition = first; partition < this.#parts.partitions; partition++) {
      const from = partition === first && position !== null ? position.sequence : 0;
      for await (const frame of this.#pendingFrames(partition, from, limit - items.length)) {
        if (items.length >= limit) return { items, next: (items.at(-1) as JsonChange).position };
        for (const item of jsonOfFrame(frame)) items.push(item);
      }
    }
    return { items, next: null };
  }

  async #changesOf(record: Bytes, partition: number): Promise<JsonChange[]> {
    const { keeper } = this.#parts;
    const found: JsonChange[] = [];
    const { base, changes } = await keeper.baseOf(partition, [record], logBytes);
    const [entry] = changes;
    if (base !== null && entry !== null && entry !== undefined)
      found.push(...jsonOfFrame(frameOf(base, [[record, entry]])));
    for await (const frame of this.#pendingFrames(partition, base?.to.sequence ?? 0, 0)) {
      if (frame.body.kind === "clear") continue;
      const ofRecord = frame.body.changes.filter((change) => change.record === record);
      if (ofRecord.length > 0) found.push(...jsonOfFrame({ ...frame, body: { kind: "changes", changes: ofRecord } }));
      if (found.length > changesShownMax) found.shift();
    }
    return found;
  }

  /** Pending frames behind a sequence. A base is shown as one frame, by so many of its records at the most. */
  async *#pendingFrames(partition: number, after: number, baseRecordsMax: number): AsyncIterable<Frame> {
    const { keeper } = this.#parts;
    const [state] = (await keeper.states([partition])).states;
    if (state === undefined) return;
    const { base, head, stored } = state;
    const from = Math.max(after, stored.sequence);
    if (base === null || from >= base.to.sequence) {
      yield* this.#frames(partition, from, head.sequence);
      return;
    }
    yield* this.#frames(partition, from, base.from.sequence);
    const { changes } = await keeper.baseRecords(partition, null, Math.max(1, baseRecordsMax));
    if (baseRecordsMax > 0) yield frameOf(base, [...changes].slice(0, baseRecordsMax));
    yield* this.#frames(partition, base.to.sequence, head.sequence);
  }

  async *#frames(partition: number, after: number, upTo: number): AsyncIterable<Frame> {
    for (let from = after; from < upTo;) {
      const frames = await this.#parts.keeper.frames(partition, from, logBytes);
      if (frames.length === 0) return;
      for (const { frame } of frames) if (frame.position.sequence <= upTo) yield frame;
      from = (frames.at(-1) as (typeof frames)[0]).frame.position.sequence;
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

/** Records of a base, as if one frame at its end had changed them. */
function frameOf({ to, at }: BaseSeen, records: readonly (readonly [Bytes, Bytes])[]): Frame {
  const changes = records.map(([record, entry]) => ({ record, change: baseOfBytes(entry).change }));
  return { position: to, at, body: { kind: "changes", changes } };
}
