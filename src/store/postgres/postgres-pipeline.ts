/**
 * Statements that travel together: all of them are sent at once, and one round trip later all are done. The server
 * skips everything behind the first one that fails, so what follows a failed one never happens, whatever it is. The
 * driver sends one statement at a time by itself; this is a query of our own for it. Source of the protocol:
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
import type { Cell, Parameter } from "./postgres-cell.js";
import type { PreparedNames } from "./postgres-prepared.js";
import type { Statement } from "./postgres-statements.js";

/** One statement with its parameters, and who takes the rows that it answers with. */
export interface Step {
  readonly statement: Statement;
  readonly parameters?: readonly Parameter[];
  readonly onRow?: (row: readonly Cell[]) => void;
}

/** A statement with its parameters, on the server. */
interface Portal {
  readonly portal: string;
  readonly statement: string;
  readonly values: readonly Parameter[];
}

/** The driver's connection, as far as it is needed. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(statement: { readonly name: string; readonly text: string }): void;
  bind(portal: Portal): void;
  execute(portal: Pick<Portal, "portal">): void;
  close(statement: { readonly type: "S"; readonly name: string }): void;
  sync(): void;
}

/** Steps under way. The driver calls its methods. */
export class PostgresPipeline {
  /** The step that failed, or that was not answered yet when the connection was lost. */
  failedAt: Step | null = null;
  readonly #steps: readonly Step[];
  readonly #head: number;
  readonly #prepared: PreparedNames | null;
  readonly #done: (error: unknown) => void;
  #answered = 0;
  #ended = false;

  /**
   * The first `head` steps are done as they arrive, the others when the parameters of all of them are there: a process
   * that is stopped while it sends a large batch holds no lock. `prepared`: the names of the statements that the
   * connection knows already, to which those of the steps are added; null where nothing is to be prepared. `done` is
   * called once, with null or with what went wrong.
   */
  constructor(steps: readonly Step[], head: number, prepared: PreparedNames | null, done: (error: unknown) => void) {
    this.#steps = steps;
    this.#head = head;
    this.#prepared = prepared;
    this.#done = done;
  }

  submit(wire: Wire): void {
    wire.stream.cork();
    const gone = this.#prepared?.makeRoom(this.#steps.map(({ statement }) => statement)) ?? [];
    for (const name of gone) wire.close({ type: "S", name });
    for (const step of this.#steps.slice(0, this.#head)) {
      this.#bind(wire, step, "");
      wire.execute({ portal: "" });
    }
    const rest = this.#steps.slice(this.#head);
    for (const [index, step] of rest.entries()) this.#bind(wire, step, portalOf(index));
    for (const index of rest.keys()) wire.execute({ portal: portalOf(index) });
    wire.sync();
    wire.stream.uncork();
  }

  #bind(wire: Wire, { statement, parameters = [] }: Step, portal: string): void {
    const name = this.#prepared === null ? "" : statement.name;
    if (this.#prepared?.has(name) !== true) wire.parse({ name, text: statement.text });
    this.#prepared?.add(name);
    wire.bind({ portal, statement: name, values: parameters });
  }

  handleDataRow({ fields }: { readonly fields: readonly Cell[] }): void {
    if (!this.#ended) this.#steps[this.#answered]?.onRow?.(fields);
  }

  handleCommandComplete(): void {
    this.#answered++;
  }

  handleReadyForQuery(): void {
    this.#end(null);
  }

  handleError(error: unknown): void {
    this.#end(error);
  }

  // Never asked for: answers come without a description and whole, and nothing is copied.
  handleRowDescription(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}

  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error !== null) this.failedAt = this.#steps[this.#answered] ?? null;
    this.#done(error);
  }
}

function portalOf(index: number): string {
  return `write_behind_${index}`;
}
