/**
 * The keeper in a Redis or Valkey, 6.2 or newer, without any module: each verb is one script (scripts/). It knows
 * nothing of who calls it, and remembers nothing but the fleet's name.
 */
import { bytesOfText, textOfBytes, type Bytes } from "../bytes.js";
import type { Random } from "../host/host.js";
import type { FrameOnDisk, Position } from "../queue/queue.js";
import { framesOf, type RawEntry } from "./entry.js";
import {
  argumentsMax,
  arePlain,
  fillArguments,
  frameArguments,
  parkedArguments,
  plainArguments,
} from "./keep-arguments.js";
import { bytes, knownOf, list, number, seenOf, stateOf } from "./keep-replies.js";
import { anotherFleet, brokenPartition, claimLost, damagedFleet, newerFleet, notConfirmed } from "./keeper-errors.js";
import type {
  Asked,
  Claim,
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
  WorkerSeen,
} from "./keeper.js";
import { newsChannel, ownPrefix, partitionPrefix } from "./keys.js";
import { newsOfText, textOfNews } from "./news.js";
import { logIdOf } from "./partition.js";
import type { RedisArgument, RedisLink, RedisReply, Script } from "./redis-link.js";
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
import { fillScript, readScript } from "./scripts/read.js";
import { setScript, unchangedScript, writeScript } from "./scripts/write.js";

/** Absences that are remembered in one partition at the most. */
const absencesMax = 100_000;

/** Keys that are looked at in one step. */
const scanCount = 1000;

/** So long an order and its answer wait for who takes them, in milliseconds. */
const orderMs = 60_000;

/** How a write is confirmed beyond Redis' answer. */
export interface Confirmation {
  readonly wait: "none" | "waitaof" | "wait";
  /** So long, in milliseconds; then it is UNKNOWN what became of the write. */
  readonly timeoutMs: number;
}

/** What it is made with. */
export interface RedisKeeperParts {
  /** For people. */
  readonly place: string;
  readonly link: RedisLink;
  /** A connection of their own for writes, where confirming one holds up the connection. */
  readonly writing: RedisLink;
  readonly random: Random;
  readonly confirmation: Confirmation;
  /** How long a record's absence is remembered, in milliseconds. */
  readonly absentMs: number;
}

/** A keeper in a Redis. */
export class RedisKeeper implements Keeper {
  readonly place: string;
  readonly #parts: RedisKeeperParts;
  readonly #nonce: string;
  #calls = 0;
  /** Grows whenever the connection for writes is lost or made. */
  #connections = 0;
  #fleet: Fleet | null = null;

