/**
 * What happens to parked groups between runs: each is tried again by itself, alone and with its own backoff, and a
 * person retries or discards it. It commits through the writer, which owns position and claim.
 */
import type { Bytes } from "../bytes.js";
import type { Change } from "../change.js";
import { WriteBehindError } from "../errors.js";
import type { Random } from "../host/host.js";
import { blamesBatch, storeErrorKind, type ParkedGroup, type Parking } from "../store/store.js";
import { idsOf, isSuperseded, letterId, rowsBehind, rowsOfGroup, waitingBehind } from "./group.js";
import type {
  DeadLetter,
  DeadLetterPage,
  LetterIds,
  LetterOutcome,
  ParkedReport,
  UnparkedReport,
  WriterReport,
} from "./messages.js";
import type { Parked, ParkingRun } from "./parked.js";
import { groupRetryDelayMs, type RetryLimits } from "./retry.js";
import { assert } from "./state.js";

/** Where a group gets something new, its pause is at most that after so many refusals. */
const soonTriesMax = 4;

/** What they are made with. */
export interface SuspectsParts {
  readonly parked: Parked;
  readonly random: Random;
  readonly options: RetryLimits;
  readonly now: () => number;
  readonly report: (report: WriterReport) => void;
  /** One transaction at the position where the store is. */
  readonly commit: (rows: ReadonlyMap<Bytes, Change>, parking: Parking) => Promise<void>;
}

/** A transaction that takes a group out. */
interface Try {
  readonly group: ParkedGroup;
  readonly how: UnparkedReport["how"];
  readonly gaveUpBehind: boolean;
}

interface Due {
  /** On the monotonic clock. */
  readonly at: number;
  /** Refusals in a row since the start. */
  readonly refusals: number;
  /** A later whole write has superseded its letter, and was tried at once. */
  readonly superseded: boolean;
}

/** What a person may ask for. `discardBehind`: what waits behind the letters is given up, too. */
export type LettersOrder = "retry" | "discard" | "discardBehind";

/** What a person asked for, and has not been answered. */
interface Order {
  readonly what: LettersOrder;
  readonly ids: LetterIds;
  /** Groups that are not done yet; null before it has begun. */
  left: number[] | null;
  readonly outcomes: LetterOutcome[];
  readonly resolve: (outcomes: readonly LetterOutcome[]) => void;
  readonly reject: (error: WriteBehindError) => void;
}

/** The parked groups of one writer, as far as they are tried. */
export class Suspects {
  readonly #parts: SuspectsParts;
  readonly #due = new Map<number, Due>();
  readonly #orders: Order[] = [];
  /** The group whose commit is under way, or has failed so that it may be done all the same. */
  #trying: Try | null = null;
  /** Groups with more tries than the store knows of. */
  readonly #stale = new Set<number>();

  constructor(parts: SuspectsParts) {
    this.#parts = parts;
  }

  /** When the next group is due, on the monotonic clock; null where nothing is parked. */
  get dueAt(): number | null {
    return this.#next()?.[1].at ?? null;
  }

  /** Whether somebody waits for an order to be done. */
  get ordered(): boolean {
    return this.#orders.length > 0;
  }

  /** Whether it is not known what became of a try: the store must be opened anew before anything else is written. */
  get unsure(): boolean {
    return this.#trying !== null;
  }

