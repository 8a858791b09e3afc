/**
 * One connection that writes as fast as it is answered, with some commands in flight, and knows what each answer must
 * be: nobody else writes its keys. It never sends anything twice.
 */
import { RespClient } from "../../src/cli/resp-client.js";
import type { RespReply } from "../../src/cli/resp-reply.js";
import type { Dice } from "../../simulator/host/random.js";
import type { History, Kept, Life } from "./history.js";

/** A command, what it makes of the keys, and what its last answer must be. */
interface Plan {
  readonly what: string;
  readonly wire: readonly (readonly string[])[];
  readonly changes: readonly (readonly [string, Kept | null])[];
  readonly answer: (reply: RespReply) => boolean;
}

/** What the writers of one round have in common. */
export interface Round {
  stopped: boolean;
  /** The first thing that was answered wrongly. */
  problem: string | null;
  sent: number;
  answered: number;
  refused: number;
  /** The database dies meanwhile: each connection waits for each answer, and may be refused what needs the database. */
  readonly databaseDies: boolean;
  /** Answers of INCR on the one counter that all connections share. */
  readonly shared: number[];
}

const longMs = 100_000_000;
/** The counter that every connection counts up. */
export const sharedKey = "shared";

/** The keys of a connection: strings, counters, hashes, and strings that end soon. */
export function keysOf(connection: number): string[] {
  const named = (kind: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${kind}${connection}:${i}`);
  return [...named("s", 10), ...named("n", 3), ...named("h", 6), ...named("x", 4)];
}

/** Writes until the round is stopped or the connection ends. */
export async function write(
  port: number,
  connection: number,
  history: History,
  dice: Dice,
  round: Round,
): Promise<void> {
  const client = await RespClient.open("127.0.0.1", port).catch(() => null);
  if (client === null) return;
  const planner = new Planner(connection, history, dice);
  const inFlight = new Set<Promise<void>>();
  const depth = round.databaseDies || dice.below(3) === 0 ? 1 : dice.between(2, 40);
  while (!round.stopped && client.ended === null) {
    const one =
      dice.below(400) === 0
        ? askStored(client, history)
        : dice.below(40) === 0
          ? count(client, round)
          : send(client, planner.next(), history, round);
    inFlight.add(one);
    void one.finally(() => inFlight.delete(one));
    if (inFlight.size >= depth) await Promise.race(inFlight);
  }
  if (round.stopped) client.close();
  await Promise.all(inFlight);
}

async function send(client: RespClient, plan: Plan, history: History, round: Round): Promise<void> {
  const index = history.send(plan);
  round.sent++;
  let reply: RespReply;
  try {
    const replies = await Promise.all(plan.wire.map((args) => client.send(args)));
    reply = replies.at(-1) as RespReply;
  } catch {
    // The connection ended before the answer: whether it was done is not known, and that is all there is to know.
    return;
  }
  round.answered++;
  if (round.databaseDies && isRefused(reply)) {
    round.refused++;
    return history.takeBack(index);
  }
  if (plan.answer(reply)) return history.answer(index, Date.now());
  round.problem ??= `${plan.what} was answered ${JSON.stringify(reply).slice(0, 300)}`;
  round.stopped = true;
}

/** WAIT 1 0 answers once everything of this connection is in the database. */
async function askStored(client: RespClient, history: History): Promise<void> {
  const upTo = history.sent;
  const reply = await client.send(["WAIT", "1", "300"]).catch(() => null);
  if (reply?.type === "integer" && reply.text === "1") history.stored = Math.max(history.stored, upTo);
}

async function count(client: RespClient, round: Round): Promise<void> {
  const reply = await client.send(["INCR", sharedKey]).catch(() => null);
  if (reply === null) return;
  if (reply.type === "integer") round.shared.push(Number(reply.text));
  else if (round.databaseDies && isRefused(reply)) round.refused++;
  else round.problem ??= `INCR ${sharedKey} was answered ${JSON.stringify(reply)}`;
}

class Planner {
  readonly #dice: Dice;
  readonly #history: History;
  readonly #connection: number;

  constructor(connection: number, history: History, dice: Dice) {
    this.#connection = connection;
    this.#history = history;
    this.#dice = dice;
  }

  next(): Plan {
    const roll = this.#dice.below(100);
    if (roll < 30) return this.#set(this.#key("s", 10));
    if (roll < 40) return this.#increment(this.#key("n", 3));
    if (roll < 55) return this.#hashSet(this.#key("h", 6));
    if (roll < 60) return this.#hashDelete(this.#key("h", 6));
    if (roll < 62) return this.#set(this.#key("h", 6));
    if (roll < 70) return this.#delete(this.#anyKey());
    if (roll < 75) return this.#setUntil(this.#key("x", 4), this.#dice.between(1, 400));
    if (roll < 78) return this.#expire(this.#anyKey());
    if (roll < 80) return this.#setUntil(this.#key("s", 10), longMs);
    if (roll < 87) return this.#get(this.#key("s", 10));
    if (roll < 88) return this.#besideCold(this.#key("s", 10));
    return this.#transaction();
  }

  #key(kind: string, count: number): string {
    return `${kind}${this.#connection}:${this.#dice.below(count)}`;
  }

  #anyKey(): string {
    const roll = this.#dice.below(19);
    return roll < 10 ? this.#key("s", 10) : roll < 13 ? this.#key("n", 3) : this.#key("h", 6);
  }

  #now(key: string): Kept | null {
    return this.#history.state.get(key) ?? null;
  }

  /** Numbered, so that no two values are ever the same; mostly short, sometimes longer than a page. */
  #value(): string {
    const name = `${this.#connection}-${this.#history.sent}-`;
    const roll = this.#dice.below(50);
    return roll === 0
      ? name.padEnd(this.#dice.between(4000, 20_000), "x")
      : name.padEnd(this.#dice.between(5, 120), "é");
  }

  #set(key: string): Plan {
    const value = this.#value();
    return {
      what: `SET ${key}`,
      wire: [["SET", key, value]],
      changes: [[key, { type: "string", value, life: null }]],
      answer: isOk,
    };
  }

  #setUntil(key: string, forMs: number): Plan {
    const value = this.#value();
    const kept: Kept = { type: "string", value, life: lifeOf(forMs) };
    return {
      what: `SET ${key} PX`,
      wire: [["SET", key, value, "PX", String(forMs)]],
      changes: [[key, kept]],
      answer: isOk,
    };
  }

  #get(key: string): Plan {
    const kept = this.#now(key);
    const answer = (reply: RespReply): boolean =>
      kept?.type === "string" ? reply.type === "bulk" && reply.bytes.toString() === kept.value : reply.type === "null";
    return { what: `GET ${key}`, wire: [["GET", key]], changes: [], answer };
  }

  #increment(key: string): Plan {
    const kept = this.#now(key);
    const value = String(1 + (kept?.type === "string" ? Number(kept.value) : 0));
    const changes = [[key, { type: "string", value, life: kept?.life ?? null }]] as const;
    return { what: `INCR ${key}`, wire: [["INCR", key]], changes, answer: isInteger(value) };
  }

  #hashSet(key: string): Plan {
    const kept = this.#now(key);
    const given = Array.from(
      { length: this.#dice.between(1, 3) },
      () => [`f${this.#dice.below(8)}`, this.#value()] as const,
    );
    const wire = [["HSET", key, ...given.flat()]];
    if (kept?.type === "string") return { what: `HSET ${key}`, wire, changes: [], answer: isWrongType };
    const fields = new Map([...(kept?.fields ?? []), ...given]);
    const added = fields.size - (kept?.fields.size ?? 0);
    const changes = [[key, { type: "hash", fields, life: kept?.life ?? null }]] as const;
    return { what: `HSET ${key}`, wire, changes, answer: isInteger(String(added)) };
  }

  #hashDelete(key: string): Plan {
    const kept = this.#now(key);
    const field = `f${this.#dice.below(8)}`;
    const wire = [["HDEL", key, field]];
    if (kept?.type === "string") return { what: `HDEL ${key}`, wire, changes: [], answer: isWrongType };
    if (kept?.fields.has(field) !== true) return { what: `HDEL ${key}`, wire, changes: [], answer: isInteger("0") };
    const fields = new Map(kept.fields);
    fields.delete(field);
    const after: Kept | null = fields.size === 0 ? null : { ...kept, fields };
    return { what: `HDEL ${key}`, wire, changes: [[key, after]], answer: isInteger("1") };
  }

  #delete(key: string): Plan {
    const there = this.#now(key) !== null;
    return { what: `DEL ${key}`, wire: [["DEL", key]], changes: [[key, null]], answer: isInteger(there ? "1" : "0") };
  }

  #expire(key: string): Plan {
    const kept = this.#now(key);
    const changes = kept === null ? [] : [[key, { ...kept, life: lifeOf(longMs) }] as const];
    return {
      what: `PEXPIRE ${key}`,
      wire: [["PEXPIRE", key, String(longMs)]],
      changes,
      answer: isInteger(kept === null ? "0" : "1"),
    };
  }

  /** A SET in one transaction with a read that only the database can answer: both are done, or neither is. */
  #besideCold(key: string): Plan {
    const { wire, changes, what } = this.#set(key);
    const never = `never${this.#connection}:${this.#history.sent}`;
    const answer = (reply: RespReply): boolean =>
      reply.type === "array" && isOk(reply.items[0] as RespReply) && reply.items[1]?.type === "null";
    return { what: `${what} beside ${never}`, wire: [["MULTI"], ...wire, ["GET", never], ["EXEC"]], changes, answer };
  }

  /** Two strings and a hash change together, or none of them. */
  #transaction(): Plan {
    const first = this.#dice.below(10);
    const parts = [
      this.#set(`s${this.#connection}:${first}`),
      this.#dice.below(3) === 0
        ? this.#delete(`s${this.#connection}:${(first + 1) % 10}`)
        : this.#set(`s${this.#connection}:${(first + 1) % 10}`),
      this.#hashSet(this.#key("h", 6)),
    ];
    const answer = (reply: RespReply): boolean =>
      reply.type === "array" &&
      reply.items.length === parts.length &&
      parts.every((part, i) => part.answer(reply.items[i] as RespReply));
    return {
      what: `MULTI ${parts.map((part) => part.what).join(", ")} EXEC`,
      wire: [["MULTI"], ...parts.flatMap((part) => part.wire), ["EXEC"]],
      changes: parts.flatMap((part) => part.changes),
      answer,
    };
  }
}

function lifeOf(forMs: number): Life {
  return { forMs, from: Date.now() + forMs, to: Number.POSITIVE_INFINITY };
}

/** Nothing was done: a record is not in memory, and the database is away. */
function isRefused(reply: RespReply): boolean {
  return reply.type === "error" && reply.text.startsWith("WBSTORE ");
}

function isOk(reply: RespReply): boolean {
  return reply.type === "simple" && reply.text === "OK";
}

function isInteger(text: string): (reply: RespReply) => boolean {
  return (reply) => reply.type === "integer" && reply.text === text;
}

function isWrongType(reply: RespReply): boolean {
  return reply.type === "error" && reply.text.startsWith("WRONGTYPE");
}
