/**
 * A naive world around the heart's picture of what is parked: a database that parks, heals and gives up, a writer whose
 * reports arrive late, loads whose rows are read at one moment and arrive at another. What the cache knows must be the
 * row, what is parked and what is pending, as of the last report that has arrived. A walk over all keys shows what is
 * there all the time, and nothing that never is.
 */
import fc from "fast-check";
import { expect } from "vitest";
import { keyIsRecord } from "../src/address.js";
import type { Bytes } from "../src/bytes.js";
import { MemoryCache } from "../src/cache/memory-cache.js";
import { apply, compose, hasEnded, isLive, remove, type Change, type RecordValue } from "../src/change.js";
import { Emitter } from "../src/events.js";
import type { Executed, KeysPlace } from "../src/heart.js";
import type { KeyWalk } from "../src/heart/key-walk.js";
import { Loads } from "../src/heart/loads.js";
import { ownKeys } from "../src/heart/own-keys.js";
import { WriterSide } from "../src/heart/writer-side.js";
import { nodeHost } from "../src/host/node-host.js";
import type { Journal } from "../src/queue/journal/journal.js";
import type { Position } from "../src/queue/queue.js";
import type { Page, StoreReader } from "../src/store/store.js";
import type { ParkedRecord } from "../src/writer/messages.js";
import { Workspace } from "../src/workspace.js";
import { change, nameOf } from "./arbitraries.js";

const recordCount = 4;
const records = Array.from({ length: recordCount }, (_, index) => String.fromCharCode(97 + index) as Bytes);
const record = nameOf(recordCount);
const logId = "0".repeat(32);
const at = (sequence: number): Position => ({ logId, sequence, tag: sequence });

/** One thing that happens. */
export type Event =
  | { readonly event: "write"; readonly changes: readonly (readonly [Bytes, Change])[] }
  | { readonly event: "commit"; readonly frames: number }
  | { readonly event: "refuse" | "deliver" | "died" | "restart" | "answer" }
  | { readonly event: "retry"; readonly group: number }
  | { readonly event: "discard"; readonly group: number; readonly behind: boolean }
  | { readonly event: "load"; readonly record: Bytes }
  | { readonly event: "read"; readonly load: number }
  | { readonly event: "walk"; readonly limit: number }
  | { readonly event: "time"; readonly ms: number };

/** Any of them. */
export const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      event: fc.constant("write" as const),
      changes: fc.uniqueArray(fc.tuple(record, change), { minLength: 1, maxLength: 2, selector: ([name]) => name }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ event: fc.constant("commit" as const), frames: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ event: fc.constant("refuse" as const) }) },
  { weight: 9, arbitrary: fc.record({ event: fc.constant("deliver" as const) }) },
  { weight: 1, arbitrary: fc.record({ event: fc.constantFrom("died" as const, "restart" as const) }) },
  { weight: 2, arbitrary: fc.record({ event: fc.constant("retry" as const), group: fc.nat(2) }) },
  {
    weight: 2,
    arbitrary: fc.record({ event: fc.constant("discard" as const), group: fc.nat(2), behind: fc.boolean() }),
  },
  { weight: 8, arbitrary: fc.record({ event: fc.constant("load" as const), record }) },
  { weight: 8, arbitrary: fc.record({ event: fc.constant("read" as const), load: fc.nat(2) }) },
  { weight: 8, arbitrary: fc.record({ event: fc.constant("answer" as const) }) },
  { weight: 6, arbitrary: fc.record({ event: fc.constant("walk" as const), limit: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ event: fc.constant("time" as const), ms: fc.nat(15) }) },
);

interface Frame {
  readonly sequence: number;
  readonly changes: readonly (readonly [Bytes, Change])[];
}

interface Group {
  readonly letters: number[];
  /** The letter that holds a record, or that it waits behind. */
  readonly of: Map<Bytes, number>;
  /** The letters' changes, and what is behind them. */
  readonly refused: Map<Bytes, Change>;
  readonly behind: Map<Bytes, Change>;
}

/** The database at one moment. */
interface Database {
  readonly position: number;
  readonly rows: ReadonlyMap<Bytes, RecordValue>;
  readonly parked: ReadonlyMap<Bytes, ParkedRecord>;
}

/** A question to the database: read at one moment, answered at another. */
interface Asked {
  readonly read: () => unknown;
  found: { readonly is: unknown } | null;
  readonly answer: (found: unknown) => void;
}

