/**
 * What the keeper is told after commits of one partition: what was parked, which records are settled, how far the
 * database is. In order, one after the other, behind the writer's back: a commit does not wait for it. A keeper that
 * cannot be reached is told later; where this worker ends before, the next owner finds the difference between what was
 * told and where the database is, and tells it. What is told is a chain, so a keeper that went back is found out: then
 * its queue looks whether the database is still where the log is, and everything is told anew.
 */
import type { Bytes } from "../../bytes.js";
import { WriteBehindError } from "../../errors.js";
import type { Clock, Random, Timer } from "../../host/host.js";
import type { FrameOnDisk, Position } from "../../queue/queue.js";
import { retryDelayMs, type RetryLimits } from "../../writer/retry.js";
import type { Claim, Keeper, ParkedChange, Telling } from "../keeper.js";
import type { Freshness } from "./freshness.js";
import { LogNotes } from "./log-notes.js";
import { stateOf } from "./log-reads.js";
import { changeUnseen } from "./parked-reports.js";
import type { FrameNote } from "./remembered.js";
import { Retained, type RetainLimits } from "./retained.js";

/** What it is made with. */
export interface AcknowledgedParts {
  readonly keeper: Pick<Keeper, "states" | "frames" | "baseRecords" | "settle" | "stored" | "parked">;
  readonly claim: Claim;
  readonly clock: Clock;
  readonly random: Random;
  readonly retry: RetryLimits;
  readonly retain: RetainLimits;
  readonly freshness: Freshness;
  /** The store's generation. */
  readonly generation: () => number;
  /** Everything that is parked in the store. */
  readonly parked: () => ParkedChange;
  /** The partition is another worker's. */
  readonly lost: () => void;
}

/** A frame, and its log time. */
interface Told {
  readonly position: Position;
  readonly at: number;
}

/** Something to be told: until it is, and with the same content, for a telling is known by its name. */
type Item =
  | { readonly what: "reached"; readonly position: Position; parked: ParkedChange | null }
  | { readonly what: "parked"; readonly change: ParkedChange }
  | { readonly what: "opened"; readonly position: Position; parked: ParkedChange | null }
  | { readonly what: "trim"; readonly told: Told };

/** The keeper has not heard what it was told. */
class Missed extends Error {}

/** What is told of one partition. */
export class Acknowledged {
  readonly #parts: AcknowledgedParts;
  readonly #notes: LogNotes;
  readonly #retained: Retained;
  readonly #items: Item[] = [];
  readonly #idle: (() => void)[] = [];
  #working = false;
  #closed = false;
  /** The frame that the keeper was told last, and its log time; null before the store was opened. */
  #told: Told | null = null;
  /** The last telling; null: whatever the keeper has heard, the next one is the first. */
  #lastTold: string | null = null;
  #tellings = 0;
  #settlings = 0;
  /** The keeper has missed something, and waits for all of it. */
  #missed = false;
  /** The database went back from here. What is parked is for readers what it was there, until it is there again. */
  #cameFrom = 0;
  /** What the keeper is still to be told of: log time of the last such frame, and their bytes. */
  #untold = { at: 0, bytes: 0 };
  #pause: { readonly timer: Timer; readonly end: () => void } | null = null;

  constructor(parts: AcknowledgedParts) {
    this.#parts = parts;
    this.#notes = new LogNotes(parts);
    this.#retained = new Retained(parts.retain);
  }

  /** What is committed and not told yet. */
  get untold(): { readonly at: number; readonly bytes: number } {
    return this.#untold;
  }

  /** These frames were read; they need not be committed yet. */
  remember(frames: readonly FrameOnDisk[]): void {
    this.#notes.remember(frames);
  }

  /** Frames that were read need not be in the log any more. */
  forgetRead(): void {
    this.#notes.forget();
  }

  /** The store was opened here, and this is parked there. */
  opened(position: Position, change: ParkedChange): void {
    this.#notes.forget();
    this.#add({ what: "opened", position, parked: change });
  }

