/**
 * The outside record of one connection: what it sent, in order, what each command makes of its keys, and what was
 * answered. Only this connection writes these keys, so every state that there may ever be is the state after some of
 * its first commands. That is the whole check: what is found must be such a state (no ghost, no half transaction, no
 * mixture of two moments), and not an earlier one than was answered (nothing lost, nothing older).
 */

/** When a record ends: somewhere in between, since only the server knows its clock at that moment. */
export interface Life {
  readonly forMs: number;
  from: number;
  /** Infinity until the answer has come. */
  to: number;
}

/** A record as the model has it. Never changed after it was made, but for `life.to`. */
export type Kept =
  | { readonly type: "string"; readonly value: string; readonly life: Life | null }
  | { readonly type: "hash"; readonly fields: ReadonlyMap<string, string>; readonly life: Life | null };

/** A record as it was found. `expiresAt` is known up to the length of the reading. */
export type Found =
  | { readonly type: "string"; readonly value: string; readonly expiresAt: number | null }
  | { readonly type: "hash"; readonly fields: ReadonlyMap<string, string>; readonly expiresAt: number | null }
  | null;

/** What was found, and when it was read. */
export interface Sight {
  readonly records: ReadonlyMap<string, Found>;
  readonly readFrom: number;
  readonly readTo: number;
}

/** One command or transaction. */
export interface Sent {
  readonly what: string;
  readonly changes: readonly (readonly [string, Kept | null])[];
}

interface Base {
  /** How many commands have been done here. */
  index: number;
  state: Map<string, Kept | null>;
}

/** A state that cannot be: what is wrong with it. */
export class Impossible extends Error {
  override readonly name = "Impossible";
}

const clockSlackMs = 5;
/** So many commands are shown with a state that cannot be. */
const shownMax = 60;

/** The record of one connection. */
export class History {
  readonly keys: readonly string[];
  /** The state after everything that was sent. */
  state = new Map<string, Kept | null>();
  /** How many commands were sent, and answered. */
  sent = 0;
  answered = 0;
  /** So many are in the database for certain (WAIT said so). */
  stored = 0;
  readonly #server: Base = { index: 0, state: new Map() };
  readonly #database: Base = { index: 0, state: new Map() };
  #commands: Sent[] = [];
  /** What the last command's keys were before it. */
  #before: (readonly [string, Kept | null])[] = [];
  #first = 0;

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  /** A command goes out. Gives its index. */
  send(command: Sent): number {
    this.#commands.push(command);
    this.#before = command.changes.map(([key]) => [key, this.state.get(key) ?? null]);
    for (const [key, kept] of command.changes) this.state.set(key, kept);
    return this.sent++;
  }

