/** The lesson: one write from client to database, a click for each step, all of it read from a run of now. */
import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Lesson, LessonRow } from "../../../lesson/lesson.js";
import { executionTable, trackerTable } from "../../../lesson/tables.js";
import { post, said } from "../api.js";
import { Claims, Moment } from "../claims.js";
import { FailureDemo } from "../failure.js";
import { Quiz } from "../quiz.js";
import { Stage, type Move } from "../stage.js";
import { TextTable } from "../table.js";

/** The lesson of this visit, and how far the person has come: they stay while the page does. */
const lesson = signal<Lesson | null>(null);
const shownRows = signal(0);

/** The view. */
export function LessonView({ onOwn }: { readonly onOwn: () => void }) {
  const error = useSignal<string | null>(null);
  const load = (): void => {
    [lesson.value, shownRows.value, error.value] = [null, 0, null];
    post<Lesson>("/api/sandbox/lesson").then(
      (loaded) => (lesson.value = loaded),
      (failure: unknown) => (error.value = said(failure)),
    );
  };
  useEffect(() => {
    if (lesson.value === null) load();
  }, []);
  if (error.value !== null) {
    return (
      <div class="sheet stack">
        <p class="error">{error.value}</p>
        <div class="row">
          <button type="button" onClick={load}>
            Try again
          </button>
        </div>
      </div>
    );
  }
  if (lesson.value === null) return <p class="sheet empty">An engine is started, and one write is sent through it …</p>;
  return <Steps lesson={lesson.value} onAgain={load} onOwn={onOwn} />;
}

interface StepsProps {
  readonly lesson: Lesson;
  readonly onAgain: () => void;
  readonly onOwn: () => void;
}

function Steps({ lesson, onAgain, onOwn }: StepsProps) {
  const shown = shownRows.value;
  const row = lesson.rows[shown - 1] ?? null;
  const atEnd = shown === lesson.rows.length;
  const { heads, rows } = executionTable(lesson);
  const tracker = trackerTable(lesson);
  const upTo = shown + 2;
  return (
    <>
      <section class="sheet stack">
        <h2>{lesson.title}</h2>
        <p>
          A database takes its time. With write-behind the client does not wait for it: the cache answers at once, a
          queue on disk remembers the change, and a background process brings it to the database a moment later.
        </p>
        <p class="soft small">{lesson.flow.map(({ text }) => text).join(" → ")}</p>
        <Stage
          cells={row?.cells ?? lesson.start}
          move={row === null ? "none" : moveOf(row)}
          moment={shown}
          writer={
            row?.kind === "idle"
              ? "idle: no more writes queued"
              : row?.kind === "step"
                ? null
                : "looks for work now and then"
          }
          database={null}
          dead={false}
        />
        <Controls lesson={lesson} row={row} onAgain={onAgain} />
      </section>
      {row !== null && <MomentsAt lesson={lesson} row={row} />}
      <div class="two">
        <section class="sheet">
          <TextTable caption="Step by step" table={{ heads, rows: rows.slice(0, shown), wordColumns: 2 }} lastIsNew />
          {shown === 0 && <p class="empty">Each step adds a row.</p>}
        </section>
        <section class="sheet">
          <TextTable
            caption="Each variable over time"
            table={{
              heads: tracker.heads.slice(0, upTo),
              rows: tracker.rows.map((cells) => cells.slice(0, upTo)),
              wordColumns: 1,
            }}
          />
        </section>
      </div>
      {atEnd && <Ending lesson={lesson} onOwn={onOwn} />}
    </>
  );
}

function Controls({
  lesson,
  row,
  onAgain,
}: {
  readonly lesson: Lesson;
  readonly row: LessonRow | null;
  readonly onAgain: () => void;
}) {
  const next = useRef<HTMLButtonElement>(null);
  useEffect(() => next.current?.focus(), []);
  const shown = shownRows.value;
  const atEnd = shown === lesson.rows.length;
  return (
    <>
      <p class="said" role="status">
        {row === null
          ? "A client will write a name, and read it. Follow the write: where is the value after each step?"
          : `Step ${row.step}: ${row.action}. ${explained(row)}`}
      </p>
      <div class="row">
        <button type="button" class="main" ref={next} disabled={atEnd} onClick={() => (shownRows.value += 1)}>
          {shown === 0 ? "Begin" : "Next step"}
        </button>
        <button type="button" disabled={shown === 0} onClick={() => (shownRows.value -= 1)}>
          Back
        </button>
        <button type="button" onClick={onAgain}>
          Again, with a new run
        </button>
        <span class="soft number">
          step {shown} of {lesson.rows.length}
        </span>
      </div>
    </>
  );
}

/** Key moments, explained where they happen. */
function MomentsAt({ lesson, row }: { readonly lesson: Lesson; readonly row: LessonRow }) {
  const [early, fails, waits] = lesson.moments;
  if (row.kind === "queued") {
    return (
      <section class="sheet stack" aria-label="Key moments">
        {early !== undefined && <Moment moment={early} />}
        {fails !== undefined && <Moment moment={fails} />}
        <FailureDemo />
      </section>
    );
  }
  if (row.kind !== "step" || waits === undefined) return null;
  return (
    <section class="sheet stack" aria-label="Key moments">
      <Moment moment={waits} />
    </section>
  );
}

function Ending({ lesson, onOwn }: { readonly lesson: Lesson; readonly onOwn: () => void }) {
  return (
    <>
      <section class="sheet stack">
        <h2>The flow, and what this run showed of it</h2>
        <Claims claims={lesson.flow} />
      </section>
      <Quiz questions={lesson.quiz} />
      <section class="sheet stack">
        <h2>In five lines</h2>
        <ul class="claims">
          {lesson.snapshot.map((line) => (
            <li key={line} class="bytes">
              {line}
            </li>
          ))}
        </ul>
        <div class="row">
          <button type="button" class="main" onClick={onOwn}>
            Now your own: type, break, kill, restart
          </button>
        </div>
      </section>
    </>
  );
}

function moveOf(row: LessonRow): Move {
  if (row.kind === "command") return row.wrote ? "write" : "read";
  return row.kind === "queued" ? "queue" : row.kind === "step" ? "store" : "none";
}

/** What to see in a step; the state itself is beside it. */
function explained(row: LessonRow): string {
  switch (row.kind) {
    case "command":
      return row.wrote
        ? `The cache takes the value and the client has its answer at once: ${row.cells.output}. The database knows nothing yet.`
        : `The cache answers: ${row.cells.output}. The database is not asked.`;
    case "queued":
      return "The change is in the write queue on disk: from here on no crash loses it.";
    case "step":
      return "The queue is let go of only now, when the database has the change.";
    case "idle":
      return "Cache and database are the same again.";
  }
}