  /** The keeper went back. The database is at this position, and the log is still the same there. */
  tellAnew(position: Position): void {
    if (this.#working) return;
    this.#missed = false;
    this.#lastTold = null;
    this.#tellings++;
    this.opened(position, this.#parts.parked());
  }

  /** What the keeper must have heard last; null while that may change, or nothing was told. */
  get lastTold(): string | null {
    if (this.#missed) return "something else";
    return this.#working ? null : this.#lastTold;
  }

  /** The store has reached this position. */
  reached(position: Position): void {
    const known = this.#lastPosition();
    const notes = known === null ? null : this.#notes.remembered(known, position.sequence);
    if (notes !== null) {
      const bytes = notes.reduce((sum, note) => sum + note.bytes, this.#untold.bytes);
      this.#untold = { at: notes.at(-1)?.at ?? this.#untold.at, bytes };
    }
    this.#add({ what: "reached", position, parked: null });
  }

  /** The commit that was told last has parked something. */
  reachedParking(change: ParkedChange): void {
    if (this.#missed) return;
    const last = this.#items.at(-1);
    if (last?.what !== "reached") throw new Error("broken invariant: nothing was reached");
    last.parked = change;
  }

  /** What is parked has changed, and the position has not. */
  parked(change: ParkedChange): void {
    this.#add({ what: "parked", change });
  }

  /** What was kept long enough goes, also where nothing is committed. */
  trim(): void {
    if (this.#working || this.#missed || this.#told === null) return;
    const before = this.#retained.kept;
    if (this.#retained.trimTo(this.#now()) !== before) this.#add({ what: "trim", told: this.#told });
  }

  /** Whether everything has been told. */
  get idle(): boolean {
    return !this.#working;
  }

  /** Resolves when everything has been told. */
  settled(): Promise<void> {
    if (!this.#working || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Nothing more is told. */
  close(): void {
    this.#closed = true;
    this.#pause?.timer.cancel();
    this.#pause?.end();
    this.#end();
  }

  #add(item: Item): void {
    if (this.#closed || this.#missed) return;
    this.#items.push(item);
    if (!this.#working) void this.#work();
  }

  /** Where the keeper will be when all is told; null where that is not known. */
  #lastPosition(): number | null {
    for (const item of this.#items.toReversed()) if ("position" in item) return item.position.sequence;
    return this.#told?.position.sequence ?? null;
  }

  async #work(): Promise<void> {
    this.#working = true;
    // The step that tells of a commit may add what the commit has parked.
    await Promise.resolve();
    for (let item = this.#items[0]; item !== undefined && !this.#closed; item = this.#items[0]) {
      // Commits that are further on say the same of those before, unless they parked something in between.
      if (isPlain(item) && isPlain(this.#items[1])) this.#items.shift();
      else await this.#persist(item);
    }
    this.#end();
  }

  #end(): void {
    this.#working = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Tells one thing until it is told: nothing of it is ever lost (promise 6). */
  async #persist(item: Item): Promise<void> {
    for (let attempt = 1; !this.#closed; attempt++) {
      try {
        await this.#tell(item);
        this.#items.shift();
        return;
      } catch (error) {
        if (this.#closed) return;
        if (error instanceof Missed) {
          this.#missed = true;
          this.#items.length = 0;
          return;
        }
        if (error instanceof WriteBehindError && error.code === "QUEUE_MISMATCH") {
          this.close();
          this.#parts.lost();
          return;
        }
        await this.#rest(retryDelayMs(attempt, this.#parts.random.number(), false, this.#parts.retry));
      }
    }
  }

  async #rest(ms: number): Promise<void> {
    await new Promise<void>((end) => (this.#pause = { timer: this.#parts.clock.after(ms, end), end }));
    this.#pause = null;
  }

  async #tell(item: Item): Promise<void> {
    switch (item.what) {
      case "parked":
        return this.#parked(item.change);
      case "reached":
        if (this.#cameFrom > 0 && item.position.sequence >= this.#cameFrom) this.#takeAnew(item);
        await this.#parkedBefore(item);
        return this.#tellReached(item.position);
      case "opened":
        return this.#tellOpened(item);
      case "trim":
        return this.#stored(item.told.position, item.told.at, 0, null);
    }
  }

  /** Where the keeper was told that the database is: by who owned the partition before, or by this worker. */
  async #tellOpened(item: Item & { what: "opened" }): Promise<void> {
    const { position, parked } = item;
    const { sequence } = position;
    const { stored, reached } = await stateOf(this.#parts.keeper, this.#parts.claim.partition);
    if (parked !== null) this.#cameFrom = reached > sequence ? reached : 0;
    await this.#parkedBefore(item);
    this.#retained.start(Math.min(sequence, stored.sequence), this.#now());
    if (stored.sequence < sequence) {
      this.#told = { position: stored, at: 0 };
      return this.#tellReached(position);
    }
    const at = sequence === 0 ? 0 : await this.#notes.logTimeOf(sequence);
    // The database went back: what follows is pending once more, and none of it may be trimmed.
    let bytes = 0;
    for await (const notes of this.#notes.between(sequence, stored.sequence)) bytes -= bytesOf(notes);
    if (stored.sequence > 0) await this.#stored(position, at, bytes, null);
    this.#told = { position, at };
    return undefined;
  }

  async #tellReached(position: Position): Promise<void> {
    const told = this.#told;
    if (told === null) throw new Error("broken invariant: a commit before the store was opened");
    let at = told.at;
    let bytes = 0;
    let settled: string | null = null;
    for await (const notes of this.#notes.between(told.position.sequence, position.sequence)) {
      const upTo = (notes.at(-1) as FrameNote).sequence;
      for (const [freshMs, records] of this.#byFreshness(notes)) {
        settled = await this.#settle(upTo, records, freshMs, settled);
      }
      bytes += bytesOf(notes);
      at = (notes.at(-1) as FrameNote).at;
    }
    await this.#stored(position, at, bytes, settled);
    this.#retained.add(position.sequence, bytes, this.#now());
    this.#told = { position, at };
    this.#notes.forgetUpTo(position.sequence);
    this.#untold = { at, bytes: Math.max(0, this.#untold.bytes - bytes) };
  }

  /** The records of frames, by how long they may stay. */
  #byFreshness(notes: readonly FrameNote[]): ReadonlyMap<number, Bytes[]> {
    const { freshness } = this.#parts;
    const stays = new Map<Bytes, number>();
    for (const { records } of notes) for (const record of records) stays.set(record, freshness.ofRecord(record));
    for (const { doubtful } of notes) for (const record of doubtful) stays.set(record, 0);
    const groups = new Map<number, Bytes[]>();
    for (const [record, freshMs] of stays) {
      const group = groups.get(freshMs);
      if (group === undefined) groups.set(freshMs, [record]);
      else group.push(record);
    }
    return groups;
  }

  /** Settles some records of a run; says the name of this telling, which is new with every attempt. */
  async #settle(upTo: number, records: readonly Bytes[], freshMs: number, after: string | null): Promise<string> {
    const { keeper, claim } = this.#parts;
    const name = `${claim.worker} ${claim.number} ${++this.#settlings}`;
    if (!(await keeper.settle(claim, upTo, records, freshMs, { after, name }))) throw new Missed();
    return name;
  }

  #stored(position: Position, at: number, bytes: number, settled: string | null): Promise<void> {
    const { keeper, claim, generation } = this.#parts;
    const trimTo = Math.min(this.#retained.trimTo(this.#now()), position.sequence);
    const stored = { position, at, generation: generation(), trimTo, bytes, settled };
    return this.#say((telling) => keeper.stored(claim, stored, telling));
  }

  #parked(change: ParkedChange): Promise<void> {
    const { keeper, claim } = this.#parts;
    const told = this.#cameFrom > 0 ? changeUnseen(change) : change;
    return this.#say((telling) => keeper.parked(claim, told, telling));
  }

  /** What is parked is told before the position, and once: what follows is another telling. */
  async #parkedBefore(item: { parked: ParkedChange | null }): Promise<void> {
    if (item.parked !== null) await this.#parked(item.parked);
    item.parked = null;
  }

  /** The database is where it went back from: everything that is parked there takes the place of what was. */
  #takeAnew(item: Item & { what: "reached" }): void {
    this.#cameFrom = 0;
    const parked = this.#parts.parked();
    const frames = new Map(parked.frames);
    for (const each of this.#items)
      for (const [frame, letter] of changeIn(each)?.frames ?? []) frames.set(frame, letter);
    item.parked = { ...parked, frames };
    // It has all of theirs.
    const behind = this.#items.splice(1);
    for (const each of behind) if (each.what === "reached") each.parked = null;
    this.#items.push(...behind.filter(({ what }) => what !== "parked"));
  }

  /** Tells the next in the chain. Where the answer is lost it has the same name when it is told again. */
  async #say(tell: (telling: Telling) => Promise<boolean>): Promise<void> {
    const { worker, number } = this.#parts.claim;
    const name = `${worker} ${number} ${this.#tellings + 1}`;
    if (!(await tell({ after: this.#lastTold, name }))) throw new Missed();
    this.#tellings++;
    this.#lastTold = name;
  }

  #now(): number {
    return this.#parts.clock.monotonic();
  }
}

function bytesOf(notes: readonly FrameNote[]): number {
  return notes.reduce((sum, note) => sum + note.bytes, 0);
}

function changeIn(item: Item): ParkedChange | null {
  if (item.what === "parked") return item.change;
  return item.what === "trim" ? null : item.parked;
}

function isPlain(item: Item | undefined): boolean {
  return item?.what === "reached" && item.parked === null;
}