  /** Its answer has come, as expected. */
  answer(index: number, nowMs: number): void {
    this.answered = Math.max(this.answered, index + 1);
    settle(this.#commands[index - this.#first] as Sent, nowMs);
  }

  /** The last command was refused, and must have done nothing. */
  takeBack(index: number): void {
    if (index !== this.sent - 1) throw new Error("only the last command can be taken back");
    for (const [key, kept] of this.#before) this.state.set(key, kept);
    this.#commands.pop();
    this.sent--;
  }

  /** The server is dead: what was not answered may have been done until now. */
  died(nowMs: number): void {
    for (const command of this.#commands) settle(command, nowMs);
  }

  /** The database as it was found: a past moment, not before what was known to be stored. Gives that moment. */
  sawDatabase(sight: Sight): number {
    const found = this.#search(this.#database, this.stored, sight, "the database");
    this.#advance(this.#database, found);
    this.stored = found;
    return found;
  }

  /** The server as it was found after a start: nothing answered may be missing. What was lost is forgotten. */
  sawServer(sight: Sight): number {
    const found = this.#search(this.#server, Math.max(this.answered, this.stored), sight, "the server");
    this.#advance(this.#server, found);
    for (const [key, kept] of this.#server.state) widen(kept, sight.records.get(key) ?? null, sight);
    this.#commands.length = found - this.#first;
    this.sent = this.answered = found;
    this.state = new Map(this.#server.state);
    this.#forget();
    return found;
  }

  #search(base: Base, atLeast: number, sight: Sight, where: string): number {
    const state = new Map(base.state);
    const wrong = new Set(
      this.keys.filter((key) => !matches(state.get(key) ?? null, sight.records.get(key) ?? null, sight)),
    );
    for (let index = base.index; ; index++) {
      if (index >= atLeast && wrong.size === 0) return index;
      if (index >= this.sent) break;
      for (const [key, kept] of (this.#commands[index - this.#first] as Sent).changes) {
        state.set(key, kept);
        if (matches(kept, sight.records.get(key) ?? null, sight)) wrong.delete(key);
        else wrong.add(key);
      }
    }
    throw new Impossible(this.#explain(base, atLeast, sight, where));
  }

  #advance(base: Base, to: number): void {
    for (; base.index < to; base.index++) {
      for (const [key, kept] of (this.#commands[base.index - this.#first] as Sent).changes) base.state.set(key, kept);
    }
  }

  #forget(): void {
    const done = Math.min(this.#server.index, this.#database.index) - this.#first;
    if (done <= 0) return;
    this.#commands = this.#commands.slice(done);
    this.#first += done;
  }

  /** For each key, after which commands it would look as it was found: empty is a ghost, too early is a loss. */
  #explain(base: Base, atLeast: number, sight: Sight, where: string): string {
    const lines = [
      `${where} shows no state there ever was from command ${atLeast} (of ${this.sent}, ${this.answered} answered) on:`,
    ];
    for (const key of this.keys) {
      const found = sight.records.get(key) ?? null;
      const fits = this.#fits(base, key, found, sight);
      const late = fits.filter((index) => index >= atLeast);
      const verdict = fits.length === 0 ? "a ghost" : late.length === 0 ? "older than answered" : "fits";
      lines.push(`  ${key}: ${describe(found)}: ${verdict} (after ${ranges(fits)})`);
    }
    lines.push("  commands from there on:");
    const from = Math.max(atLeast, this.sent - shownMax) - this.#first;
    for (const [i, { what }] of this.#commands.slice(from).entries())
      lines.push(`  ${from + this.#first + i + 1}: ${what}`);
    return lines.join("\n");
  }

  #fits(base: Base, key: string, found: Found, sight: Sight): number[] {
    let kept = base.state.get(key) ?? null;
    const fits = matches(kept, found, sight) ? [base.index] : [];
    for (let index = base.index; index < this.sent; index++) {
      const change = (this.#commands[index - this.#first] as Sent).changes.findLast(([changed]) => changed === key);
      if (change !== undefined) kept = change[1];
      if (matches(kept, found, sight)) fits.push(index + 1);
    }
    return fits;
  }
}

function settle(command: Sent, nowMs: number): void {
  for (const [, kept] of command.changes) {
    if (kept?.life?.to === Number.POSITIVE_INFINITY) kept.life.to = nowMs + kept.life.forMs;
  }
}

/**
 * An end that was read through the server is not exact: a later command, never answered, may have set another one so
 * near that it was not told apart, and the database shows it to the millisecond.
 */
function widen(kept: Kept | null, found: Found, sight: Sight): void {
  if (kept === null || kept.life === null || found === null || found.expiresAt === null) return;
  kept.life.from = Math.min(kept.life.from, found.expiresAt - readingMs(sight));
  kept.life.to = Math.max(kept.life.to, found.expiresAt + readingMs(sight));
}

/** How far an end may be from what was read of it. */
function readingMs({ readFrom, readTo }: Sight): number {
  return readTo - readFrom + clockSlackMs;
}

function matches(kept: Kept | null, found: Found, sight: Sight): boolean {
  if (kept === null) return found === null;
  const { life } = kept;
  if (found === null) return life !== null && sight.readTo + clockSlackMs >= life.from;
  if (found.type !== kept.type || (life === null) !== (found.expiresAt === null)) return false;
  if (life !== null && found.expiresAt !== null) {
    const offMs = readingMs(sight);
    if (found.expiresAt < life.from - offMs || found.expiresAt > life.to + offMs) return false;
  }
  if (kept.type === "string") return found.type === "string" && found.value === kept.value;
  return found.type === "hash" && sameFields(found.fields, kept.fields);
}

function sameFields(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [field, value] of a) if (b.get(field) !== value) return false;
  return true;
}

function describe(found: Found): string {
  if (found === null) return "nothing";
  const text = found.type === "string" ? found.value : JSON.stringify([...found.fields].slice(0, 3));
  const end = found.expiresAt === null ? "" : ` until ${found.expiresAt}`;
  return `${found.type} ${text.length > 60 ? `${text.slice(0, 60)}… (${text.length})` : text}${end}`;
}

function ranges(indexes: readonly number[]): string {
  const first = indexes[0];
  if (first === undefined) return "none";
  return indexes.length === 1 ? String(first) : `${first} … ${indexes.at(-1)}, ${indexes.length} in all`;
}
