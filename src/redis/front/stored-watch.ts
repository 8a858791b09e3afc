/**
 * How far the database has come, as one process of a fleet knows it, and who waits for that. It hears of it at once
 * when the news come through, and asks from time to time while somebody waits.
 */
import { WriteBehindError } from "../../errors.js";
import type { Reached } from "../../heart.js";
import type { Clock, Timer } from "../../host/host.js";
import { Waits } from "../../heart/waits.js";
import type { Keeper, News, PartitionState } from "../keeper.js";
import { MadeFrames } from "./made-frames.js";

/** While somebody waits the keeper is asked so often, in milliseconds: news may have been missed. */
const askEveryMs = 200;

/** Parked frames whose letters are remembered for who asks. */
const parkedMax = 100_000;

/** What has come of the frames of one process. */
export class StoredWatch {
  readonly frames: MadeFrames;
  readonly #keeper: Keeper;
  readonly #clock: Clock;
  readonly #stored: number[];
  readonly #waits = new Waits();
  /** Numbers of frames that are parked, and the letter that each waits for. */
  readonly #parked = new Map<number, string>();
  /** Up to which number it is known which frames are parked. */
  #looked = 0;
  #looking = false;
  #timer: Timer | null = null;
  #listening: Promise<() => void> | null = null;
  #ended: WriteBehindError | null = null;

  constructor(keeper: Keeper, clock: Clock, partitions: number) {
    this.#keeper = keeper;
    this.#clock = clock;
    this.frames = new MadeFrames(partitions);
    this.#stored = Array.from({ length: partitions }, () => 0);
  }

  /** The highest number up to which all frames are stored or parked, and it is known which of the two. */
  get stored(): number {
    return this.#looked;
  }

  /**
   * A frame was kept. Says its number. One that is no later than what was heard to be stored may be of a log that goes
   * on from an earlier frame (an older Redis): then that was said of another frame. Or the news were quicker than the
   * answer to the write; asking tells.
   */
  made(partition: number, sequence: number): number {
    if (sequence <= (this.#stored[partition] ?? 0)) {
      this.#stored[partition] = sequence - 1;
      this.frames.restart(this.#looked);
      if (this.#waits.size > 0) void this.#askOnce();
    }
    return this.frames.add(partition, sequence);
  }

  /** Calls back once a frame and all before it are in the database or parked. */
  whenStored(number: number, reached: Reached): () => void {
    if (number <= this.#looked || this.#ended !== null) {
      reached(number <= this.#looked ? null : this.#ended);
      return () => {};
    }
    const wait = this.#waits.add(number, reached);
    this.#begin(number);
    return () => this.#waits.cancel(wait);
  }

  /** Why a stored frame is not in the database; null: it is. */
  refusal(number: number): WriteBehindError | null {
    const letter = this.#parked.get(number);
    return letter === undefined ? null : refused(letter);
  }

  /** Whether one of these frames is parked. */
  anyIn(first: number, last: number): boolean {
    for (const number of this.#parked.keys()) if (number >= first && number <= last) return true;
    return false;
  }

  /** Letters that frames of these numbers wait for. */
  lettersIn(first: number, last: number): readonly string[] {
    const letters = new Set<string>();
    for (const [number, letter] of this.#parked) if (number >= first && number <= last) letters.add(letter);
    return [...letters];
  }

  /** Partitions as they are now. */
  saw(states: readonly PartitionState[]): void {
    for (const { partition, stored } of states) this.#moved(partition, stored.sequence);
    void this.#look();
  }

  /** Nothing is heard any more; who waits is told why. */
  end(error: WriteBehindError): void {
    this.#ended ??= error;
    this.#timer?.cancel();
    this.#waits.fail(error);
    void this.#deafen();
  }

  async #deafen(): Promise<void> {
    try {
      (await this.#listening)?.();
    } catch {
      // It never heard anything.
    }
  }

  /** Everybody who waits is told why in vain; whoever comes later may wait again. */
  failWaits(error: WriteBehindError): void {
    this.#waits.fail(error);
  }

  #begin(number: number): void {
    void this.#listen();
    void this.#hurry(number);
    if (this.#timer === null) void this.#ask();
  }

  async #listen(): Promise<void> {
    try {
      await (this.#listening ??= this.#keeper.listen((news) => this.#hear(news)));
    } catch {
      // What it does not hear it asks for.
      this.#listening = null;
    }
  }

  async #hurry(number: number): Promise<void> {
    for (const [partition, sequence] of this.frames.farOf(number).entries()) {
      if (sequence <= (this.#stored[partition] ?? 0)) continue;
      await this.#keeper.tell({ kind: "hurry", partition, sequence }).catch(() => {});
    }
  }

  #hear(news: News | null): void {
    if (news?.kind !== "stored") return;
    this.#moved(news.partition, news.sequence);
    void this.#look();
  }

  /** Again and again while somebody waits. */
  async #ask(): Promise<void> {
    this.#timer = this.#clock.after(askEveryMs, () => void this.#ask(), true);
    await this.#askOnce();
    if (this.#waits.size > 0 && this.#ended === null) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  async #askOnce(): Promise<void> {
    try {
      const { states } = await this.#keeper.states(this.#stored.map((_, partition) => partition));
      this.saw(states);
    } catch {
      // It is asked again.
    }
  }

  #moved(partition: number, sequence: number): void {
    this.#stored[partition] = Math.max(this.#stored[partition] ?? 0, sequence);
  }

  /** Before anybody is told that a frame is stored it must be known whether it is parked instead (promise 7). */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (let upTo = this.frames.storedUpTo(this.#stored); upTo > this.#looked;) {
        await this.#lookAt(this.#looked + 1, upTo);
        this.#looked = upTo;
        this.#waits.reach(upTo);
        this.frames.letGo(this.#stored);
        upTo = this.frames.storedUpTo(this.#stored);
      }
    } catch {
      // It is asked again while somebody waits.
    } finally {
      this.#looking = false;
    }
  }

  async #lookAt(first: number, last: number): Promise<void> {
    const ranges = this.frames.between(first, last);
    const spans = new Map<number, { first: number; last: number }>();
    for (const { partition, sequence, count } of ranges) {
      const span = spans.get(partition) ?? { first: sequence, last: sequence };
      span.last = sequence + count - 1;
      spans.set(partition, span);
    }
    for (const [partition, span] of spans) {
      const parked = await this.#keeper.parkedBetween(partition, span.first, span.last);
      for (const [sequence, letter] of parked) this.#note(ranges, partition, sequence, letter);
    }
    for (const number of this.#parked.keys()) {
      if (this.#parked.size <= parkedMax) break;
      this.#parked.delete(number);
    }
  }

  /** Another process may have made the frame: then it is none of ours. */
  #note(ranges: ReturnType<MadeFrames["between"]>, partition: number, sequence: number, letter: string): void {
    const range = ranges.find(
      (each) => each.partition === partition && sequence >= each.sequence && sequence < each.sequence + each.count,
    );
    if (range !== undefined) this.#parked.set(range.first + sequence - range.sequence, letter);
  }
}

function refused(letter: string): WriteBehindError {
  return new WriteBehindError(
    "REFUSED",
    `the database refuses the change: it is in dead letter ${letter}, or waits behind it`,
    {
      hint: `see \`write-behind dead show ${letter}\`; mend what the database objects to and retry, or discard`,
    },
  );
}
