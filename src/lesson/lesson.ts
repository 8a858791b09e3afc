/**
 * The lesson as a value: one run of the engine, seen after every step. Terminal, markdown and page draw this value and
 * nothing else; run-lesson.ts computes it. Nothing in it was known before the run, so a broken engine shows in it.
 */
import type { Bytes, JsonBytes } from "../bytes.js";
import type { JsonReply } from "../dashboard/command.js";
import type { JsonChange, JsonValue } from "../heart.js";

/** What the run is told to do: a client's command, or one run of the background writer. */
export type LessonAction =
  | { readonly kind: "command"; readonly text: string; readonly args: readonly Bytes[] }
  | { readonly kind: "step" };

/** A record and its value; null: known not to exist. */
export interface LessonEntry {
  readonly key: JsonBytes;
  readonly value: JsonValue | null;
}

/** A change that waits in the queue. */
export type LessonChange = Pick<JsonChange, "key" | "kind" | "value" | "unset">;

/** Cache, queue and database at one moment. The database was read through a connection of its own. */
export interface LessonState {
  /** Records that the cache knows. */
  readonly cache: readonly LessonEntry[];
  readonly queue: readonly LessonChange[];
  /** Every record that the lesson is about. */
  readonly database: readonly LessonEntry[];
}

/** The same, and what the client got, as the cells of a table. */
export interface LessonCells {
  readonly cache: string;
  readonly queue: string;
  readonly database: string;
  readonly output: string;
}

/** One line of the execution table. */
export interface LessonRow {
  readonly step: number;
  readonly kind: "command" | "queued" | "step" | "idle";
  readonly action: string;
  readonly state: LessonState;
  readonly output: JsonReply | null;
  readonly cells: LessonCells;
  /** The command made a change. */
  readonly wrote: boolean;
  /** Lookups that the cache could not answer. */
  readonly misses: number;
}

/** Each variable over time. */
export interface LessonTracker {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly string[] }[];
}

/** Something that is said of write-behind, what the run showed, and whether that bears it out. */
export interface LessonClaim {
  readonly text: string;
  readonly shown: string;
  readonly holds: boolean;
}

/** A claim and its evidence. */
export function claim(text: string, shown: string, holds: boolean): LessonClaim {
  return { text, shown, holds };
}

/** A question that everybody asks, its answer, and runs that prove the answer. */
export interface KeyMoment {
  readonly question: string;
  readonly answer: string;
  readonly proofs: readonly LessonClaim[];
  /** Times of this one run; another run has others. */
  readonly measured: readonly { readonly what: string; readonly ms: number }[];
}

/** A question with answers to choose from; `answer` is what the run gave. */
export interface QuizQuestion {
  readonly question: string;
  readonly choices: readonly string[];
  readonly answer: string;
  readonly why: string;
}

/** The whole lesson. For own commands `flow`, `moments` and `quiz` are empty. */
export interface Lesson {
  readonly title: string;
  readonly flow: readonly LessonClaim[];
  readonly start: LessonCells;
  readonly rows: readonly LessonRow[];
  readonly tracker: LessonTracker;
  readonly moments: readonly KeyMoment[];
  readonly quiz: readonly QuizQuestion[];
  readonly snapshot: readonly string[];
}

/** Whether everything that is said was borne out by the runs. */
export function lessonHolds(lesson: Lesson): boolean {
  return [...lesson.flow, ...lesson.moments.flatMap((moment) => moment.proofs)].every((claim) => claim.holds);
}
