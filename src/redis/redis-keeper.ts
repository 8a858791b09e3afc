/**
 * The keeper in a Redis or Valkey, 6.2 or newer, without any module: each verb is one script (scripts/). It knows
 * nothing of who calls it, and remembers nothing but the fleet's name.
 */
import { bytesOfText, textOfBytes, type Bytes } from "../bytes.js";
import type { FrameOnDisk, Position } from "../queue/queue.js";
import { framesOf, type RawEntry } from "./entry.js";
import {
  argumentsMax,
  arePlain,
  confirmArguments,
  fillArguments,
  frameArguments,
  parkedArguments,
  plainArguments,
} from "./keep-arguments.js";
import {
  baseOf,
  bytes,
  cutAtSpace,
  fleetSeenOf,
  knownOf,
  list,
  number,
  outcomeOf,
  pairsOf,
  seenOf,
  stateOf,
  unsettledOf,
} from "./keep-replies.js";
import { anotherFleet, damagedFleet, newerFleet, notConfirmed } from "./keeper-errors.js";
import type {
  Asked,
  BasePage,
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
  Seen,
  Stored,
  Telling,
} from "./keeper.js";
import { newsChannel, ownPrefix, partitionPrefix } from "./keys.js";
import { newsOfText, textOfNews } from "./news.js";
import type { RedisKeeperParts } from "./redis-keeper-parts.js";
import type { RedisArgument, RedisReply, Script } from "./redis-link.js";
import { RedisSteps } from "./redis-steps.js";
import { aimAtScript, aimScript, baseOfScript, baseRecordsScript, compactScript } from "./scripts/base.js";
import { beatScript, claimScript, holdsScript, leaveScript, releaseScript } from "./scripts/fleet.js";
import { forgetScript, mendScript } from "./scripts/mend.js";
import {
  breakScript,
  fleetScript,
  framesScript,
  noteScript,
  ordersScript,
  parkedBetweenScript,
  parkedScript,
  settleScript,
  statesScript,
  storedScript,
} from "./scripts/queue.js";
import { fillScript, readScript, unsettledScript } from "./scripts/read.js";
import { setScript, unchangedScript, writeScript } from "./scripts/write.js";

/** Absences that are remembered in one partition at the most. */
const absencesMax = 100_000;

/** Keys that are looked at in one step. */
const scanCount = 1000;

/** So long an order and its answer wait for who takes them, in milliseconds. */
const orderMs = 60_000;

/** A keeper in a Redis. */
export class RedisKeeper implements Keeper {
  readonly place: string;
  readonly #parts: RedisKeeperParts;
  readonly #nonce: string;
  #calls = 0;
  /** Grows whenever the connection for writes is lost or made. */
  #connections = 0;
  readonly #steps: RedisSteps;

