/** Runs commands and steps of the writer on an engine, and looks at everything after each. */
import type { Bytes } from "../bytes.js";
import { findCommand } from "../commands/table.js";
import type { JsonReply } from "../dashboard/command.js";
import type { Heart, StepReport, Status } from "../heart.js";
import { cellsOf } from "./cells.js";
import type { LessonEngine } from "./engine.js";
import type { LessonAction, LessonCells, LessonRow, LessonTracker } from "./lesson.js";

/** What a run showed. */
export interface RowsOfRun {
  readonly start: LessonCells;
  readonly rows: readonly LessonRow[];
  readonly status: Status;
}

/** Performs the actions one after the other. A command that changes something takes two rows: answered, and queued. */
export async function runRows(engine: LessonEngine, actions: readonly LessonAction[]): Promise<RowsOfRun> {
  const { heart } = engine;
  const keys = keysOfActions(actions);
  const rows: LessonRow[] = [];
  const start = cellsOf(await engine.look(keys), null);
  const add = async (row: Pick<LessonRow, "kind" | "action"> & Partial<LessonRow>): Promise<void> => {
    const state = await engine.look(keys);
    const output = row.output ?? null;
    const cells = cellsOf(state, output);
    rows.push({ wrote: false, misses: 0, ...row, step: rows.length + 1, state, output, cells });
  };
  for (const action of actions) {
    if (action.kind === "step") {
      await add({ kind: "step", action: await stepWriter(heart) });
      continue;
    }
    await heart.refresh?.();
    const before = { accepted: heart.accepted, misses: heart.status().cache.misses };
    const output: JsonReply = await engine.run(action.args);
    const wrote = heart.accepted > before.accepted;
    await heart.refresh?.();
    const misses = heart.status().cache.misses - before.misses;
    await add({ kind: "command", action: `Client issues ${action.text}`, output, wrote, misses });
    if (!wrote) continue;
    await engine.durable();
    await add({ kind: "queued", action: "Write operation queued for DB" });
  }
  await add({ kind: "idle", action: await endOfRun(heart) });
  return { start, rows, status: heart.status() };
}

/** Rows turned round: each variable over time. */
export function trackerOf({ start, rows }: Pick<RowsOfRun, "start" | "rows">): LessonTracker {
  const moments = [start, ...rows.map((row) => row.cells)];
  const columns = moments.map((_, index) => {
    if (index === 0) return "Start";
    return index === rows.length ? "Final" : `After Step ${index}`;
  });
  const row = (name: string, cell: keyof LessonCells): LessonTracker["rows"][number] => ({
    name,
    cells: moments.map((moment) => moment[cell]),
  });
  return {
    columns,
    rows: [row("Cache", "cache"), row("Write Queue", "queue"), row("DB", "database"), row("Output", "output")],
  };
}

/** Every key that the commands name, in order. */
function keysOfActions(actions: readonly LessonAction[]): Bytes[] {
  return [...new Set(actions.flatMap((action) => (action.kind === "command" ? keysOf(action.args) : [])))];
}

/** The keys that a command names. */
export function keysOf(args: readonly Bytes[]): Bytes[] {
  const command = findCommand(args[0] as Bytes);
  if (command === undefined || command.keys.first === 0) return [];
  const { first, last, step } = command.keys;
  const end = last < 0 ? args.length + last : last;
  return args.filter((_, index) => index >= first && index <= end && (index - first) % step === 0);
}

async function stepWriter(heart: Heart): Promise<string> {
  try {
    return stepInWords(await heart.step());
  } catch (error) {
    return failedStepInWords(error);
  }
}

/** What a run of the writer did. */
export function stepInWords({ batch }: StepReport): string {
  if (batch === null) return "Background process finds nothing to write";
  const { changes, records } = batch;
  const writes = "Background process writes to DB";
  return changes === 1 ? writes : `${writes}: ${changes} changes become ${records} ${records === 1 ? "row" : "rows"}`;
}

/** Why a run of the writer wrote nothing. */
export function failedStepInWords(error: unknown): string {
  return `Background process cannot write to DB: ${error instanceof Error ? error.message : String(error)}`;
}

async function endOfRun(heart: Heart): Promise<string> {
  const { pendingChanges } = heart.status().queue;
  if (pendingChanges > 0)
    return `${pendingChanges} ${pendingChanges === 1 ? "write" : "writes"} still queued, process paused`;
  const { batch } = await heart.step();
  return batch === null ? "No more writes queued, process idle" : "Background process wrote what nobody had counted";
}
