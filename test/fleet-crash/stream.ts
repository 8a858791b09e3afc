/**
 * One stream of writes: it asks an application process for one thing after the other and keeps the record of what was
 * answered. Its own keys share a tag, so the database shows them as they were at one moment. What was not answered
 * may still be done later (it may lie in a socket): so the stream then leaves its keys, with the last write open, and
 * begins again with new ones.
 */
import type { Dice } from "../../simulator/host/random.js";
import { History, type Found, type Kept, type Life, type Sight } from "../crash/history.js";
import type { AppProcess } from "./child.js";
import type { Answer, Looked, Step, Verb } from "./messages.js";
import type { Shared } from "./shared.js";

/** What the streams of a campaign have in common. */
export interface Load {
  readonly dice: Dice;
  readonly shared: Shared;
  /** Histories of keys that were left. */
  readonly left: Set<History>;
  /** What a thing that is asked may take, in milliseconds. */
  readonly answerMsMax: number;
  readonly streamNumber: () => number;
  /** The application processes that answer. */
  readonly apps: () => readonly AppProcess[];
  sent: number;
  answered: number;
  unknown: number;
  refused: number;
  looks: number;
  slowestMs: number;
  problem: string | null;
}

interface Plan {
  readonly what: string;
  readonly verb: Verb;
  readonly changes: readonly (readonly [string, Kept | null])[];
  /** What the answer must be. */
  readonly expected?: unknown;
}

const longMs = 100_000_000;
/** How far a process may be from the clock of its Redis where answers are held up. */
const clockMs = 2000;

/** Nothing was done. */
const refusals: ReadonlySet<string> = new Set(["CACHE_DOWN", "STORE_DOWN", "QUEUE_FULL"]);

/** A stream of one application process. */
export class Stream {
  readonly #load: Load;
  readonly #app: AppProcess;
  #number: number;
  #made = 0;
  history: History;
  /** So many are in the database for certain; taken over before the database is looked at. */
  flushed = 0;
  #isStopped = false;
  readonly done: Promise<void>;

  /** With the keys of a stream that has ended, or with new ones. */
  constructor(load: Load, app: AppProcess, before: Stream | null) {
    this.#load = load;
    this.#app = app;
    this.#number = before === null ? load.streamNumber() : before.#number;
    this.#made = before === null ? 0 : before.#made;
    this.history = before?.history ?? new History(keysOf(this.#number));
    this.flushed = before?.flushed ?? 0;
    this.done = this.#live();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #live(): Promise<void> {
    const { dice } = this.#load;
    while (!this.#isStopped && this.#app.ended === null && this.#load.problem === null) {
      const roll = dice.below(100);
      if (roll < 8) await this.#count();
      else if (roll < 12) await this.#mergeShared();
      else if (roll < 16) await this.#transfer();
      else if (roll < 20) await this.#look();
      else if (roll < 21) await this.#flush();
      else await this.#write(this.#plan());
    }
    // The last write of a dead process is open.
    if (this.#app.ended !== null && this.history.sent > this.history.answered) this.#leave();
  }

  async #ask(verb: Verb, app = this.#app): Promise<Answer | null> {
    const load = this.#load;
    const began = performance.now();
    load.sent++;
    const answer = await app.ask(verb);
    const tookMs = performance.now() - began;
    if (answer === null) return null;
    load.slowestMs = Math.max(load.slowestMs, tookMs);
    if (verb.verb !== "flush" && tookMs > load.answerMsMax)
      this.#wrong(`${JSON.stringify(verb).slice(0, 200)} took ${Math.round(tookMs)} ms: ${JSON.stringify(answer)}`);
    if ("error" in answer) {
      const { code, message } = answer.error;
      if (refusals.has(code)) load.refused++;
      else if (code === "UNKNOWN") load.unknown++;
      else if (verb.verb !== "flush") this.#wrong(`${JSON.stringify(verb).slice(0, 200)}: ${code}: ${message}`);
    } else load.answered++;
    return answer;
  }

  async #write({ what, verb, changes, expected }: Plan): Promise<void> {
    const { history } = this;
    const index = history.send({ what, changes });
    const answer = await this.#ask(verb);
    if (answer === null || ("error" in answer && !refusals.has(answer.error.code))) return this.#leave();
    if ("error" in answer) return history.takeBack(index);
    if (expected !== undefined && JSON.stringify(answer.value) !== JSON.stringify(expected))
      this.#wrong(`${what} was answered ${JSON.stringify(answer.value)} instead of ${JSON.stringify(expected)}`);
    history.answer(index, Date.now() + clockMs);
  }

  /** Everything of this stream, through any process: what was answered here is seen there at once (promise 2). */
  async #look(): Promise<void> {
    const { dice, apps } = this.#load;
    const { history } = this;
    const readFrom = Date.now() - clockMs;
    const answer = await this.#ask({ verb: "look", keys: history.keys }, dice.pick([this.#app, ...apps()]));
    if (answer === null || "error" in answer) return;
    const found = (answer.value as Looked[]).map((looked, i) => [history.keys[i] as string, foundOf(looked)] as const);
    const sight: Sight = { records: new Map(found), readFrom, readTo: Date.now() + clockMs };
    this.#load.looks++;
    try {
      history.sawServer(sight);
    } catch (error) {
      this.#wrong((error as Error).message);
    }
  }