  constructor(parts: RedisKeeperParts) {
    this.#parts = parts;
    this.place = parts.place;
    this.#steps = new RedisSteps(parts.place, parts.link);
    this.#nonce = parts.random.hex(5);
    parts.writing.onState(() => this.#connections++);
  }

  async fleet(birth: { readonly id: string; readonly partitions: number } | null): Promise<Fleet | null> {
    // Whoever has seen a fleet makes no other one in its place.
    const args = birth === null || this.#steps.fleet !== null ? [] : [birth.id, birth.partitions];
    const [id, partitions, version] = list(await this.#steps.run(fleetScript, [ownPrefix], args));
    if (id === "damaged") throw damagedFleet(this.place);
    if (id === undefined && this.#steps.fleet === null) return null;
    if (this.#steps.fleet !== null && this.#steps.fleet.id !== id) throw anotherFleet(this.place);
    if (bytes(version) !== "1") throw newerFleet(this.place, bytes(version));
    this.#steps.fleet = { id: bytes(id), partitions: number(partitions) };
    return this.#steps.fleet;
  }

  async read(asked: readonly Asked[], lease: string | null): Promise<Seen> {
    const groups = new Map<number, number[]>();
    for (const [index, { partition }] of asked.entries()) {
      const group = groups.get(partition);
      if (group === undefined) groups.set(partition, [index]);
      else group.push(index);
    }
    const args: RedisArgument[] = [lease ?? ""];
    for (const [partition, group] of groups) {
      args.push(partition, this.#steps.log(partition), group.length);
      for (const index of group) args.push((asked[index] as Asked).record);
    }
    const [now, seen, values] = list(await this.#steps.run(readScript, [ownPrefix], args));
    const partitions = [...groups.keys()].map((partition, index) => {
      const found = seenOf(list(seen)[index], partition, this.#steps.log(partition));
      if (found === null) throw anotherFleet(this.place);
      return found;
    });
    const records = Array.from<ReturnType<typeof knownOf>>({ length: asked.length });
    let at = 0;
    for (const group of groups.values()) for (const index of group) records[index] = knownOf(list(values)[at++]);
    return { now: number(now), partitions, records };
  }

  async unchanged(partition: number, from: ReadonlyMap<Bytes, Mark>): Promise<boolean> {
    const args: RedisArgument[] = [];
    for (const [record, { sequence, thrown }] of from) args.push(record, sequence, thrown);
    const [, holds] = await this.#steps.at(partition, unchangedScript, args);
    return holds === 1;
  }

  async write(partition: number, frames: readonly FrameToWrite[], room: Room): Promise<readonly Outcome[]> {
    if (frames.length === 0) return [];
    const limits = [this.#steps.log(partition), room.bytes, room.records, room.ageMs];
    if (arePlain(frames)) {
      const args = [...limits, ...plainArguments(frames, this.#nextNonce())];
      const [state, first] = await this.#write(setScript, partition, args);
      if (state !== "full") return frames.map((_, index) => ({ became: "kept", sequence: number(first) + index }));
      // Some of them may have room: the other script looks at each. This one has written nothing.
      if (first !== "records") return frames.map(() => ({ became: "full", what: bytes(first) as "bytes" | "age" }));
    }
    const args = [...limits, ...frameArguments(frames, () => this.#nextNonce())];
    const [, outcomes] = await this.#write(writeScript, partition, args);
    return list(outcomes).map(outcomeOf);
  }

  async fill(partition: number, lease: string, fills: readonly Fill[]): Promise<readonly boolean[]> {
    const args: RedisArgument[] = [lease, absencesMax];
    for (const fill of fills) for (const arg of fillArguments(fill)) args.push(arg);
    const [, taken] = await this.#steps.at(partition, fillScript, args);
    return list(taken).map((each) => each === 1);
  }

  async states(partitions: readonly number[]): Promise<{ now: number; states: readonly PartitionState[] }> {
    const args = partitions.flatMap((partition) => [partition, this.#steps.log(partition)]);
    const [now, ...found] = list(await this.#steps.run(statesScript, [ownPrefix], args));
    const states = partitions.map((partition, index) => {
      const state = stateOf(found[index], partition, number(now));
      if (state === null) throw anotherFleet(this.place);
      return state;
    });
    return { now: number(now), states };
  }

  async frames(partition: number, after: number, bytesMax: number): Promise<readonly FrameOnDisk[]> {
    const entries = await this.#entries(partition, after, bytesMax);
    const frames = entries.flatMap((entry) => framesOf(entry, this.#steps.log(partition)));
    return frames.filter(({ frame }) => frame.position.sequence > after);
  }

  async positionAt(partition: number, sequence: number): Promise<Position | null> {
    const logId = this.#steps.log(partition);
    const [entry] = await this.#entries(partition, sequence - 1, 1);
    const frames = entry === undefined ? [] : framesOf(entry, logId);
    const found = frames.find(({ frame }) => frame.position.sequence === sequence)?.frame.position;
    if (found !== undefined) return found;
    const [, aim] = await this.#steps.at(partition, aimAtScript, [sequence]);
    return bytes(aim) === "" ? null : { logId, sequence, tag: Number(cutAtSpace(bytes(aim))[1]) };
  }

  async beat(worker: string, leaseMs: number, report: string): Promise<FleetSeen> {
    const { id, partitions } = this.#steps.known();
    const reply = await this.#steps.run(beatScript, [ownPrefix], [worker, leaseMs, report, partitions, id]);
    return fleetSeenOf(this.#steps.here(reply));
  }

  look(leaseMs: number): Promise<FleetSeen> {
    return this.beat("", leaseMs, "");
  }

  async claim(worker: string, partition: number, leaseMs: number, fromAnybody = false): Promise<Claim | null> {
    const args = [worker, partition, this.#steps.log(partition), leaseMs, fromAnybody ? 1 : 0];
    const [, claim] = this.#steps.here(await this.#steps.run(claimScript, [ownPrefix], args));
    return claim === 0 ? null : { partition, worker, number: number(claim) };
  }

  async holds({ worker, partition, number: claim }: Claim, leaseMs: number): Promise<boolean> {
    const args = [worker, partition, this.#steps.log(partition), claim, leaseMs];
    return this.#steps.here(await this.#steps.run(holdsScript, [ownPrefix], args))[1] === 1;
  }

  async release({ worker, partition, number: claim }: Claim): Promise<void> {
    const args = [worker, partition, this.#steps.log(partition), `${claim} ${worker}`];
    this.#steps.here(await this.#steps.run(releaseScript, [ownPrefix], args));
  }

  async leave(worker: string): Promise<void> {
    this.#steps.here(await this.#steps.run(leaveScript, [ownPrefix], [worker, this.#steps.known().id]));
  }

  async aim(claim: Claim, { sequence, tag }: Position): Promise<void> {
    await this.#steps.by(claim, aimScript, [sequence, tag]);
  }

  async compact(claim: Claim, { after, to, oldestAt, at, changes, bytes: size }: Compaction): Promise<boolean> {
    const args: RedisArgument[] = [after.sequence, after.tag, to.sequence, to.tag, oldestAt, at, size];
    for (const [record, change] of changes) args.push(record, change);
    return (await this.#steps.by(claim, compactScript, args))[1] === 1;
  }

  async baseOf(partition: number, records: readonly Bytes[], bytesMax: number): ReturnType<Keeper["baseOf"]> {
    const [, base, found] = await this.#steps.at(partition, baseOfScript, [bytesMax, ...records]);
    const changes = list(found).map((each) => (bytes(each) === "" ? null : bytes(each)));
    return { base: baseOf(base, this.#steps.log(partition)), changes };
  }

  async baseRecords(partition: number, cursor: string | null, limit: number): Promise<BasePage> {
    const [, next, found] = await this.#steps.at(partition, baseRecordsScript, [cursor ?? "0", limit]);
    return { changes: pairsOf(found), next: bytes(next) === "0" ? null : bytes(next) };
  }

  async unsettled(partition: number, cursor: string | null, limit: number): ReturnType<Keeper["unsettled"]> {
    return unsettledOf(await this.#steps.at(partition, unsettledScript, [cursor ?? "n0", limit]));
  }

  async settle(
    claim: Claim,
    upTo: number,
    records: readonly Bytes[],
    freshMs: number,
    { after, name }: Telling,
  ): Promise<boolean> {
    const lives = Number.isFinite(freshMs) ? freshMs : Number.MAX_SAFE_INTEGER;
    const begin = [upTo, lives, Math.min(lives, this.#parts.absentMs), absencesMax];
    let last = after ?? "";
    // Where there is no record, still: nothing that was read before may be written upon any more.
    for (let first = 0; first === 0 || first < records.length; first += argumentsMax) {
      const some = records.slice(first, first + argumentsMax);
      const own = first + argumentsMax < records.length ? `${name}/${first}` : name;
      const [, done] = await this.#steps.by(claim, settleScript, [...begin, last, own, ...some]);
      if (done !== 1) return false;
      last = own;
    }
    return true;
  }

  async stored(
    claim: Claim,
    { position, at, generation, trimTo, bytes: size, settled }: Stored,
    { after, name }: Telling,
  ): Promise<boolean> {
    const { sequence, tag } = position;
    const args = [sequence, tag, at, generation, trimTo, size, claim.partition, after ?? "", name, settled ?? ""];
    return (await this.#steps.by(claim, storedScript, args, [ownPrefix]))[1] === 1;
  }

  async parked(claim: Claim, change: ParkedChange, { after, name }: Telling): Promise<boolean> {
    const args = [after ?? "", name, ...parkedArguments(change)];
    return (await this.#steps.by(claim, parkedScript, args))[1] === 1;
  }

  async parkedBetween(partition: number, first: number, last: number): Promise<ReadonlyMap<number, string>> {
    const [, parked] = await this.#steps.at(partition, parkedBetweenScript, [first, last]);
    return new Map(
      list(parked)
        .map((each) => cutAtSpace(bytes(each)))
        .map(([at, letter]) => [Number(at), letter]),
    );
  }

  async break(partition: number, why: string | null): Promise<void> {
    await this.#steps.at(partition, breakScript, [why ?? ""]);
  }

  async records(after: string | null): ReturnType<Keeper["records"]> {
    const [next, found] = list(await this.#parts.link.command("SCAN", [after ?? "0", "COUNT", scanCount]));
    const all = list(found).map(bytes);
    const records = all.filter((record) => !record.startsWith(ownPrefix));
    return { records, next: bytes(next) === "0" ? null : bytes(next) };
  }

  async forget(claim: Claim, upTo: number, records: readonly Bytes[]): Promise<void> {
    for (let first = 0; first < records.length; first += argumentsMax) {
      await this.#steps.by(claim, forgetScript, [upTo, ...records.slice(first, first + argumentsMax)]);
    }
  }

  async mend(claim: Claim, { position, at, generation, head, bytes: size }: Mended): Promise<boolean> {
    const args = [position.sequence, position.tag, at, generation, head, size];
    return (await this.#steps.by(claim, mendScript, args, [ownPrefix]))[1] === 1;
  }

  async tell(news: News): Promise<void> {
    await this.#parts.link.command("PUBLISH", [newsChannel, textOfNews(news)]);
  }

  listen(hear: (news: News | null) => void): Promise<() => void> {
    const message = (_channel: string, text: Bytes): void => {
      const news = newsOfText(text);
      if (news !== null) hear(news);
    };
    return this.#parts.link.subscribe([newsChannel], message, () => hear(null));
  }

  async pause(paused: boolean): Promise<void> {
    await this.#parts.link.command("HSET", [`${ownPrefix}fleet`, "paused", paused ? "1" : ""]);
    await this.tell({ kind: "fleet" });
  }

  async order(partition: number, { id, text }: Order): Promise<void> {
    const key = `${partitionPrefix(partition)}orders`;
    await this.#parts.link.command("RPUSH", [key, bytesOfText(`${id} ${text}`)]);
    await this.#parts.link.command("PEXPIRE", [key, orderMs]);
    await this.tell({ kind: "order", partition });
  }

  async orders(claim: Claim): Promise<readonly Order[]> {
    const [, found] = await this.#steps.by(claim, ordersScript, []);
    return list(found).map((each) => {
      const [id, text] = cutAtSpace(textOfBytes(bytes(each)));
      return { id, text };
    });
  }

  async answer(id: string, text: string): Promise<void> {
    await this.#parts.link.command("SET", [`${ownPrefix}answer:${id}`, bytesOfText(text), "PX", orderMs]);
  }

  async answerOf(id: string): Promise<string | null> {
    const found = await this.#parts.link.command("GETDEL", [`${ownPrefix}answer:${id}`]);
    return found === null ? null : textOfBytes(bytes(found));
  }

  async note(name: string): Promise<string | null> {
    const found = await this.#parts.link.command("HGET", [`${ownPrefix}notes`, name]);
    return found === null ? null : textOfBytes(bytes(found));
  }

  async putNote(name: string, was: string | null, text: string): Promise<boolean> {
    const args = [name, bytesOfText(was ?? ""), bytesOfText(text)];
    return (await this.#steps.run(noteScript, [ownPrefix], args)) === 1;
  }

  async #entries(partition: number, after: number, bytesMax: number): Promise<RawEntry[]> {
    const [, ...entries] = await this.#steps.at(partition, framesScript, [after, bytesMax]);
    return entries.map((entry) => {
      const [id, fields] = list(entry);
      return { last: Number(bytes(id).split("-")[1]), fields: list(fields).map(bytes) };
    });
  }

  /** Unanswered it is never sent again: then it is not known what became of it (promise 1). */
  async #write(script: Script, partition: number, args: readonly RedisArgument[]): Promise<readonly RedisReply[]> {
    const { writing, confirmation } = this.#parts;
    const connection = this.#connections;
    const reply = this.#steps.here(await writing.run(script, [partitionPrefix(partition)], args));
    const { wait, timeoutMs } = confirmation;
    if (wait === "none" || reply[0] !== "ok") return reply;
    // Asked only now: a script that the server did not have was sent once more, behind whatever came after it. And what
    // another connection wrote is not waited for: an answer after a new connection confirms nothing.
    const found = await writing.command(wait === "wait" ? "WAIT" : "WAITAOF", confirmArguments(wait, timeoutMs));
    const kept = number(list(found)[0] ?? found);
    if (kept < 1 || connection !== this.#connections) throw notConfirmed(this.place, timeoutMs);
    return reply;
  }

  #nextNonce(): Bytes {
    this.#calls++;
    return (this.#nonce + this.#calls.toString(36).padStart(6, "0")).slice(-16) as Bytes;
  }
}
