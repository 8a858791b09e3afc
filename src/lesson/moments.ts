/** The three key moments, each proved by a run of its own. */
import type { Bytes } from "../bytes.js";
import { rest } from "../rest.js";
import { StoreError } from "../store/store.js";
import { cellsOf, replyCell } from "./cells.js";
import { withEngine, type LessonEngine, type LessonParts } from "./engine.js";
import { claim, type KeyMoment, type LessonAction, type LessonCells, type LessonClaim } from "./lesson.js";
import { runRows } from "./run-rows.js";

/** The write and the read that every run is about. */
export interface WorkedExample {
  readonly write: LessonAction & { readonly kind: "command" };
  readonly read: LessonAction & { readonly kind: "command" };
  readonly key: Bytes;
  /** What a read must give, as a cell. */
  readonly value: string;
}

/** How long the slow database takes for each commit, and how often each wait is measured. */
const slowCommitMs = 100;
const measurements = 5;
const failures = 2;

/** A read right after the write, while the writer stands still. `read` is what it gave. */
export async function readBeforeStored(
  parts: LessonParts,
  example: WorkedExample,
): Promise<{ readonly moment: KeyMoment; readonly read: string }> {
  const { start, rows } = await withEngine(parts, null, (engine) => runRows(engine, [example.write, example.read]));
  const row = rows.find((one) => one.kind === "command" && one.action.endsWith(example.read.text));
  const cells = row?.cells ?? start;
  const proofs = [
    claim("the client gets what was written", `the read gives ${cells.output}`, cells.output === example.value),
    claim("the database has not been updated", `it holds ${cells.database}`, cells.database === start.database),
    claim(
      "the value comes from the cache",
      `the cache holds ${cells.cache}, ${row?.misses ?? 0} misses`,
      cells.cache.includes(example.value) && row?.misses === 0,
    ),
    claim("the write waits in the queue", `the queue holds ${cells.queue}`, row?.state.queue.length === 1),
  ];
  const moment = {
    question: "Why does the client get the value although the database has not been updated?",
    answer: "Reads are answered by the cache, and the cache took the new value before the client was answered.",
    proofs,
    measured: [],
  };
  return { moment, read: cells.output };
}

/** The database refuses to commit, then works again. Nobody does anything about it. */
export async function storeThatFails(parts: LessonParts, example: WorkedExample): Promise<KeyMoment> {
  const mended = signal();
  const failed = signal();
  let attempts = 0;
  const beforeCommit = async (attempt: number): Promise<void> => {
    attempts = attempt;
    if (attempt <= failures) throw new StoreError("retryable", "the database is down (as the lesson asked it to be)");
    failed.give();
    await mended.given;
  };
  return withEngine(parts, beforeCommit, async (engine) => {
    const start = cellsOf(await engine.look([example.key]), null);
    const answer = replyCell(await engine.run(example.write.args));
    await engine.patiently(failed.given);
    const during = await cellsNow(engine, example);
    mended.give();
    await engine.stored();
    const after = await cellsNow(engine, example);
    return {
      question: "What happens when the background write fails?",
      answer:
        "The queue keeps the change, the client goes on reading its value, and the writer tries again until it succeeds.",
      proofs: proofsOfFailure(start, answer, during, after, attempts),
      measured: [],
    };
  });
}

function proofsOfFailure(
  start: LessonCells,
  answer: string,
  during: LessonCells,
  after: LessonCells,
  attempts: number,
): LessonClaim[] {
  return [
    claim("the write is answered although the database is down", `the client gets ${answer}`, answer === "OK"),
    claim(
      `after ${failures} failed commits the queue still keeps the change`,
      `the queue holds ${during.queue}`,
      during.queue !== "[]",
    ),
    claim("the database is as it was", `it holds ${during.database}`, during.database === start.database),
    claim(
      "reads give the new value all the time",
      `${during.output} during, ${after.output} after`,
      during.output === after.output && during.cache === after.cache,
    ),
    claim(
      "when the database works again the writer succeeds by itself",
      `commit ${attempts}: the database holds ${after.database}`,
      attempts === failures + 1 && after.database === after.cache,
    ),
    claim("only then the queue lets go of the change", `the queue holds ${after.queue}`, after.queue === "[]"),
  ];
}

/** How long a client waits for its answer, and how long it would wait for the database. */
export async function waitsCompared(parts: LessonParts, example: WorkedExample): Promise<KeyMoment> {
  const { host } = parts;
  const slow = (): Promise<void> => rest(host.clock, slowCommitMs);
  return withEngine(parts, slow, async (engine) => {
    const [behind, through]: [number[], number[]] = [[], []];
    for (let count = 0; count < measurements; count += 1) {
      const began = host.clock.monotonic();
      await engine.run(example.write.args);
      behind.push(host.clock.monotonic() - began);
      await engine.stored();
      through.push(host.clock.monotonic() - began);
    }
    const [without, withQueue] = [median(through), median(behind)];
    return {
      question: "Why is the write to the database asynchronous?",
      answer: "The client waits for the queue on this machine's disk, not for the database.",
      proofs: [
        claim(
          `a client that waits for a database of ${slowCommitMs} ms waits at least as long`,
          without >= slowCommitMs ? `it waited more than ${slowCommitMs} ms` : "it waited less",
          without >= slowCommitMs,
        ),
        claim(
          "a client that is answered by cache and queue waits less than that",
          withQueue < slowCommitMs ? `it waited less than ${slowCommitMs} ms` : "it waited longer",
          withQueue < slowCommitMs,
        ),
      ],
      measured: [
        { what: "answered by cache and queue (durability disk)", ms: withQueue },
        { what: "answered by the database", ms: without },
      ],
    };
  });
}

async function cellsNow(engine: LessonEngine, example: WorkedExample): Promise<LessonCells> {
  const output = await engine.run(example.read.args);
  return cellsOf(await engine.look([example.key]), output);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

/** A promise, and the call that keeps it. */
function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = (): void => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give };
}
