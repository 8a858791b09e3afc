/**
 * Promise 2 once more, seen only from outside: what clients asked and were told of one record can be put into one order
 * that fits every reply. Unanswered writes may have been done at any later moment, or never. It shares nothing with the
 * checker of newest values but the statement of what an operation does: that one knows the step in which the engine did
 * it, this one knows only when it was asked and when it was answered.
 *
 * Records that anybody gave an end to are left out: when they ended, only the engine's clock knows. So are those of
 * which an operator has given something up: when readers see that, only the engine knows. And so are both of a rename:
 * the search has one record at a time.
 */
import type { Bytes } from "../../src/bytes.js";
import type { RecordValue } from "../../src/change.js";
import { linearize, unknown, type Call } from "../linearize.js";
import { expected, textOf, withoutFilling, type Operation, type Step } from "../operation.js";
import { ModelChecker, Violation, type Ending, type Invocation } from "./checker.js";

const promise = "2 reads see the newest value (linearizable)";

/** An operation of some client, while it is not known what becomes of it. */
interface Asked {
  readonly invocation: Invocation;
  readonly start: number;
  end: number;
  guess: number;
  /** Nothing was written, and it says so. */
  nothing: boolean;
}

type State = RecordValue | null;

export class Linearizable extends ModelChecker {
  readonly promise = promise;
  #asked = new Map<Invocation, Asked>();
  /** What every record is before the first operation. */
  #initial: State | typeof unknown = null;
  #count = 0;
  readonly #givenUp = new Set<Bytes>();
  /** Whether a search that takes too many steps is a failure: the guesses must be good then. */
  decides = true;

  asked(invocation: Invocation): void {
    const start = ++this.#count;
    this.#asked.set(invocation, { invocation, start, end: Infinity, guess: Infinity, nothing: false });
  }

  worked(invocation: Invocation): void {
    this.#with(invocation, (asked) => (asked.guess = ++this.#count));
  }

  /** Somebody knows better in which order they were done; what only reads is tried whenever it fits (0). */
  guessed(invocation: Invocation, guess: number): void {
    this.#with(invocation, (asked) => (asked.guess = guess));
  }

  answered(invocation: Invocation): void {
    this.#with(invocation, (asked) => (asked.end = ++this.#count));
  }

  failed(invocation: Invocation): void {
    this.#with(invocation, (asked) => (asked.nothing = true));
  }

  opened(recovered: number, ending: Ending): void {
    for (const asked of this.#asked.values()) {
      const { frame } = asked.invocation;
      // Lost without an answer, or never done.
      if (asked.end === Infinity && (frame === 0 || frame > recovered)) asked.guess = Infinity;
    }
    const { durability } = this.parts.engine;
    const covered = ending === "close" || durability === "disk" || (durability === "os" && ending === "kill");
    if (!covered || ending === "rot") {
      // What was answered may be lost: what comes after it is another history, and begins nobody knows where.
      this.over();
      this.#asked = new Map();
      this.#initial = unknown;
    }
  }

  givenUp(records: readonly Bytes[]): void {
    for (const record of records) this.#givenUp.add(record);
  }

  over(): void {
    const byKey = this.#byKey();
    for (const [key, calls] of byKey) {
      const verdict = linearize(calls, this.#initial, textOf);
      if (verdict === "yes" || (verdict === "undecided" && !this.decides)) continue;
      const story = calls.map(({ words, start, end }) => `    ${start} to ${end}: ${words}`).join("\n");
      throw new Violation(promise, `no order fits what was answered about ${key} (${verdict}):\n${story}`);
    }
  }

  #with(invocation: Invocation, change: (asked: Asked) => void): void {
    const asked = this.#asked.get(invocation);
    if (asked !== undefined) change(asked);
  }

  #byKey(): Map<Bytes, OneCall[]> {
    const all = [...this.#asked.values()].filter((asked) => !asked.nothing);
    const leftOut = new Set<Bytes>();
    const calls = new Map<Bytes, OneCall[]>();
    for (const { invocation } of all) {
      const replies = invocation.reply?.split(" | ") ?? [];
      for (const [index, step] of invocation.operation.entries()) {
        if (step.kind === "clear") continue;
        // Who gave it its end may have been asked before the time that is looked at.
        if (replies[index]?.includes(" until ") === true) leftOut.add(step.key);
        if ("ttlMs" in step && step.ttlMs !== null) leftOut.add(step.key);
        if (step.kind === "rename") leftOut.add(step.key).add(step.to);
        calls.set(step.key, []);
      }
    }
    for (const asked of all) this.#split(asked, calls);
    for (const key of [...leftOut, ...this.#givenUp]) calls.delete(key);
    return calls;
  }

  /** What an operation is for each of its records, as an operation of its own. */
  #split({ invocation, start, end, guess }: Asked, calls: Map<Bytes, OneCall[]>): void {
    const { operation } = invocation;
    const reply = end === Infinity ? null : invocation.reply;
    if (operation[0]?.kind === "clear") {
      for (const [key, list] of calls) list.push(new OneCall([{ kind: "delete", key }], reply, start, end, guess));
      return;
    }
    const replies = reply?.split(" | ") ?? null;
    // A transaction that ended with an error has done nothing; at which of its records, it does not say.
    if (replies !== null && replies.length !== operation.length) return;
    const keys = new Set(operation.map((step) => (step as Exclude<Step, { kind: "clear" }>).key));
    for (const key of keys) {
      const mine = operation
        .map((step, index) => ({ step, index }))
        .filter(({ step }) => "key" in step && step.key === key);
      const said = replies === null ? null : mine.map(({ index }) => replies[index]).join(" | ");
      const steps = mine.map(({ step }) => step);
      // Reading without an answer says nothing.
      if (said === null && steps.every((step) => step.kind === "get")) continue;
      calls.get(key)?.push(new OneCall(steps, said, start, end, guess));
    }
  }
}

/** Some steps on one record, and what they were answered. */
class OneCall implements Call<State> {
  readonly start: number;
  readonly end: number;
  readonly guess: number;
  readonly #steps: Operation;
  readonly #reply: string | null;

  constructor(steps: Operation, reply: string | null, start: number, end: number, guess: number) {
    this.#steps = steps;
    this.#reply = reply;
    this.start = start;
    this.end = end;
    this.guess = guess;
  }

  get words(): string {
    return withoutFilling(`${JSON.stringify(this.#steps)} → ${this.#reply}`);
  }

  apply(state: State | typeof unknown): State | typeof unknown | undefined {
    const [step] = this.#steps;
    if (step === undefined || step.kind === "clear") return state;
    if (state === unknown) return this.#whole() ? this.apply(null) : unknown;
    const { reply, effects } = expected(this.#steps, () => state, 0);
    if (this.#reply !== null && reply !== this.#reply) return undefined;
    return effects.has(step.key) ? effects.get(step.key) : state;
  }

  /** Whether it says what the record is afterwards, whatever it was. */
  #whole(): boolean {
    const first = this.#steps[0]?.kind;
    return first === "set" || first === "delete";
  }
}