/** A walk over all keys, and what it must show. */
interface Walk {
  place: KeysPlace | null;
  /** A page is on its way. */
  underWay: boolean;
  readonly shown: Set<Bytes>;
  /** Records that were there at every moment, and at any. */
  readonly always: Set<Bytes>;
  readonly ever: Set<Bytes>;
}

interface Report {
  readonly after: Database;
  readonly tell: (side: WriterSide) => void;
  readonly discarded: readonly Bytes[];
  /** Letters that are none any more. */
  readonly ended: readonly number[];
}

export class World {
  #cache!: MemoryCache;
  #side!: WriterSide;
  #loads!: Loads;
  /** The database as the heart knows it by the reports that have arrived. */
  #known: Database = { position: 0, rows: new Map(), parked: new Map() };
  #rows = new Map<Bytes, RecordValue>();
  #groups: Group[] = [];
  #position = 0;
  #reports: Report[] = [];
  readonly #frames: Frame[] = [];
  #keys!: KeyWalk;
  #walk: Walk | null = null;
  /** Records that a walk has not shown although it had to, and that it must not have shown. */
  readonly #missed: Bytes[] = [];
  readonly #untrue: Bytes[] = [];
  readonly #asked: Asked[] = [];
  /** Records whose base was given up under pending changes: right once all is stored (a record is clean a bit late). */
  readonly #tainted = new Set<Bytes>();
  /** Parked frames of this process, and the letters that each is or waits behind. */
  readonly #letters = new Map<number, readonly number[]>();
  /** Frames that are not in the database. */
  readonly #fates = new Map<number, "parked" | "given up" | "unknown">();
  #now = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#start();
  }

  /** Does it, and looks whether all is true. */
  async step(one: Event): Promise<void> {
    this.#perform(one);
    this.#seeWalk();
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#check();
  }

  /** Brings the walk in hand to its end. */
  async finish(): Promise<void> {
    for (let steps = 0; this.#walk !== null && steps < 100; steps++) {
      await this.step({ event: "walk", limit: 2 });
      await this.step({ event: "read", load: 0 });
      await this.step({ event: "answer" });
    }
    expect(this.#walk).toBeNull();
  }

  #start(): void {
    this.#cache = new MemoryCache({ bytesMax: this.#bytesMax, absentMs: 1000 });
    const journal = { base: at(0), acknowledge: () => {}, recordsFreed: () => {}, accepted: 0 } as unknown as Journal;
    const { clock } = nodeHost();
    const side = new WriterSide(clock, journal, this.#cache, new Emitter(), 0);
    this.#side = side;
    const reader: StoreReader = {
      read: (names) =>
        names.length === 0 ? Promise.resolve([]) : this.#ask(() => names.map((name) => this.#rows.get(name) ?? null)),
      scan: (after, limit, nowMs) => this.#ask(() => pageOf(this.#rows, after, limit, nowMs)),
      close: async () => {},
    };
    const over = (name: Bytes, row: RecordValue | null): RecordValue | null => side.parked.over(name, row);
    this.#loads = new Loads({
      reader,
      cache: this.#cache,
      readBack: () => Promise.reject(new Error("nothing is dropped")),
      over,
      clock,
      atOnceMax: 64,
      heldMs: 1000,
      now: () => this.#now,
      reached: () => null,
      onMoved: () => false,
    });
    this.#keys = ownKeys({
      cache: this.#cache,
      parked: side.parked,
      loads: this.#loads,
      addressing: { plan: null },
      view: (work) => this.#view(this.#cache, this.#loads, work),
      host: { clock, random: { number: () => 0, hex: () => "" } },
      now: () => this.#now,
    });
    this.#walk = null;
    this.#reopen();
    side.begin();
  }

  #ask<T>(read: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#asked.push({ read, found: null, answer: (found) => resolve(found as T) });
    });
  }

  async #view<T>(cache: MemoryCache, loads: Loads, work: (workspace: Workspace) => T): Promise<Executed<T>> {
    const pinned = new Set<Bytes>();
    for (;;) {
      const workspace = new Workspace(keyIsRecord, (name) => cache.peek(name, this.#now), this.#now);
      const value = work(workspace);
      if (workspace.hasMissing) {
        for (const name of workspace.missing) if (!pinned.has(name)) cache.pin(name);
        for (const name of workspace.missing) pinned.add(name);
        await loads.load(workspace.missing);
        continue;
      }
      for (const name of pinned) cache.unpin(name);
      return { value, sequence: 0, frame: 0 };
    }
  }

  /** Begins a walk, or asks for its next page. */
  #walkOn(limit: number): void {
    this.#walk ??= { place: null, underWay: false, shown: new Set(), always: new Set(records), ever: new Set() };
    const walk = this.#walk;
    if (walk.underWay) return;
    walk.underWay = true;
    this.#seeWalk();
    // One that is cut off by a restart is nobody's business.
    void this.#keys.page(walk.place, limit).then(({ keys, next }) => {
      if (this.#walk !== walk) return;
      for (const key of keys) walk.shown.add(key);
      [walk.place, walk.underWay] = [next, false];
      if (next !== null) return;
      this.#walk = null;
      this.#missed.push(...[...walk.always].filter((name) => !walk.shown.has(name)));
      this.#untrue.push(...[...walk.shown].filter((name) => !walk.ever.has(name)));
    });
  }

  /** What is there at this moment. Of what was given up under pending changes nobody knows. */
  #seeWalk(): void {
    if (this.#walk === null) return;
    const { always, ever } = this.#walk;
    for (const name of records) {
      if (this.#truth(name) === null || this.#tainted.has(name)) always.delete(name);
      if (this.#truth(name) !== null || this.#tainted.has(name)) ever.add(name);
    }
  }

  #database(): Database {
    const parked = new Map<Bytes, ParkedRecord>();
    for (const group of this.#groups) {
      for (const [name, each] of composed(group))
        parked.set(name, { change: each, letter: String(group.of.get(name)) });
    }
    return { position: this.#position, rows: new Map(this.#rows), parked };
  }

  #totals() {
    const letters = this.#groups.reduce((sum, group) => sum + group.letters.length, 0);
    return { letters, letterBytes: 0, waitingBehind: 0, behindBytes: 0 };
  }

  #reopen(): void {
    this.#known = this.#database();
    this.#side.opened(at(this.#position), "model", "", { records: this.#known.parked, ...this.#totals() });
  }

  #perform(one: Event): void {
    switch (one.event) {
      case "write":
        return this.#write(one.changes);
      case "commit":
        return this.#commit(one.frames);
      case "refuse":
        return this.#refuse();
      case "retry":
      case "discard":
        return this.#end(
          one.group,
          one.event === "retry" ? "retried" : "discarded",
          one.event === "discard" && one.behind,
        );
      case "deliver":
        return this.#deliver(this.#reports.shift());
      case "died":
        // The reports that have not arrived are lost; what they were about is found in the store.
        this.#lose();
        return this.#reopen();
      case "restart":
        return this.#restart();
      case "load":
        // A load that is cut off by a restart is nobody's business.
        this.#loads.load([one.record]).catch(() => {});
        return;
      case "read":
        return this.#read(one.load);
      case "answer":
        return this.#answer();
      case "walk":
        return this.#walkOn(one.limit);
      case "time":
        this.#now += one.ms;
    }
  }

  #lose(): void {
    for (const { discarded, ended } of this.#reports) {
      this.#taint(discarded);
      for (const [frame, letters] of this.#letters) {
        if (letters.some((letter) => ended.includes(letter))) this.#fates.set(frame, "unknown");
      }
    }
    if (this.#known.parked.size + this.#groups.length > 0) {
      for (let frame = this.#known.position + 1; frame <= this.#position; frame++) this.#fates.set(frame, "unknown");
    }
    this.#reports = [];
  }

  /** Changes as a workspace would make them: whole on a record that is known to be absent or to have ended. */
  #write(wanted: readonly (readonly [Bytes, Change])[]): void {
    const sequence = this.#frames.length + 1;
    const changes = wanted.map(([name, each]): readonly [Bytes, Change] => {
      const known = this.#cache.peek(name, this.#now);
      return [name, known === null ? compose(remove, each) : each];
    });
    for (const [name, each] of changes) {
      this.#cache.write(name, each, sequence);
      if (each.kind !== "merge") this.#tainted.delete(name);
      // No command makes what has ended already: rows are shown as of the beginning of a walk.
      if (each.kind !== "remove" && hasEnded(each.expiresAt ?? null, this.#now)) this.#walk?.ever.add(name);
    }
    this.#frames.push({ sequence, changes });
    this.#side.accepted(sequence, changes.length);
  }

  /** The next frames: those that touch a parked record go behind, the others into the database. */
  #commit(count: number): void {
    const frames = this.#frames.slice(this.#position, this.#position + count);
    const behind = new Map<Bytes, ParkedRecord>();
    const [parked, waitFor]: [number[], string[]] = [[], []];
    for (const { sequence, changes } of frames) {
      const group = this.#joined(changes.map(([name]) => name));
      for (const [name, each] of changes) {
        if (group === null) this.#apply(name, each);
        else put(group.behind, name, each);
      }
      if (group === null) continue;
      parked.push(sequence);
      waitFor.push(String(Math.min(...group.letters)));
      this.#park(sequence, group.letters);
      const letter = changes.map(([name]) => group.of.get(name)).find((one) => one !== undefined) as number;
      for (const [name] of changes) {
        if (!group.of.has(name)) group.of.set(name, letter);
        behind.set(name, { change: remove, letter: "" });
      }
    }
    if (frames.length === 0) return;
    this.#position += frames.length;
    const after = this.#database();
    for (const name of behind.keys()) behind.set(name, after.parked.get(name) as ParkedRecord);
    const report =
      parked.length === 0 ? null : { frames: parked, waitFor, records: behind, letter: null, ...this.#totals() };
    this.#report([], (side) => side.committed(at(after.position), batch, report));
  }

  /** The next frame is refused. One that touches a parked record is put behind instead, untried. */
  #refuse(): void {
    const frame = this.#frames[this.#position];
    if (frame === undefined) return;
    const names = frame.changes.map(([name]) => name);
    if (this.#joined(names, false) !== null) return this.#commit(1);
    this.#position++;
    const of = new Map(names.map((name) => [name, frame.sequence]));
    this.#groups.push({ letters: [frame.sequence], of, refused: new Map(frame.changes), behind: new Map() });
    this.#park(frame.sequence, [frame.sequence]);
    const after = this.#database();
    const now = new Map(names.map((name) => [name, after.parked.get(name) as ParkedRecord]));
    const id = String(frame.sequence);
    const letter = { id, position: at(frame.sequence), records: names, reason: "CHECK failed" };
    const report = { frames: [frame.sequence], waitFor: [id], records: now, letter, ...this.#totals() };
    this.#report([], (side) => side.committed(at(after.position), batch, report));
  }

  #end(index: number, how: "retried" | "discarded", giveUpBehind: boolean): void {
    const group = this.#groups[index];
    // Nobody gives up what nobody has heard of.
    if (group === undefined || Math.max(...group.letters) > this.#known.position) return;
    this.#groups.splice(index, 1);
    const stored = how === "retried" ? composed(group) : giveUpBehind ? new Map<Bytes, Change>() : group.behind;
    for (const [name, each] of stored) this.#apply(name, each);
    const ids = group.letters.map(String);
    const names = [...composed(group).keys()];
    const report = { ids, records: names, how, gaveUpBehind: giveUpBehind, ...this.#totals() };
    for (const [frame, letters] of this.#letters) {
      if (this.#fates.get(frame) !== "parked" || !letters.some((letter) => group.letters.includes(letter))) continue;
      if (how === "retried" || (!giveUpBehind && !group.letters.includes(frame))) this.#fates.delete(frame);
      else this.#fates.set(frame, "given up");
    }
    this.#report(how === "discarded" ? names : [], (side) => side.unparked(report), group.letters);
  }

  #park(frame: number, letters: readonly number[]): void {
    this.#letters.set(frame, [...letters]);
    this.#fates.set(frame, "parked");
  }

  #report(discarded: readonly Bytes[], tell: Report["tell"], ended: readonly number[] = []): void {
    this.#reports.push({ after: this.#database(), tell, discarded, ended });
  }

  #read(load: number): void {
    const asked = this.#asked[load];
    if (asked !== undefined) asked.found ??= { is: asked.read() };
  }

  #answer(): void {
    const index = this.#asked.findIndex(({ found }) => found !== null);
    for (const asked of this.#asked.splice(index, index === -1 ? 0 : 1)) asked.answer(asked.found?.is);
  }

  #deliver(report: Report | undefined): void {
    if (report === undefined) return;
    const { after, tell, discarded } = report;
    this.#taint(discarded);
    tell(this.#side);
    this.#known = after;
    if (this.#known.position === this.#frames.length) this.#tainted.clear();
  }

  #taint(names: readonly Bytes[]): void {
    for (const name of names) if (this.#isPending(name)) this.#tainted.add(name);
  }

  /** The process starts anew: the log is read from where the database is. */
  #restart(): void {
    this.#reports = [];
    this.#asked.length = 0;
    this.#tainted.clear();
    // Whoever had a receipt is gone.
    this.#fates.clear();
    this.#letters.clear();
    this.#start();
    for (const { sequence, changes } of this.#frames.slice(this.#position)) {
      for (const [name, each] of changes) this.#cache.write(name, each, sequence);
      this.#side.recovered(sequence, changes.length);
    }
  }

  /** The one group that these records are in, made of several where they are in several; null where in none. */
  #joined(names: readonly Bytes[], join = true): Group | null {
    const touched = this.#groups.filter((group) => names.some((name) => composed(group).has(name)));
    const [first, ...others] = touched;
    if (first === undefined) return null;
    if (!join) return first;
    for (const other of others) {
      first.letters.push(...other.letters);
      for (const [name, letter] of other.of) first.of.set(name, letter);
      for (const [name, each] of other.refused) first.refused.set(name, each);
      for (const [name, each] of other.behind) first.behind.set(name, each);
    }
    this.#groups = this.#groups.filter((group) => !others.includes(group));
    return first;
  }

  #apply(name: Bytes, each: Change): void {
    const row = apply(this.#rows.get(name) ?? null, each);
    if (row === null) this.#rows.delete(name);
    else this.#rows.set(name, row);
  }

  #isPending(name: Bytes): boolean {
    return this.#frames.slice(this.#known.position).some(({ changes }) => changes.some(([each]) => each === name));
  }

  #truth(name: Bytes): RecordValue | null {
    const parked = this.#known.parked.get(name);
    const row = this.#known.rows.get(name) ?? null;
    let value = parked === undefined ? row : apply(row, parked.change);
    for (const { changes } of this.#frames.slice(this.#known.position)) {
      for (const [each, made] of changes) if (each === name) value = apply(value, made);
    }
    return isLive(value, this.#now) ? value : null;
  }

  #check(): void {
    expect({ missed: this.#missed, untrue: this.#untrue }).toEqual({ missed: [], untrue: [] });
    for (const name of records) {
      const given = this.#cache.peek(name, this.#now);
      if (given !== undefined && !this.#tainted.has(name)) {
        expect({ name, given }).toEqual({ name, given: this.#truth(name) });
      }
      expect(this.#side.parked.letterOf(name)).toBe(this.#known.parked.get(name)?.letter ?? null);
    }
    // Between a report and what it is about a receipt may hear of the fate before or after it.
    if (this.#reports.length > 0) return;
    for (let frame = 1; frame <= this.#position; frame++) {
      const fate = this.#fates.get(frame);
      const refusal = this.#side.parked.refusal(frame);
      expect({ frame, code: refusal?.code }).toEqual({
        frame,
        code: fate === undefined ? undefined : fate === "unknown" ? "UNKNOWN" : "REFUSED",
      });
      if (fate === "parked") expect(refusal?.message).toContain("dead letter");
      if (fate === "given up") expect(refusal?.message).toContain("discarded");
    }
  }
}

/** A page of rows in the order of their names. */
function pageOf(rows: ReadonlyMap<Bytes, RecordValue>, after: Bytes | null, limit: number, nowMs: number): Page {
  const live = [...rows].filter(([name, row]) => (after === null || name > after) && isLive(row, nowMs));
  const names = live.map(([name]) => name).toSorted();
  const found = names.slice(0, limit);
  return { records: found, next: names.length > limit ? (found.at(-1) ?? null) : null };
}

const batch = { changes: 1, records: 1, from: "", to: "", commitMs: 1 };

function put(into: Map<Bytes, Change>, name: Bytes, newer: Change): void {
  const older = into.get(name);
  into.set(name, older === undefined ? newer : compose(older, newer));
}

function composed({ refused, behind }: Group): Map<Bytes, Change> {
  const all = new Map(refused);
  for (const [name, each] of behind) put(all, name, each);
  return all;
}
