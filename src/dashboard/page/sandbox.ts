/** A sandbox of the walkthrough as the page uses it: what was asked of it, what it answered, and its rows. */
import { signal, type ReadonlySignal } from "@preact/signals";
import type { SandboxAnswer, SandboxNow } from "../../lesson/sandbox.js";
import { post, said } from "./api.js";

/** What can be asked of one. */
export type SandboxVerb = "command" | "step" | "auto" | "database" | "kill" | "restart";

/** One row: what was done, and how everything was afterwards. */
export interface SandboxRow {
  readonly answer: SandboxAnswer;
  readonly now: SandboxNow;
}

/** A sandbox, for as long as somebody looks at it. */
export class Sandbox {
  readonly #rows = signal<readonly SandboxRow[]>([]);
  readonly #busy = signal(false);
  readonly #error = signal<string | null>(null);
  #id: string | null = null;
  /** What is under way, and how much of it a person has asked for. */
  #turn: Promise<unknown> = Promise.resolve();
  #asked = 0;

  get rows(): ReadonlySignal<readonly SandboxRow[]> {
    return this.#rows;
  }

  get busy(): ReadonlySignal<boolean> {
    return this.#busy;
  }

  /** Why the last call was not done; what the engine itself could not do stands in its row. */
  get error(): ReadonlySignal<string | null> {
    return this.#error;
  }

  /** A new engine; what was before is gone. */
  open(): Promise<void> {
    return this.#inTurn(() => this.#open());
  }

  /** Asks after what was asked before; a row more where it was answered. */
  ask(verb: SandboxVerb, more: object = {}): Promise<SandboxAnswer | null> {
    return this.#inTurn(async () => {
      if (this.#id === null) await this.#open();
      return this.#ask(verb, more);
    });
  }

  /** How everything is now, in the last row; not asked while anything else is. */
  look(): void {
    if (this.#asked === 0) this.#turn = this.#ask("look", {});
  }

  /** Ends it, after what was asked before. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#close());
  }

  async #open(): Promise<void> {
    await this.#close();
    this.#rows.value = [];
    await this.#ask("open", {});
  }

  async #close(): Promise<void> {
    const id = this.#id;
    this.#id = null;
    if (id !== null) await post("/api/sandbox/close", { id }).catch(() => {});
  }

  /** Nothing that a person presses may get lost because something else is under way. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#asked += 1;
    this.#busy.value = true;
    const turn = this.#turn.then(work);
    this.#turn = turn;
    try {
      return await turn;
    } finally {
      this.#asked -= 1;
      this.#busy.value = this.#asked > 0;
    }
  }

  async #ask(verb: SandboxVerb | "open" | "look", more: object): Promise<SandboxAnswer | null> {
    const id = this.#id;
    if (id === null && verb !== "open") return null;
    this.#error.value = null;
    try {
      const answer = await post<SandboxAnswer>(`/api/sandbox/${verb}`, id === null ? more : { id, ...more });
      this.#id = answer.id;
      if (answer.now !== null && verb !== "look") this.#rows.value = [...this.#rows.value, { answer, now: answer.now }];
      else if (answer.now !== null) this.#refresh(answer.now);
      return answer;
    } catch (error) {
      this.#error.value = said(error);
      return null;
    }
  }

  /** A look makes no row: the last one shows what is now. */
  #refresh(now: SandboxNow): void {
    const last = this.#rows.value.at(-1);
    if (last !== undefined) this.#rows.value = [...this.#rows.value.slice(0, -1), { ...last, now }];
  }
}
