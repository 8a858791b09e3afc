/** What the rows of the worked example show: the concept flow, the quiz, the snapshot. Pure. */
import type { Status } from "../heart.js";
import { claim, type Lesson, type LessonClaim, type LessonRow, type QuizQuestion } from "./lesson.js";
import type { RowsOfRun } from "./run-rows.js";

/** The concept flow, each stage with what the run showed of it. `value`: what a read must give. */
export function flowOf(run: RowsOfRun, value: string): LessonClaim[] {
  return [...flowToQueue(run, value), ...flowToDatabase(run, value), flowBack(run, value)];
}

function flowToQueue({ start, rows }: RowsOfRun, value: string): LessonClaim[] {
  const written = rows.find((row) => row.wrote);
  const queued = rows.find((row) => row.kind === "queued");
  if (written === undefined || queued === undefined) return [claim("client writes data to cache", "it did not", false)];
  const { cache, database, output } = written.cells;
  return [
    claim(
      "client writes data to cache",
      `step ${written.step}: ${written.action}, answered ${output}`,
      output === "OK",
    ),
    claim(
      "cache stores it immediately",
      `cache ${cache}, database ${database}`,
      cache.includes(value) && database === start.database,
    ),
    claim("write operation queued", `queue ${queued.cells.queue}`, queued.state.queue.length === 1),
  ];
}

function flowToDatabase(run: RowsOfRun, value: string): LessonClaim[] {
  const { rows } = run;
  const step = rows.find((row) => row.kind === "step");
  const updated = updateOf(run);
  const answered = `the client was answered in step ${rows.find((row) => row.wrote)?.step}`;
  return [
    claim(
      "background process writes to the database",
      `step ${step?.step}: queue ${step?.cells.queue}`,
      step?.state.queue.length === 0,
    ),
    claim(
      "database updated asynchronously",
      updated === null
        ? `the database still holds ${rows.at(-1)?.cells.database}`
        : `${answered}, the database updated in step ${updated.step}: ${updated.cells.database}`,
      updated !== null && updated === step && updated.cells.database.includes(value),
    ),
  ];
}

function flowBack({ rows }: RowsOfRun, value: string): LessonClaim {
  const read = rows.findLast((row) => row.kind === "command" && !row.wrote);
  return claim(
    "client reads the latest from the cache",
    `step ${read?.step}: ${read?.cells.output}, ${read?.misses} cache misses`,
    read?.cells.output === value && read.misses === 0,
  );
}

/** The quiz, its answers taken from the run and from `readRightAfter`, another run's read before the writer had run. */
export function quizOf(run: RowsOfRun, readRightAfter: string): QuizQuestion[] {
  const { start, rows } = run;
  const third = rows[2] as LessonRow;
  const updated = updateOf(run);
  const none = "at none of them";
  const updatedAt = updated === null ? none : `step ${updated.step}`;
  return [
    {
      question: "What is in the write queue after step 3?",
      choices: distinct([...rows.map((row) => row.cells.queue), start.queue]),
      answer: third.cells.queue,
      why: `${third.action}: the queue holds ${third.cells.queue}, the database ${third.cells.database}.`,
    },
    {
      question: "At which step is the database updated?",
      choices: [...rows.map((row) => `step ${row.step}`), none],
      answer: updatedAt,
      why:
        updated === null
          ? "The database never changed."
          : `${updated.action}: ${start.database} became ${updated.cells.database}.`,
    },
    {
      question: "What does a client get that reads right after step 1?",
      choices: distinct(["(nil)", readRightAfter, "an answer only when the database is updated"]),
      answer: readRightAfter,
      why: `The cache held ${rows[0]?.cells.cache} while the database held ${rows[0]?.cells.database}.`,
    },
  ];
}

/** The end of a run in five lines. */
export function snapshotOf({ rows, status }: RowsOfRun): string[] {
  const last = rows.at(-1)?.cells;
  const outputs = rows.filter((row) => row.kind === "command");
  return [
    `Cache: ${last?.cache}`,
    `Write queue: ${last?.queue}`,
    `Database: ${last?.database}`,
    `Client: got ${outputs.map((row) => row.cells.output).join(", then ")}`,
    `Writer: ${writerLine(status)}`,
  ];
}

/** The row in which the database first differs from what it was at the start. */
function updateOf({ start, rows }: Pick<Lesson, "start" | "rows">): LessonRow | null {
  return rows.find((row) => row.cells.database !== start.database) ?? null;
}

function writerLine({ writer, queue }: Status): string {
  const { batches, rows, coalesced } = writer;
  const pending = queue.pendingChanges;
  return [
    `${batches} ${batches === 1 ? "transaction" : "transactions"}`,
    `${rows} ${rows === 1 ? "row" : "rows"}`,
    `${coalesced} ${coalesced === 1 ? "change" : "changes"} saved by merging`,
    `${pending} pending`,
  ].join(", ");
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
