/**
 * One live sandbox, seen from the server: it asks the engine's process, kills it and starts it again, and reads the
 * database through a connection of its own. One call at a time; what a call may bring is checked before it is done.
 */
import type { Bytes } from "../bytes.js";
import { WriteBehindError, errorOfPlain, plainError } from "../errors.js";
import type { Clock, Process, Processes, Timer } from "../host/host.js";
import type { StoreDescriptor, StoreReader } from "../store/store.js";
import { cellsOf } from "./cells.js";
import { lookAtDatabase } from "./engine.js";
import { keysOf } from "./run-rows.js";
import type { FromSandbox, SandboxStart, SeenInside, ToSandbox } from "./sandbox-engine.js";
import {
  commandInWords,
  nothingDone,
  sandboxLimits,
  type SandboxAction,
  type SandboxAnswer,
  type SandboxNow,
  type SandboxOutcome,
} from "./sandbox.js";

/** What sandboxes are made with. */
export interface SandboxParts {
  readonly clock: Clock;
  readonly processes: Processes;
  /** A new folder, empty. */
  newFolder(): Promise<string>;
  removeFolder(folder: string): Promise<void>;
  /** The database in this folder. */
  storeIn(folder: string): StoreDescriptor;
  /** The same database, read through a connection that the engine knows nothing of. */
  readerIn(folder: string): StoreReader;
}

/** An engine that says nothing for so long will say nothing more. */
const patienceMs = 30_000;

/** What the cell of the queue says where nobody can read it. */
const queueOnDisk = "in the journal on disk";

type Engine = Process<ToSandbox, FromSandbox>;

/** What came of an action, and what the engine held after it; null: it is dead. */
interface Done {
  readonly outcome: SandboxOutcome;
  readonly seen: SeenInside | null;
}

/** One sandbox. */
export class LiveSandbox {
  readonly #id: string;
  readonly #parts: SandboxParts;
  readonly #folder: string;
  readonly #reader: StoreReader;
  readonly #keys = new Set<Bytes>();
  #bytes = 0;
  #engine: Engine | null = null;
  /** Why there is no engine. */
  #reason = "it was not started yet";
  #starts = 0;
  #auto = false;
  #databaseFails = false;
  #closed: string | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  /** Takes the engine's answer: there is one question at a time, and an engine that is late is killed. */
  #answered: (answer: FromSandbox) => void = () => {};

  private constructor(id: string, parts: SandboxParts, folder: string) {
    this.#id = id;
    this.#parts = parts;
    this.#folder = folder;
    this.#reader = parts.readerIn(folder);
  }

  /** A sandbox in a new folder, and its first answer. Rejects where its engine does not start. */
  static async open(id: string, parts: SandboxParts): Promise<{ sandbox: LiveSandbox; answer: SandboxAnswer }> {
    const sandbox = new LiveSandbox(id, parts, await parts.newFolder());
    try {
      const answer = await sandbox.act({ kind: "open" });
      if (answer.error !== null) throw errorOfPlain(answer.error);
      return { sandbox, answer };
    } catch (error) {
      await sandbox.close("it did not start");
      throw error;
    }
  }

