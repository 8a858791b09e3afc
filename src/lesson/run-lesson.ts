/** Computes a lesson from real runs of the engine. */
import { bytesOfText, type Bytes } from "../bytes.js";
import { withEngine, type LessonParts } from "./engine.js";
import type { Lesson, LessonAction } from "./lesson.js";
import { readBeforeStored, storeThatFails, waitsCompared, type WorkedExample } from "./moments.js";
import { runRows, trackerOf } from "./run-rows.js";
import { flowOf, quizOf, snapshotOf } from "./story.js";

export type { LessonParts } from "./engine.js";

const [key, value] = ["user:1:name", "Alice"].map(bytesOfText) as [Bytes, Bytes];

const example: WorkedExample = {
  write: { kind: "command", text: `SET ${key} ${JSON.stringify(value)}`, args: [bytesOfText("SET"), key, value] },
  read: { kind: "command", text: `GET ${key}`, args: [bytesOfText("GET"), key] },
  key,
  value: JSON.stringify(value),
};

/** The worked example: SET, one run of the writer, GET; then the key moments, each in a run of its own. */
export async function runLesson(parts: LessonParts): Promise<Lesson> {
  const actions: LessonAction[] = [example.write, { kind: "step" }, example.read];
  const run = await withEngine(parts, null, (engine) => runRows(engine, actions));
  const early = await readBeforeStored(parts, example);
  return {
    title: "Write-behind, one write at a time",
    flow: flowOf(run, example.value),
    start: run.start,
    rows: run.rows,
    tracker: trackerOf(run),
    moments: [early.moment, await storeThatFails(parts, example), await waitsCompared(parts, example)],
    quiz: quizOf(run, early.read),
    snapshot: snapshotOf(run),
  };
}

/** The same table and tracker for commands of one's own. */
export async function runOwnCommands(parts: LessonParts, actions: readonly LessonAction[]): Promise<Lesson> {
  const run = await withEngine(parts, null, (engine) => runRows(engine, actions));
  return {
    title: "Your commands, one at a time",
    flow: [],
    start: run.start,
    rows: run.rows,
    tracker: trackerOf(run),
    moments: [],
    quiz: [],
    snapshot: snapshotOf(run),
  };
}
