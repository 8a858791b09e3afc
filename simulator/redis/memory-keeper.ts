/**
 * The twin of src/redis/redis-keeper.ts: the keeper's verbs in memory, each one step, deterministic. Several processes
 * share one MemoryKeeperState, each through a MemoryKeeper of its own, whose hooks cut, delay or lose what it says.
 * contract/keeper.ts is the suite that both pass.
 */
import type { Bytes } from "../../src/bytes.js";
import type { FrameOnDisk, Position } from "../../src/queue/queue.js";
import type {
  Asked,
  Claim,
  Compaction,
  Fill,
  Fleet,
  FleetSeen,
  FrameToWrite,
  Keeper,
  Mark,
  Mended,
  News,
  Order,
  Outcome,
  ParkedChange,
  PartitionState,
  Room,
  Stored,
  Telling,
} from "../../src/redis/keeper.js";
import { anotherFleet, brokenPartition, claimLost } from "../../src/redis/keeper-errors.js";
import { logIdOf } from "../../src/redis/partition.js";
import { basePage, baseStored, compactFrames, entriesOf, oldestInBase, seenBase } from "./keeper-base.js";
import { frameAt, framesAfter, isUnchanged, mendPartition, trimLog, writeFrames } from "./keeper-log.js";
import { logTimeOf, ownerOf, stateOf, unheard, unsettledPage } from "./keeper-look.js";
import { fillRecord, forgetRecord, readRecord, settleRecord, throwAwayRecord } from "./keeper-records.js";
import { newPartition, type MemoryKeeperState, type PartitionData } from "./keeper-state.js";

/** A verb's name. */
export type KeeperVerb = Exclude<keyof Keeper, "place">;

/** What happens on the way there and back. */
export interface KeeperHooks {
  /** Before a verb's step: may wait, and throws where it is not to be done (CACHE_DOWN). */
  before?(verb: KeeperVerb): Promise<void> | void;
  /** After it was done, or refused: may wait, and throws where its answer is lost (UNKNOWN). */
  after?(verb: KeeperVerb): Promise<void> | void;
}

/** A keeper in memory, as one process sees it. */
export class MemoryKeeper implements Keeper {
  readonly place: string;
  readonly #state: MemoryKeeperState;
  readonly #hooks: KeeperHooks;
  readonly #absentMs: number;
  #fleet: Fleet | null = null;

  constructor(
    state: MemoryKeeperState,
    parts: { readonly hooks?: KeeperHooks; readonly absentMs?: number; readonly place?: string } = {},
  ) {
    this.#state = state;
    this.#hooks = parts.hooks ?? {};
    this.#absentMs = parts.absentMs ?? 60_000;
    this.place = parts.place ?? "memory";
  }