  /** Does it after what was asked before. Rejects BAD_VALUE and TOO_LARGE (nothing was done then), and CLOSED. */
  act(action: Exclude<SandboxAction, { kind: "close" }>): Promise<SandboxAnswer> {
    const turn = this.#turn.then(() => this.#act(action));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Kills the engine and takes the folder away. Calls that still wait reject CLOSED. */
  async close(why: string): Promise<void> {
    this.#closed ??= why;
    await this.#engine?.kill();
    await this.#turn;
    await this.#reader.close();
    await this.#parts.removeFolder(this.#folder);
  }

  async #act(action: Exclude<SandboxAction, { kind: "close" }>): Promise<SandboxAnswer> {
    if (this.#closed !== null) throw closedSandbox(this.#id, this.#closed);
    if (action.kind === "command") this.#admit(action.args);
    const { outcome, seen } = await this.#do(action);
    const now = await this.#now(outcome, seen);
    return { id: this.#id, kind: action.kind, ...outcome, now };
  }

  #do(action: Exclude<SandboxAction, { kind: "close" }>): Promise<Done> | Done {
    switch (action.kind) {
      case "kill":
        return this.#kill();
      case "open":
      case "restart":
        return this.#engine === null ? this.#start(action) : this.#ask(this.#engine, { kind: "look" }, runsAlready);
      case "database":
        this.#databaseFails = action.fails;
        if (this.#engine === null) return done(`Database ${action.fails ? "fails from now on" : "works again"}`);
        return this.#ask(this.#engine, action);
      case "look":
        return this.#engine === null ? done("Looked") : this.#ask(this.#engine, action);
      case "command":
      case "step":
        return this.#engine === null ? this.#dead(wordsOf(action)) : this.#ask(this.#engine, action);
      case "auto":
        return this.#engine === null ? this.#dead(wordsOf(action)) : this.#setAuto(this.#engine, action);
    }
  }

  /** Throws where a command brings more than a sandbox takes. */
  #admit(args: readonly Bytes[]): void {
    const { keysMax, keyBytesMax, valueBytesMax, bytesMax } = sandboxLimits;
    const bytes = args.reduce((sum, arg) => sum + arg.length, this.#bytes);
    const keys = keysOf(args);
    const all = new Set([...this.#keys, ...keys]);
    const longest = Math.max(0, ...args.map((arg) => arg.length));
    if (longest > valueBytesMax) throw beyond(`an argument of ${longest} bytes`, `${valueBytesMax} bytes`);
    const longestKey = Math.max(0, ...keys.map((key) => key.length));
    if (longestKey > keyBytesMax) throw beyond(`a key of ${longestKey} bytes`, `${keyBytesMax} bytes`);
    if (all.size > keysMax) throw beyond(`${all.size} different keys`, `${keysMax}`);
    if (bytes > bytesMax) throw beyond(`${bytes} bytes of commands in all`, `${bytesMax} bytes`);
    this.#bytes = bytes;
    for (const key of keys) this.#keys.add(key);
  }

  async #kill(): Promise<Done> {
    if (this.#engine === null) return this.#dead("Engine is killed");
    const { pid } = this.#engine;
    const engine = this.#engine;
    await engine.kill();
    this.#lost(engine, await engine.ended);
    return done(`Engine killed (kill -9 ${pid}): its cache is gone`);
  }

  #start(action: { readonly kind: "open" | "restart" }): Promise<Done> {
    const url = new URL("./sandbox-engine.js", import.meta.url).href;
    const start: SandboxStart = {
      folder: this.#folder,
      store: this.#parts.storeIn(this.#folder),
      databaseFails: this.#databaseFails,
      isFirst: action.kind === "open",
    };
    const engine = this.#parts.processes.start<ToSandbox, FromSandbox>(url, start);
    engine.receive((answer) => this.#answered(answer));
    this.#engine = engine;
    this.#starts += 1;
    void engine.ended.then((how) => this.#lost(engine, how));
    return this.#ask(engine, action);
  }

  async #setAuto(engine: Engine, action: { readonly kind: "auto"; readonly on: boolean }): Promise<Done> {
    const answered = await this.#ask(engine, action);
    if (answered.outcome.error === null) this.#auto = action.on;
    return answered;
  }

  /** Asks the engine. One that cannot answer is dead afterwards: what it would say later belongs to no call. */
  async #ask(engine: Engine, action: ToSandbox["action"], instead?: SandboxOutcome): Promise<Done> {
    let timer: Timer | null = null as Timer | null;
    const answered = new Promise<FromSandbox>((resolve) => (this.#answered = resolve));
    engine.post({ action, keys: [...this.#keys] });
    const late = new Promise<string>((resolve) => {
      timer = this.#parts.clock.after(patienceMs, () => resolve(`it did not answer for ${patienceMs / 1000} s`));
    });
    const answer = await Promise.race([answered, engine.ended, late]);
    timer?.cancel();
    if (typeof answer !== "string" && "seen" in answer) return { ...answer, outcome: instead ?? answer.outcome };
    await engine.kill();
    const reason = typeof answer === "string" ? answer : answer.failed.message;
    this.#lost(engine, reason);
    const error = typeof answer === "string" ? plainError(deadEngine(reason)) : answer.failed;
    return { outcome: { ...nothingDone, action: wordsOf(action), error }, seen: null };
  }

  #lost(engine: Engine, reason: string): void {
    if (this.#engine !== engine) return;
    this.#engine = null;
    this.#reason = reason;
  }

  #dead(action: string): Done {
    return { outcome: { ...nothingDone, action, error: plainError(deadEngine(this.#reason)) }, seen: null };
  }

  /** The queue was read before the database: a change that moves meanwhile is seen in both, never in neither. */
  async #now({ output }: SandboxOutcome, seen: SeenInside | null): Promise<SandboxNow> {
    const database = await lookAtDatabase(this.#reader, [...this.#keys]);
    const state = { cache: seen?.cache ?? [], queue: seen?.queue ?? null, database };
    const cells = cellsOf({ ...state, queue: state.queue ?? [] }, output);
    const alive = seen !== null && this.#engine !== null;
    return {
      engine: {
        alive,
        pid: alive ? (this.#engine?.pid ?? null) : null,
        reason: alive ? null : this.#reason,
        starts: this.#starts,
      },
      auto: this.#auto,
      databaseFails: this.#databaseFails,
      state,
      cells: state.queue === null ? { ...cells, queue: queueOnDisk } : cells,
      status: seen?.status ?? null,
    };
  }
}

/** The error of every later call. */
export function closedSandbox(id: string, why: string): WriteBehindError {
  return new WriteBehindError("CLOSED", `the sandbox ${id} is closed: ${why}`, { hint: openHint });
}

/** What to do without a sandbox. */
export const openHint = "open a new one: POST /api/sandbox/open";

const runsAlready: SandboxOutcome = {
  ...nothingDone,
  action: "Engine runs already",
  error: plainError(new WriteBehindError("REFUSED", "the engine runs already", { hint: "kill it first" })),
};

function done(action: string): Done {
  return { outcome: { ...nothingDone, action }, seen: null };
}

function deadEngine(reason: string): WriteBehindError {
  return new WriteBehindError("CLOSED", `the engine is dead: ${reason}`, { hint: "restart it" });
}

function beyond(what: string, limit: string): WriteBehindError {
  const message = `${what}: a sandbox takes ${limit}, so nothing was done`;
  return new WriteBehindError("TOO_LARGE", message, { hint: `use fewer or shorter ones, or ${openHint}` });
}

/** What was asked for, where the engine cannot tell. */
function wordsOf(action: ToSandbox["action"]): string {
  switch (action.kind) {
    case "command":
      return commandInWords(action.args);
    case "step":
      return "Background process is to run once";
    case "auto":
      return `Background process is ${action.on ? "to run by itself" : "to stand still"}`;
    case "open":
    case "restart":
      return "Engine does not start";
    case "database":
      return `Database ${action.fails ? "fails from now on" : "works again"}`;
    case "look":
      return "Looked";
  }
}
