/**
 * The live sandbox as values: an engine of one's own in a process of its own, which can be stepped, broken, killed and
 * started again. The admin API answers with these and the page draws them; sandboxes.ts keeps the sandboxes, and
 * sandbox-engine.ts is the engine's side. Everything in a value was read from the engine and its database.
 */
import { textOfBytes, type Bytes } from "../bytes.js";
import type { JsonReply } from "../dashboard/command.js";
import type { PlainError } from "../errors.js";
import type { Status, StepReport } from "../heart.js";
import type { Lesson, LessonCells, LessonState } from "./lesson.js";

/** What a sandbox is asked for. `auto`: whether the writer runs by itself, or stands still but for steps. */
export type SandboxAction =
  | { readonly kind: "open" }
  | { readonly kind: "step" }
  | { readonly kind: "kill" }
  | { readonly kind: "restart" }
  | { readonly kind: "look" }
  | { readonly kind: "close" }
  | { readonly kind: "command"; readonly args: readonly Bytes[] }
  | { readonly kind: "auto"; readonly on: boolean }
  | { readonly kind: "database"; readonly fails: boolean };

/** What an action gave. What it has not to do with is null, false or 0. */
export interface SandboxOutcome {
  /** What was done, and what came of it, in words: the cell `Action` of a table. */
  readonly action: string;
  /** What the client got. */
  readonly output: JsonReply | null;
  /** The command made a change. */
  readonly wrote: boolean;
  /** Lookups that the cache could not answer. */
  readonly misses: number;
  /** What a step wrote; its own `batch` is null where there was nothing to write. */
  readonly step: StepReport | null;
  /** Why it was not done: the step met a database that fails, the engine is dead … */
  readonly error: PlainError | null;
}

/** An outcome's parts that an action has not to do with. */
export const nothingDone = { output: null, wrote: false, misses: 0, step: null, error: null } as const;

/** So much of an argument is shown. */
const shownCharacters = 60;

/** A command as a person types it. */
export function commandInWords(args: readonly Bytes[]): string {
  const words = args.map((arg) => {
    const text = textOfBytes(arg);
    if (text.length > shownCharacters) return `${JSON.stringify(text.slice(0, shownCharacters))}…`;
    return /^[\w:.{}*@+/-]+$/.test(text) ? text : JSON.stringify(text);
  });
  return `Client issues ${words.join(" ")}`;
}

/** Cache, queue and database now, for every key that this sandbox was given so far. */
export interface SandboxState extends Omit<LessonState, "queue"> {
  /** The oldest changes, `shownChangesMax` at the most; null while the engine is dead: they are in its journal. */
  readonly queue: LessonState["queue"] | null;
}

/** What the engine says of itself. */
export interface SandboxStatus {
  /** `paused`: the writer stands still but for steps. `broken`, `stalled`: see `reason`. */
  readonly state: Status["state"];
  /** Why, in a sentence; null while running. */
  readonly reason: string | null;
  /** What the writer knows of its database: it hears of a failure only by trying. Times are milliseconds. */
  readonly store: Status["store"];
  readonly cache: Pick<Status["cache"], "records" | "bytes" | "hits" | "misses" | "evictions">;
  readonly queue: Pick<Status["queue"], "pendingChanges" | "pendingRecords" | "pendingBytes" | "oldestAgeMs">;
  readonly writer: Status["writer"];
  readonly deadLetters: number;
}

/** A sandbox now. */
export interface SandboxNow {
  readonly engine: {
    readonly alive: boolean;
    /** Its process; null while it is dead. */
    readonly pid: number | null;
    /** Why it is dead, in words; null while it lives. */
    readonly reason: string | null;
    /** How often it was started: a restart is a recovery from its journal. */
    readonly starts: number;
  };
  /** Whether the writer runs by itself; else it stands still until a step. Outlives a restart. */
  readonly auto: boolean;
  /**
   * Whether the database fails: for the engine, which can then neither write to it nor read from it. `state.database`
   * is read all the same, by a connection that the engine knows nothing of. Outlives a restart.
   */
  readonly databaseFails: boolean;
  readonly state: SandboxState;
  /** The same as the cells of a table. */
  readonly cells: LessonCells;
  /** Null while the engine is dead. */
  readonly status: SandboxStatus | null;
}

/** What every call answers with. After `close` nothing is left to look at: `now` is null. */
export interface SandboxAnswer extends SandboxOutcome {
  readonly id: string;
  readonly kind: SandboxAction["kind"];
  readonly now: SandboxNow | null;
}

/** The limits of sandboxes: beyond one, a call gets a clear error and nothing was done. */
export const sandboxLimits = {
  /** At the same time; the one that was left alone longest makes room for a new one. */
  sandboxesMax: 4,
  /** Without a call for so long it is closed. */
  idleMs: 600_000,
  /** Distinct keys that its commands may name. */
  keysMax: 200,
  keyBytesMax: 1024,
  /** Of each argument, and of each value that a command makes. */
  valueBytesMax: 64 * 1024,
  /** Of all arguments that it is ever given. */
  bytesMax: 1024 * 1024,
  /** Pending changes that are shown. */
  shownChangesMax: 100,
} as const;

/** The sandboxes of one server. Every call rejects with a WriteBehindError: BAD_VALUE, TOO_LARGE, CLOSED, REFUSED. */
export interface Sandboxes {
  /** The worked example, from a run of now: the lesson that `trace` prints. */
  lesson(): Promise<Lesson>;
  /** A new sandbox: the writer stands still, the database works. */
  open(): Promise<SandboxAnswer>;
  /** Does something, after what it was asked before, and looks at everything. */
  act(id: string, action: Exclude<SandboxAction, { kind: "open" }>): Promise<SandboxAnswer>;
  /** Ends all of them, and takes their folders away. */
  close(): Promise<void>;
}