  constructor(parts: RedisKeeperParts) {
    this.#parts = parts;
    this.place = parts.place;
    this.#nonce = parts.random.hex(5);
    parts.writing.onState(() => this.#connections++);
  }

  async fleet(birth: { readonly id: string; readonly partitions: number } | null): Promise<Fleet | null> {
    // Whoever has seen a fleet makes no other one in its place.
    const args = birth === null || this.#fleet !== null ? [] : [birth.id, birth.partitions];
    const [id, partitions, version] = list(await this.#run(fleetScript, [ownPrefix], args));
    if (id === "damaged") throw damagedFleet(this.place);
    if (id === undefined && this.#fleet === null) return null;
    if (this.#fleet !== null && this.#fleet.id !== id) throw anotherFleet(this.place);
    if (bytes(version) !== "1") throw newerFleet(this.place, bytes(version));
    this.#fleet = { id: bytes(id), partitions: number(partitions) };
    return this.#fleet;
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
      args.push(partition, this.#log(partition), group.length);
      for (const index of group) args.push((asked[index] as Asked).record);
    }
    const [now, seen, values] = list(await this.#run(readScript, [ownPrefix], args));
    const partitions = [...groups.keys()].map((partition, index) => {
      const found = seenOf(list(seen)[index], partition, this.#log(partition));
      if (found === null) throw anotherFleet(this.place);
      return found;
    });
    const records = Array.from<ReturnType<typeof knownOf>>({ length: asked.length });
    let at = 0;
    for (const group of groups.values()) for (const index of group) records[index] = knownOf(list(values)[at++]);
    return { now: number(now), partitions, records };
  }

  async unchanged(partition: number, from: ReadonlyMap<Bytes, Mark>): Promise<boolean> {
    const args: RedisArgument[] = [this.#log(partition)];
    for (const [record, { sequence, thrown }] of from) args.push(record, sequence, thrown);
    const [, holds] = this.#here(await this.#run(unchangedScript, [partitionPrefix(partition)], args));
    return holds === 1;
  }

  async write(partition: number, frames: readonly FrameToWrite[], room: Room): Promise<readonly Outcome[]> {
    if (frames.length === 0) return [];
    const limits = [this.#log(partition), room.bytes, room.records, room.ageMs];
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
    const args: RedisArgument[] = [this.#log(partition), lease, absencesMax];
    for (const fill of fills) for (const arg of fillArguments(fill)) args.push(arg);
    const [, taken] = this.#here(await this.#run(fillScript, [partitionPrefix(partition)], args));
    return list(taken).map((each) => each === 1);
  }

  async states(partitions: readonly number[]): Promise<{ now: number; states: readonly PartitionState[] }> {
    const args = partitions.flatMap((partition) => [partition, this.#log(partition)]);
    const [now, ...found] = list(await this.#run(statesScript, [ownPrefix], args));
    const states = partitions.map((partition, index) => {
      const state = stateOf(found[index], partition, number(now));
      if (state === null) throw anotherFleet(this.place);
      return state;
    });
    return { now: number(now), states };
  }

  async frames(partition: number, after: number, bytesMax: number): Promise<readonly FrameOnDisk[]> {
    const entries = await this.#entries(partition, after, bytesMax);
    const frames = entries.flatMap((entry) => framesOf(entry, this.#log(partition)));
    return frames.filter(({ frame }) => frame.position.sequence > after);
  }

  async positionAt(partition: number, sequence: number): Promise<Position | null> {
    const [entry] = await this.#entries(partition, sequence - 1, 1);
    if (entry === undefined) return null;
    const frames = framesOf(entry, this.#log(partition));
    return frames.find(({ frame }) => frame.position.sequence === sequence)?.frame.position ?? null;
  }

  async beat(worker: string, leaseMs: number, report: string): Promise<FleetSeen> {
    const { id, partitions } = this.#known();
    const reply = await this.#run(beatScript, [ownPrefix], [worker, leaseMs, report, partitions, id]);
    const [, now, paused, owners, workers] = this.#here(reply);
    const flat = list(workers);
    const seen: WorkerSeen[] = [];
    for (let at = 0; at < flat.length; at += 3) {
      seen.push({ id: bytes(flat[at]), seenAt: number(flat[at + 1]), report: bytes(flat[at + 2]) });
    }
    return {
      now: number(now),
      paused: bytes(paused) === "1",
      workers: seen,
      owners: list(owners).map((owner) => (bytes(owner) === "" ? null : bytes(owner))),
    };
  }

  look(leaseMs: number): Promise<FleetSeen> {
    return this.beat("", leaseMs, "");
  }

  async claim(worker: string, partition: number, leaseMs: number, fromAnybody = false): Promise<Claim | null> {
    const args = [worker, partition, this.#log(partition), leaseMs, fromAnybody ? 1 : 0];
    const [, claim] = this.#here(await this.#run(claimScript, [ownPrefix], args));
    return claim === 0 ? null : { partition, worker, number: number(claim) };
  }

  async holds({ worker, partition, number: claim }: Claim, leaseMs: number): Promise<boolean> {
    const args = [worker, partition, this.#log(partition), claim, leaseMs];
    return this.#here(await this.#run(holdsScript, [ownPrefix], args))[1] === 1;
  }

  async release({ worker, partition, number: claim }: Claim): Promise<void> {
    this.#here(await this.#run(releaseScript, [ownPrefix], [worker, partition, this.#log(partition), claim]));
  }

  async leave(worker: string): Promise<void> {
    this.#here(await this.#run(leaveScript, [ownPrefix], [worker, this.#known().id]));
  }

  async settle(claim: Claim, upTo: number, records: readonly Bytes[], freshMs: number): Promise<void> {
    const lives = Number.isFinite(freshMs) ? freshMs : Number.MAX_SAFE_INTEGER;
    const begin = [...claimed(claim, this.#log(claim.partition)), upTo, lives, Math.min(lives, this.#parts.absentMs)];
    // Where there is no record, still: nothing that was read before may be written upon any more.
    for (let first = 0; first === 0 || first < records.length; first += argumentsMax) {
      const args = [...begin, absencesMax, ...records.slice(first, first + argumentsMax)];
      this.#ours(claim, await this.#run(settleScript, [partitionPrefix(claim.partition)], args));
    }
  }

  async stored(claim: Claim, { position, at, generation, trimTo, bytes: size }: Stored): Promise<void> {
    const args = [position.sequence, position.tag, at, generation, trimTo, size, claim.partition];
    const keys = [partitionPrefix(claim.partition), ownPrefix];
    this.#ours(claim, await this.#run(storedScript, keys, [...claimed(claim, this.#log(claim.partition)), ...args]));
  }

  async parked(claim: Claim, change: ParkedChange): Promise<void> {
    const args = [...claimed(claim, this.#log(claim.partition)), ...parkedArguments(change)];
    this.#ours(claim, await this.#run(parkedScript, [partitionPrefix(claim.partition)], args));
  }

  async parkedBetween(partition: number, first: number, last: number): Promise<ReadonlyMap<number, string>> {
    const found = new Map<number, string>();
    const args = [this.#log(partition), first, last];
    const [, parked] = this.#here(await this.#run(parkedBetweenScript, [partitionPrefix(partition)], args));
    for (const each of list(parked)) {
      const text = bytes(each);
      const space = text.indexOf(" ");
      found.set(Number(text.slice(0, space)), text.slice(space + 1));
    }
    return found;
  }

  async break(partition: number, why: string | null): Promise<void> {
    const args = [this.#log(partition), why ?? ""];
    this.#here(await this.#run(breakScript, [partitionPrefix(partition)], args));
  }

  async records(after: string | null): Promise<{ readonly records: readonly Bytes[]; readonly next: string | null }> {
    const [next, found] = list(await this.#parts.link.command("SCAN", [after ?? "0", "COUNT", scanCount]));
    const records = list(found).map(bytes);
    return {
      records: records.filter((record) => !record.startsWith(ownPrefix)),
      next: bytes(next) === "0" ? null : bytes(next),
    };
  }

  async forget(claim: Claim, upTo: number, records: readonly Bytes[]): Promise<void> {
    for (let first = 0; first < records.length; first += argumentsMax) {
      const some = records.slice(first, first + argumentsMax);
      const args = [...claimed(claim, this.#log(claim.partition)), upTo, ...some];
      this.#ours(claim, await this.#run(forgetScript, [partitionPrefix(claim.partition)], args));
    }
  }

  async mend(claim: Claim, { position, at, generation, head, bytes: size }: Mended): Promise<boolean> {
    const args = [position.sequence, position.tag, at, generation, head, size];
    const keys = [partitionPrefix(claim.partition), ownPrefix];
    const reply = await this.#run(mendScript, keys, [...claimed(claim, this.#log(claim.partition)), ...args]);
    return this.#ours(claim, reply)[1] === 1;
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
    const args = claimed(claim, this.#log(claim.partition));
    const [, found] = this.#ours(claim, await this.#run(ordersScript, [partitionPrefix(claim.partition)], args));
    return list(found).map((each) => {
      const text = textOfBytes(bytes(each));
      const space = text.indexOf(" ");
      return { id: text.slice(0, space), text: text.slice(space + 1) };
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
    return (await this.#run(noteScript, [ownPrefix], args)) === 1;
  }

  async #entries(partition: number, after: number, bytesMax: number): Promise<RawEntry[]> {
    const args = [this.#log(partition), after, bytesMax];
    const [, ...entries] = this.#here(await this.#run(framesScript, [partitionPrefix(partition)], args));
    return entries.map((entry) => {
      const [id, fields] = list(entry);
      return { last: Number(bytes(id).split("-")[1]), fields: list(fields).map(bytes) };
    });
  }

  /** Unanswered it is never sent again: then it is not known what became of it (promise 1). */
  async #write(script: Script, partition: number, args: readonly RedisArgument[]): Promise<readonly RedisReply[]> {
    const { writing, confirmation } = this.#parts;
    const connection = this.#connections;
    const reply = this.#here(await writing.run(script, [partitionPrefix(partition)], args));
    const { wait, timeoutMs } = confirmation;
    if (wait === "none" || reply[0] !== "ok") return reply;
    // Asked only now: a script that the server did not have was sent once more, behind whatever came after it. And what
    // another connection wrote is not waited for: an answer after a new connection confirms nothing.
    const found = await writing.command(wait === "wait" ? "WAIT" : "WAITAOF", confirmArguments(wait, timeoutMs));
    const kept = number(list(found)[0] ?? found);
    if (kept < 1 || connection !== this.#connections) throw notConfirmed(this.place, timeoutMs);
    return reply;
  }

  #run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#parts.link.run(script, keys, args);
  }

  /** The answer of a script that sees whether the log is the one that was meant. */
  #here(reply: RedisReply): readonly RedisReply[] {
    const parts = list(reply);
    if (parts[0] === "gone") throw anotherFleet(this.place);
    if (parts[0] === "broken") throw brokenPartition(bytes(parts[1]));
    return parts;
  }

  /** The answer of a script that only the newest owner's words pass. */
  #ours({ partition, worker }: Claim, reply: RedisReply): readonly RedisReply[] {
    const parts = this.#here(reply);
    if (parts[0] === "lost") throw claimLost(partition, worker);
    return parts;
  }

  #log(partition: number): string {
    return logIdOf(this.#known().id, partition);
  }

  #known(): Fleet {
    if (this.#fleet === null) throw new Error("broken invariant: the fleet is used before it is known");
    return this.#fleet;
  }

  #nextNonce(): Bytes {
    this.#calls++;
    return (this.#nonce + this.#calls.toString(36).padStart(6, "0")).slice(-16) as Bytes;
  }
}

function claimed({ number: claim }: Claim, log: string): RedisArgument[] {
  return [log, claim];
}

function confirmArguments(wait: "waitaof" | "wait", timeoutMs: number): RedisArgument[] {
  return wait === "wait" ? [1, timeoutMs] : [1, 0, timeoutMs];
}

const full = ["bytes", "records", "age"] as const;

function outcomeOf(reply: RedisReply): Outcome {
  const sequence = number(reply);
  if (sequence > 0) return { became: "kept", sequence };
  return sequence === 0 ? { became: "conflict" } : { became: "full", what: full[-1 - sequence] ?? "bytes" };
}