  fleet(birth: { readonly id: string; readonly partitions: number } | null): Promise<Fleet | null> {
    return this.#step("fleet", () => {
      const known = this.#fleet;
      if (known !== null && this.#state.fleet?.id !== known.id) throw anotherFleet(this.place);
      if (this.#state.fleet === null && birth !== null) {
        const numbers = Array.from({ length: birth.partitions }, (_, partition) => partition);
        const partitions = numbers.map((partition) => newPartition(logIdOf(birth.id, partition)));
        this.#state.begin({ ...birth }, partitions);
      }
      this.#fleet = this.#state.fleet;
      return this.#fleet;
    });
  }

  read(asked: readonly Asked[], lease: string | null): ReturnType<Keeper["read"]> {
    return this.#step("read", () => {
      const partitions = new Map<number, PartitionData>();
      for (const { partition } of asked) partitions.set(partition, this.#data(partition));
      const now = this.#state.now();
      return {
        now: Math.max(now, ...[...partitions.values()].map((data) => logTimeOf(data, now))),
        partitions: [...partitions].map(([partition, data]) => ({
          partition,
          sequence: data.sequence,
          thrown: data.thrown,
          reached:
            data.settled === 0 ? null : { logId: data.logId, sequence: data.settled, generation: data.generation },
          broken: data.broken,
        })),
        records: asked.map(({ partition, record }) => readRecord(this.#state, this.#data(partition), record, lease)),
      };
    });
  }

  unchanged(partition: number, from: ReadonlyMap<Bytes, Mark>): Promise<boolean> {
    return this.#step("unchanged", () => {
      const data = this.#data(partition);
      return [...from].every(([record, mark]) => isUnchanged(data, record, mark));
    });
  }

  write(partition: number, frames: readonly FrameToWrite[], room: Room): Promise<readonly Outcome[]> {
    return this.#step("write", () => {
      const data = this.#data(partition);
      if (data.broken !== null) throw brokenPartition(data.broken);
      return writeFrames(this.#state, data, frames, room);
    });
  }

  fill(partition: number, lease: string, fills: readonly Fill[]): Promise<readonly boolean[]> {
    return this.#step("fill", () => {
      const data = this.#data(partition);
      return fills.map((each) => fillRecord(this.#state, data, lease, each));
    });
  }

  states(partitions: readonly number[]): Promise<{ now: number; states: readonly PartitionState[] }> {
    return this.#step("states", () => ({
      now: this.#state.now(),
      states: partitions.map((partition) => stateOf(partition, this.#data(partition), this.#state.now())),
    }));
  }

  frames(partition: number, after: number, bytesMax: number): Promise<readonly FrameOnDisk[]> {
    return this.#step("frames", () => framesAfter(this.#data(partition), after, bytesMax));
  }

  positionAt(partition: number, sequence: number): Promise<Position | null> {
    return this.#step("positionAt", () => {
      const data = this.#data(partition);
      // An aim beyond the log is of a frame that was lost.
      const aim = sequence > data.sequence ? undefined : data.aims.get(sequence);
      return frameAt(data, sequence)?.frame.position ?? aim ?? null;
    });
  }

  beat(worker: string, leaseMs: number, report: string): Promise<FleetSeen> {
    return this.#step("beat", () => {
      this.#here();
      const [{ workers }, now] = [this.#state, this.#state.now()];
      if (worker !== "") workers.set(worker, { seenAt: now, report });
      this.#state.lastNoLongerThanLeases();
      for (const [id, { seenAt }] of workers) if (seenAt <= now - leaseMs) workers.delete(id);
      const seen = [...workers].map(([id, each]) => ({ id, ...each }));
      return {
        now,
        paused: this.#state.paused,
        workers: seen.sort((a, b) => a.seenAt - b.seenAt || (a.id < b.id ? -1 : 1)),
        owners: this.#state.partitions.map((data) => ownerOf(data, this.#state.now())?.worker ?? null),
      };
    });
  }

  look(leaseMs: number): Promise<FleetSeen> {
    return this.beat("", leaseMs, "");
  }

  claim(worker: string, partition: number, leaseMs: number, fromAnybody = false): Promise<Claim | null> {
    return this.#step("claim", () => {
      const data = this.#data(partition);
      if (!fromAnybody && ownerOf(data, this.#state.now()) !== null) return null;
      data.claim++;
      data.claimant = worker;
      data.owner = { worker, claim: data.claim, until: this.#state.now() + leaseMs, leaseMs };
      return { partition, worker, number: data.claim };
    });
  }

  holds(claim: Claim, leaseMs: number): Promise<boolean> {
    return this.#step("holds", () => {
      const data = this.#data(claim.partition);
      const { owner } = data;
      // A lease that is over holds as long as nobody else has taken the partition; one that was given back does not.
      if (owner === null || owner.worker !== claim.worker || owner.claim !== claim.number) return false;
      data.owner = { ...owner, until: this.#state.now() + leaseMs, leaseMs };
      return true;
    });
  }

  release(claim: Claim): Promise<void> {
    return this.#step("release", () => {
      const data = this.#data(claim.partition);
      if (data.claim !== claim.number || data.claimant !== claim.worker) return;
      data.owner = null;
      this.#state.publish({ kind: "fleet" });
    });
  }

  leave(worker: string): Promise<void> {
    return this.#step("leave", () => {
      this.#here();
      this.#state.workers.delete(worker);
      this.#state.publish({ kind: "fleet" });
    });
  }

  aim(claim: Claim, position: Position): Promise<void> {
    return this.#step("aim", () => void this.#owned(claim).aims.set(position.sequence, position));
  }

  compact(claim: Claim, compaction: Compaction): Promise<boolean> {
    return this.#step("compact", () => compactFrames(this.#owned(claim), compaction));
  }

  baseOf(partition: number, records: readonly Bytes[], bytesMax: number): ReturnType<Keeper["baseOf"]> {
    return this.#step("baseOf", () => {
      const data = this.#data(partition);
      return { base: seenBase(data), changes: entriesOf(data, records, bytesMax) };
    });
  }

  unsettled(partition: number, cursor: string | null, limit: number): ReturnType<Keeper["unsettled"]> {
    return this.#step("unsettled", () => unsettledPage(this.#data(partition), cursor, limit));
  }

  baseRecords(partition: number, cursor: string | null, limit: number): ReturnType<Keeper["baseRecords"]> {
    return this.#step("baseRecords", () => basePage(this.#data(partition), cursor, limit));
  }

  settle(
    claim: Claim,
    upTo: number,
    records: readonly Bytes[],
    freshMs: number,
    { after, name }: Telling,
  ): Promise<boolean> {
    return this.#step("settle", () => {
      const data = this.#owned(claim);
      if (after !== null && data.settling !== after) return false;
      data.settling = name;
      data.settled = Math.max(data.settled, upTo);
      const absentMs = Math.min(freshMs, this.#absentMs);
      for (const record of records) settleRecord(this.#state, data, record, upTo, freshMs, absentMs);
      return true;
    });
  }

  stored(claim: Claim, stored: Stored, telling: Telling): Promise<boolean> {
    return this.#step("stored", () => {
      const data = this.#owned(claim);
      const { position, at, generation, trimTo, bytes, settled } = stored;
      if (settled !== null && data.settling !== settled && data.heard !== telling.name) return false;
      const answer = unheard(data, telling);
      if (answer !== null) return answer;
      const { sequence, tag } = position;
      data.bytes = sequence === data.sequence ? 0 : Math.max(0, data.bytes - bytes);
      data.stored = sequence;
      data.storedTag = tag;
      data.storedAt = at;
      data.generation = generation;
      data.settled = Math.max(data.settled, sequence);
      baseStored(data, sequence);
      data.oldestAt = oldestInBase(data, sequence) ?? framesAfter(data, sequence, 1)[0]?.frame.at ?? null;
      trimLog(data, trimTo);
      for (const parked of data.parkedFrames.keys()) if (parked < trimTo) data.parkedFrames.delete(parked);
      this.#state.publish({ kind: "stored", partition: claim.partition, sequence });
      return true;
    });
  }

  parked(claim: Claim, change: ParkedChange, telling: Telling): Promise<boolean> {
    return this.#step("parked", () => {
      const data = this.#owned(claim);
      const answer = unheard(data, telling);
      if (answer !== null) return answer;
      data.letters = change.totals.letters;
      data.waitingBehind = change.totals.waitingBehind;
      const before = change.anew ? [...data.parked.keys()] : [];
      if (change.anew) data.parked.clear();
      for (const [record, parked] of change.put) data.parked.set(record, parked);
      for (const record of change.drop) data.parked.delete(record);
      for (const [sequence, letter] of change.frames) data.parkedFrames.set(sequence, letter);
      const throwAway = [...before.filter((record) => !data.parked.has(record)), ...change.throwAway];
      for (const record of throwAway) throwAwayRecord(this.#state, data, record);
      if (throwAway.length > 0) data.thrown++;
      return true;
    });
  }

  parkedBetween(partition: number, first: number, last: number): Promise<ReadonlyMap<number, string>> {
    return this.#step("parkedBetween", () => {
      const found = [...this.#data(partition).parkedFrames].filter(([frame]) => frame >= first && frame <= last);
      return new Map(found.sort(([a], [b]) => a - b));
    });
  }

  break(partition: number, why: string | null): Promise<void> {
    return this.#step("break", () => {
      this.#data(partition).broken = why;
    });
  }

  records(): Promise<{ readonly records: readonly Bytes[]; readonly next: string | null }> {
    return this.#step("records", () => ({ records: this.#state.records(), next: null }));
  }

  forget(claim: Claim, upTo: number, records: readonly Bytes[]): Promise<void> {
    return this.#step("forget", () => {
      const data = this.#owned(claim);
      for (const record of records) forgetRecord(this.#state, data, record, upTo);
    });
  }

  mend(claim: Claim, mended: Mended): Promise<boolean> {
    return this.#step("mend", () => {
      const data = this.#owned(claim);
      if (data.sequence !== mended.head) return false;
      mendPartition(data, mended);
      this.#state.publish({ kind: "fleet" });
      return true;
    });
  }

  tell(news: News): Promise<void> {
    return this.#step("tell", () => this.#state.publish(news));
  }

  listen(hear: (news: News | null) => void): Promise<() => void> {
    return this.#step("listen", () => this.#state.listen(hear));
  }

  pause(paused: boolean): Promise<void> {
    return this.#step("pause", () => {
      this.#state.paused = paused;
      this.#state.publish({ kind: "fleet" });
    });
  }

  order(partition: number, order: Order): Promise<void> {
    return this.#step("order", () => {
      this.#data(partition).orders.push(order);
      this.#state.publish({ kind: "order", partition });
    });
  }

  orders(claim: Claim): Promise<readonly Order[]> {
    return this.#step("orders", () => this.#owned(claim).orders.splice(0));
  }

  answer(id: string, text: string): Promise<void> {
    return this.#step("answer", () => void this.#state.answers.set(id, text));
  }

  answerOf(id: string): Promise<string | null> {
    return this.#step("answerOf", () => {
      const text = this.#state.answers.get(id) ?? null;
      this.#state.answers.delete(id);
      return text;
    });
  }

  note(name: string): Promise<string | null> {
    return this.#step("note", () => this.#state.notes.get(name) ?? null);
  }

  putNote(name: string, was: string | null, text: string): Promise<boolean> {
    return this.#step("putNote", () => {
      if ((this.#state.notes.get(name) ?? null) !== was) return false;
      this.#state.notes.set(name, text);
      return true;
    });
  }

  async #step<T>(verb: KeeperVerb, step: () => T): Promise<T> {
    await this.#hooks.before?.(verb);
    let answer: { readonly is: T } | { readonly error: unknown };
    try {
      answer = { is: step() };
    } catch (error) {
      answer = { error };
    }
    await this.#hooks.after?.(verb);
    if ("error" in answer) throw answer.error;
    return answer.is;
  }

  /** The fleet that this process knows, if it is the one that is there. */
  #here(): Fleet {
    if (this.#fleet === null) throw new Error("broken invariant: the fleet is used before it is known");
    if (this.#state.fleet?.id !== this.#fleet.id) throw anotherFleet(this.place);
    return this.#fleet;
  }

  #data(partition: number): PartitionData {
    this.#here();
    const data = this.#state.partitions[partition];
    if (data === undefined) throw anotherFleet(this.place);
    return data;
  }

  #owned({ partition, worker, number }: Claim): PartitionData {
    const data = this.#data(partition);
    if (data.claim !== number || data.claimant !== worker) throw claimLost(partition, worker);
    return data;
  }
}