  /** What a run parks, and with it the tries that the store does not know of yet. A clear leaves nothing to tell of. */
  withTries({ clear, parking }: Pick<ParkingRun, "clear" | "parking">): Parking | null {
    if (this.#stale.size === 0 || clear) return parking;
    const { drop, put }: Parking = parking ?? { drop: [], put: [] };
    const stale = [...this.#stale].filter((id) => !drop.includes(id)).map((id) => this.#group(id));
    return { drop, put: [...put, ...stale.map(({ id, letters }) => ({ id, letters, behind: new Map() }))] };
  }

  /** Takes what is parked from the store. */
  load(groups: readonly ParkedGroup[]): void {
    this.#due.clear();
    this.#stale.clear();
    this.#trying = null;
    this.#parts.parked.load(groups);
    this.#schedule({ drop: [], put: groups });
  }

  /** A run is in the store, with what it parks and with all tries. */
  reached({ clear, parking }: Pick<ParkingRun, "clear" | "parking">): ParkedReport | null {
    if (clear) this.#cleared();
    this.#stale.clear();
    if (parking === null) return null;
    this.#parts.parked.change(parking);
    this.#schedule(parking);
    return this.#parts.parked.reportOf(parking);
  }

  /**
   * The store was opened where it was left. Says whether what is parked there is what is known; a try whose answer was
   * lost is taken for what it was.
   */
  agreesWith(groups: readonly ParkedGroup[]): boolean {
    const there = new Set(groups.map(({ id }) => id));
    const { parked } = this.#parts;
    const trying = this.#trying;
    this.#trying = null;
    if (trying !== null && !there.has(trying.group.id)) this.#done(trying);
    return there.size === parked.size && groups.every(({ id }) => parked.group(id) !== undefined);
  }

  /** Tries the group that is due. A refusal is the group's own matter; whatever else the store fails of is thrown. */
  async tryNext(): Promise<void> {
    const next = this.#next();
    assert(next !== null, "no group is due");
    await this.#retry(this.#group(next[0]));
  }

  /** Asks for letters to be tried again, or given up. Resolves when it is done. */
  order(what: LettersOrder, ids: LetterIds): Promise<readonly LetterOutcome[]> {
    return new Promise((resolve, reject) =>
      this.#orders.push({ what, ids, left: null, outcomes: [], resolve, reject }),
    );
  }

  /** Does what was ordered first. Its own errors are answered; what the store fails of is thrown. */
  async obey(stopping: () => boolean): Promise<void> {
    const order = this.#orders[0];
    assert(order !== undefined, "nothing is ordered");
    order.left ??= this.#groupsOf(order.ids);
    for (let id = order.left?.[0]; id !== undefined; id = order.left?.[0]) {
      if (stopping()) return;
      const group = this.#parts.parked.group(id);
      // Between two tries of the order the store was opened anew: the group may be another one's part, or stored.
      if (group !== undefined)
        order.outcomes.push(
          ...(order.what === "retry" ? await this.#retry(group) : await this.#discard(group, order.what)),
        );
      order.left?.shift();
    }
    this.#orders.shift();
    if (order.left === null) order.reject(unknownLetters(this.#unknown(order.ids)));
    else order.resolve(order.outcomes);
  }

  /** The order that is first could not be done, or not to its end. */
  fail(error: WriteBehindError): void {
    this.#orders.shift()?.reject(error);
  }

  /** Nothing will be done any more. */
  failAll(error: WriteBehindError): void {
    for (const order of this.#orders.splice(0)) order.reject(error);
  }

  /** Letters in the order of their positions. Throws BAD_VALUE where `after` is no id. */
  list(limit: number, after: string | null): DeadLetterPage {
    if (after !== null && !/^\d{1,16}$/.test(after)) throw unknownLetters([after]);
    const from = after === null ? -1 : Number(after);
    const found: DeadLetter[] = [];
    for (const group of this.#parts.parked.groups()) found.push(...shown(group, from));
    found.sort((a, b) => a.position.sequence - b.position.sequence);
    const items = found.slice(0, limit);
    return { items, next: items.length < found.length ? (items.at(-1)?.id ?? after) : null };
  }

  async #retry(group: ParkedGroup): Promise<LetterOutcome[]> {
    const how = isSuperseded(group) ? "superseded" : "retried";
    const reason = await this.#commit({ group, how, gaveUpBehind: false }, rowsOfGroup(group));
    if (reason === null) return outcomes(group, "stored", null, null);
    this.#refused(group.id, reason);
    return outcomes(group, "refused", reason, "mend the row or the schema, or discard the letter");
  }

  async #discard(group: ParkedGroup, what: LettersOrder): Promise<LetterOutcome[]> {
    const gaveUpBehind = what === "discardBehind";
    const rows = gaveUpBehind ? new Map<Bytes, Change>() : rowsBehind(group);
    const reason = await this.#commit({ group, how: "discarded", gaveUpBehind }, rows);
    if (reason === null) return outcomes(group, "discarded", null, null);
    const hint = "what waits behind it is refused, too: discard with `behind` gives up both";
    return outcomes(group, "refused", reason, hint);
  }

  /** Takes a group out in one transaction. Returns why it was refused, or null where it is done. */
  async #commit(tried: Try, rows: ReadonlyMap<Bytes, Change>): Promise<string | null> {
    this.#trying = tried;
    try {
      await this.#parts.commit(rows, { drop: [tried.group.id], put: [] });
    } catch (error) {
      // It is not done, and never will be. Of any other failure that is not known: the writer opens the store anew.
      if (storeErrorKind(error) === "refused") {
        this.#trying = null;
        return (error as Error).message;
      }
      // It must not come first again when the store is back: whatever it is, it is most likely this group's matter.
      if (blamesBatch(error)) this.#refused(tried.group.id, (error as Error).message);
      else this.#postpone(tried.group.id);
      throw error;
    }
    this.#trying = null;
    this.#done(tried);
    return null;
  }

  /** Nothing is parked any more. */
  #cleared(): void {
    const { parked, report } = this.#parts;
    if (parked.size === 0) return;
    const groups = [...parked.groups()];
    const records = groups.flatMap((group) => [...rowsOfGroup(group).keys()]);
    const ids = groups.flatMap(idsOf);
    this.load([]);
    report({ type: "unparked", ids, records, how: "superseded", gaveUpBehind: false, ...parked.totals });
  }

  #done({ group, how, gaveUpBehind }: Try): void {
    const { parked, report } = this.#parts;
    const records = [...rowsOfGroup(group).keys()];
    parked.change({ drop: [group.id], put: [] });
    this.#forget(group.id);
    report({ type: "unparked", ids: idsOf(group), records, how, gaveUpBehind, ...parked.totals });
  }

  #refused(id: number, reason: string): void {
    this.#parts.parked.refusedAgain(id, reason);
    this.#stale.add(id);
    this.#postpone(id);
  }

  #postpone(id: number): void {
    const refusals = (this.#due.get(id)?.refusals ?? 0) + 1;
    const superseded = this.#due.get(id)?.superseded ?? false;
    this.#due.set(id, { at: this.#parts.now() + this.#delayMs(refusals), refusals, superseded });
  }

  /** What is new in a group may heal it: it is due at once. A letter was refused a moment ago: it is due later. */
  #schedule({ drop, put }: Parking): void {
    for (const id of drop) this.#forget(id);
    const now = this.#parts.now();
    for (const { id, letters } of put) {
      const due = this.#due.get(id) ?? { at: Number.POSITIVE_INFINITY, refusals: 0, superseded: false };
      const { refusals } = due;
      const superseded = isSuperseded(this.#group(id));
      // Something new may heal it, so it is tried soon, but not after every run: a try costs what the group holds.
      const atOnce = (superseded && !due.superseded) || (refusals === 0 && letters.length === 0);
      const delayMs = atOnce ? 0 : this.#delayMs(Math.min(Math.max(1, refusals), soonTriesMax));
      this.#due.set(id, { at: Math.min(due.at, now + delayMs), refusals, superseded });
    }
  }

  #forget(id: number): void {
    this.#due.delete(id);
    this.#stale.delete(id);
  }