  async #flush(): Promise<void> {
    const upTo = this.history.sent;
    const { history } = this;
    const answer = await this.#ask({ verb: "flush", keys: this.history.keys });
    if (answer !== null && "value" in answer && history === this.history) this.flushed = upTo;
  }

  async #count(): Promise<void> {
    const counter = this.#load.dice.pick(this.#load.shared.counters);
    const { atLeast } = counter;
    const answer = await this.#ask({
      verb: "increment",
      key: counter.key,
      inTransaction: this.#load.dice.below(2) === 0,
    });
    if (answer === null || ("error" in answer && !refusals.has(answer.error.code))) counter.unknown++;
    else if ("value" in answer) {
      const wrong = counter.answered(answer.value as number, atLeast);
      if (wrong !== null) this.#wrong(wrong);
    }
  }

  async #mergeShared(): Promise<void> {
    const { hash } = this.#load.shared;
    const [field, value] = [`f${this.#number}`, this.#value()];
    const answer = await this.#ask({ verb: "hashSet", key: hash.key, fields: { [field]: value } });
    if (answer !== null && "value" in answer) hash.answered(field, value);
    else if (answer === null || !refusals.has(answer.error.code)) {
      hash.unanswered(field, value);
      this.#leave();
    }
  }

  async #transfer(): Promise<void> {
    const { dice, shared } = this.#load;
    const { accounts } = dice.pick(shared.banks);
    const from = dice.below(accounts.length);
    const to = (from + 1 + dice.below(accounts.length - 1)) % accounts.length;
    const [fromKey, toKey] = [accounts[from] as string, accounts[to] as string];
    await this.#ask({ verb: "transfer", from: fromKey, to: toKey, amount: dice.between(1, 100) });
  }

  #leave(): void {
    this.history.died(Date.now() + clockMs);
    this.#load.left.add(this.history);
    this.#number = this.#load.streamNumber();
    this.history = new History(keysOf(this.#number));
    this.flushed = 0;
  }

  #wrong(what: string): void {
    this.#load.problem ??= what;
  }

  #plan(): Plan {
    const roll = this.#load.dice.below(100);
    if (roll < 35) return this.#set(this.#key("s"));
    if (roll < 45) return this.#increment(this.#key("n"));
    if (roll < 58) return this.#hashSet(this.#key("h"));
    if (roll < 63) return this.#hashDelete(this.#key("h"));
    if (roll < 72) return this.#delete(this.#key(this.#load.dice.pick(["s", "n", "h"])));
    if (roll < 78) return this.#setUntil(this.#key("x"), this.#load.dice.between(1, 3000));
    if (roll < 82) return this.#expire(this.#key(this.#load.dice.pick(["s", "n", "h"])));
    return this.#transaction();
  }

  #key(kind: string): string {
    return `{w${this.#number}}${kind}${this.#load.dice.below(counts[kind] ?? 1)}`;
  }

  #now(key: string): Kept | null {
    return this.history.state.get(key) ?? null;
  }

  /** Numbered, so that no two values are ever the same. */
  #value(): string {
    return `${this.#number}-${++this.#made}-`.padEnd(this.#load.dice.between(5, 150), "é");
  }

  #set(key: string): Plan {
    const value = this.#value();
    const verb: Verb = { verb: "set", key, value, ttlMs: null };
    return { what: `set ${key}`, verb, changes: [[key, { type: "string", value, life: null }]] };
  }

  #setUntil(key: string, forMs: number): Plan {
    const value = this.#value();
    const verb: Verb = { verb: "set", key, value, ttlMs: forMs };
    return { what: `set ${key} for ${forMs}`, verb, changes: [[key, { type: "string", value, life: lifeOf(forMs) }]] };
  }

  #increment(key: string): Plan {
    const kept = this.#now(key);
    const value = 1 + (kept?.type === "string" ? Number(kept.value) : 0);
    const after: Kept = { type: "string", value: String(value), life: kept?.life ?? null };
    return {
      what: `increment ${key}`,
      verb: { verb: "increment", key, inTransaction: false },
      changes: [[key, after]],
      expected: value,
    };
  }

  #hashSet(key: string): Plan {
    const kept = this.#now(key);
    const given: Record<string, string> = {};
    for (let left = this.#load.dice.between(1, 3); left > 0; left--)
      given[`f${this.#load.dice.below(6)}`] = this.#value();
    const fields = new Map([...(kept?.type === "hash" ? kept.fields : []), ...Object.entries(given)]);
    const after: Kept = { type: "hash", fields, life: kept?.life ?? null };
    return { what: `set fields of ${key}`, verb: { verb: "hashSet", key, fields: given }, changes: [[key, after]] };
  }

  #hashDelete(key: string): Plan {
    const kept = this.#now(key);
    const field = `f${this.#load.dice.below(6)}`;
    const plan = { what: `delete ${field} of ${key}`, verb: { verb: "hashDelete", key, field } as const };
    if (kept?.type !== "hash" || !kept.fields.has(field)) return { ...plan, changes: [] };
    const fields = new Map(kept.fields);
    fields.delete(field);
    return { ...plan, changes: [[key, fields.size === 0 ? null : { ...kept, fields }]] };
  }

  #delete(key: string): Plan {
    return { what: `delete ${key}`, verb: { verb: "delete", key }, changes: [[key, null]] };
  }

  #expire(key: string): Plan {
    const kept = this.#now(key);
    const changes = kept === null ? [] : [[key, { ...kept, life: lifeOf(longMs) }] as const];
    const verb: Verb = { verb: "expire", key, ttlMs: longMs };
    return { what: `expire ${key}`, verb, changes, expected: kept !== null };
  }

  /** Reads one string, then two strings and a hash change together. */
  #transaction(): Plan {
    const { dice } = this.#load;
    const first = dice.below(counts["s"] ?? 1);
    const [a, b] = [first, first + 1].map((i) => `{w${this.#number}}s${i % (counts["s"] ?? 1)}`) as [string, string];
    const [one, two] = [this.#set(a), dice.below(3) === 0 ? this.#delete(b) : this.#set(b)];
    const three = this.#hashSet(this.#key("h"));
    const kept = this.#now(b);
    const verb: Verb = { verb: "transaction", reads: [b], steps: [one, two, three].map(stepOf) };
    const changes = [...one.changes, ...two.changes, ...three.changes];
    const expected = [kept?.type === "string" ? kept.value : null];
    return { what: `transaction of ${a}, ${b}, ${three.what}`, verb, changes, expected };
  }
}

const counts: Readonly<Record<string, number>> = { s: 6, n: 2, h: 3, x: 2 };

/** The keys of a stream: strings, counters, hashes, and strings that end soon; all in one partition. */
function keysOf(stream: number): string[] {
  return Object.entries(counts).flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, i) => `{w${stream}}${kind}${i}`),
  );
}

function stepOf({ verb }: Plan): Step {
  if (verb.verb === "set") return { do: "set", key: verb.key, value: verb.value };
  if (verb.verb === "hashSet") return { do: "setHash", key: verb.key, fields: verb.fields };
  if (verb.verb === "delete") return { do: "delete", key: verb.key };
  throw new Error(`no step of a transaction: ${verb.verb}`);
}

function lifeOf(forMs: number): Life {
  return { forMs, from: Date.now() + forMs - clockMs, to: Number.POSITIVE_INFINITY };
}

/** A record that was looked at. */
export function foundOf(looked: Looked): Found {
  if (looked === null) return null;
  if ("value" in looked) return { type: "string", value: looked.value, expiresAt: looked.expiresAt };
  return { type: "hash", fields: new Map(looked.fields), expiresAt: looked.expiresAt };
}
