/** A sandbox of the walkthrough as the page uses it: what was asked of it, what it answered, and its rows. */
import { signal, type ReadonlySignal } from "@preact/signals";
import type { SandboxAnswer, SandboxNow } from "../../lesson/sandbox.js";
import { post, said } from "./api.js";

/** What can be asked of one. */
export type SandboxVerb = "command" | "step" | "auto" | "database" | "kill" | "restart" | "look";

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

  /** How everything is now; null before it is open. */
  get now(): SandboxNow | null {
    return this.#rows.value.at(-1)?.now ?? null;
  }

  /** A new engine; what was before is gone. */
  async open(): Promise<void> {
    await this.close();
    this.#rows.value = [];
    await this.#ask("open", {});
  }

  /** Asks, one after the other; a row more where it was answered. */
  async ask(verb: SandboxVerb, more: object = {}): Promise<SandboxAnswer | null> {
    if (this.#id === null) await this.open();
    return this.#ask(verb, { id: this.#id, ...more });
  }

  /** Ends it. */
  async close(): Promise<void> {
    const id = this.#id;
    this.#id = null;
    if (id !== null) await post("/api/sandbox/close", { id }).catch(() => {});
  }

  async #ask(verb: SandboxVerb | "open", body: object): Promise<SandboxAnswer | null> {
    if (this.#busy.value) return null;
    this.#busy.value = true;
    this.#error.value = null;
    try {
      const answer = await post<SandboxAnswer>(`/api/sandbox/${verb}`, body);
      this.#id = answer.id;
      if (answer.now !== null && verb !== "look") this.#rows.value = [...this.#rows.value, { answer, now: answer.now }];
      else if (answer.now !== null) this.#refresh(answer.now);
      return answer;
    } catch (error) {
      this.#error.value = said(error);
      return null;
    } finally {
      this.#busy.value = false;
    }
  }

  /** A look makes no row: the last one shows what is now. */
  #refresh(now: SandboxNow): void {
    const last = this.#rows.value.at(-1);
    if (last !== undefined) this.#rows.value = [...this.#rows.value.slice(0, -1), { ...last, now }];
  }
}