  /** The group that is due first. */
  #next(): [number, Due] | null {
    let first: [number, Due] | null = null;
    for (const each of this.#due) if (first === null || each[1].at < first[1].at) first = each;
    return first;
  }

  #group(id: number): ParkedGroup {
    const group = this.#parts.parked.group(id);
    assert(group !== undefined, "a group is not parked");
    return group;
  }

  /** The groups of these letters, oldest first; null where there is no such letter. */
  #groupsOf(ids: LetterIds): number[] | null {
    if (this.#unknown(ids).length > 0) return null;
    const wanted = new Set<string>(ids === "all" ? [] : ids);
    return [...this.#parts.parked.groups()]
      .filter((group) => ids === "all" || idsOf(group).some((id) => wanted.has(id)))
      .map(({ id }) => id)
      .toSorted((a, b) => a - b);
  }

  #unknown(ids: LetterIds): string[] {
    if (ids === "all") return [];
    const known = new Set([...this.#parts.parked.groups()].flatMap(idsOf));
    return ids.filter((id) => !known.has(id));
  }

  #delayMs(refusals: number): number {
    return groupRetryDelayMs(refusals, this.#parts.random.number(), this.#parts.options);
  }
}

function outcomes(
  group: ParkedGroup,
  became: LetterOutcome["became"],
  reason: string | null,
  hint: string | null,
): LetterOutcome[] {
  return idsOf(group).map((id) => ({ id, became, reason, hint }));
}

function shown(group: ParkedGroup, after: number): DeadLetter[] {
  let waiting: number | null = null;
  return group.letters
    .filter(({ position }) => position.sequence > after)
    .map((letter) => ({
      ...letter,
      id: letterId(letter.position.sequence),
      group: letterId(group.id),
      behind: letter.changes.flatMap(({ record }) => {
        const behind = group.behind.get(record);
        return behind === undefined ? [] : [{ record, change: behind.change, frames: behind.frames }];
      }),
      waitingBehind: (waiting ??= waitingBehind(group)),
    }));
}

function unknownLetters(ids: readonly string[]): WriteBehindError {
  const shown = ids.slice(0, 10).join(", ");
  const more = ids.length > 10 ? ` and ${ids.length - 10} more` : "";
  return new WriteBehindError("BAD_VALUE", `there is no dead letter ${shown}${more}`, {
    hint: "`write-behind dead list` shows their ids",
  });
}
