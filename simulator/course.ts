/**
 * The course of a world once its clients are done: calm. No faults any more, everything pending must reach the
 * database, every record is read warm, the process is closed and opened again, every record is read cold. In some
 * worlds a file of the journal rots then while nobody runs.
 */
import type { Bytes } from "../src/bytes.js";
import type { Heart } from "../src/heart.js";
import type { Step } from "./operation.js";
import { rot } from "./rot.js";
import { ask, heartOf, type Stage } from "./stage.js";

/** What is done in calm, to the end. */
export async function beCalm(stage: Stage): Promise<void> {
  await settle(stage);
  await readAll(stage, "warm");
  await ask(stage, "last", [lastStep(stage.options.rows)]);
  await reopen(stage);
  await readAll(stage, "cold");
  await settle(stage);
  if (!stage.options.rots) return;
  await rot(stage);
  await readAll(stage, "after rot");
  await settle(stage);
}

function lastStep(rows: boolean): Step {
  const [key, value] = ["k0" as Bytes, "the last value" as Bytes];
  return rows
    ? { kind: "hashSet", key, field: "f0" as Bytes, value, row: "column" }
    : { kind: "set", key, value, ttlMs: null };
}

/** Everything pending reaches the database. */
async function settle(stage: Stage): Promise<void> {
  const { database, model, machine } = stage;
  const heart = heartOf(stage);
  stage.observe((checker) => checker.pausing?.());
  await heart.resume();
  stage.observe((checker) => checker.paused?.(false));
  let flushed = false;
  heart.flush().then(
    () => (flushed = true),
    (error: unknown) => stage.fail(error),
  );
  await stage.until(() => flushed, "what is pending is flushed");
  // Where nothing was pending a call of the writer may hang still, since before the calm.
  await stage.until(() => heart.status().store.state === "up", "the database is found again");
  // A database that went back just now is noticed by the next sign of life.
  await stage.until(() => database.sequence === model.last, "the database has everything");
  // The answer to its commit is on its way; only the heart that has heard it is at rest.
  await stage.until(() => heart.stored === model.last, "the heart has heard that the database has everything");
  if (heart.status().deadLetters.count > 0) await retryLetters(stage, heart);
  let trimmed = false;
  machine.loop.after(300 * machine.disk.temper.latencyMs, "rest", null, () => (trimmed = true));
  await stage.until(() => trimmed, "what need not be kept is gone");
  const journalBytes = machine.disk.usedBytes("data/journal");
  const rest = { rows: database.rows, stored: database.sequence, status: heart.status(), journalBytes };
  stage.observe((checker) => checker.atRest?.(rest));
}

/** The database has no objection any more. */
async function retryLetters(stage: Stage, heart: Heart): Promise<void> {
  let retried = false;
  const retry = (): void => {
    heart.deadLetters.retry("all").then(
      () => (retried = true),
      (error: unknown) => {
        // A call that has hung since before the calm is told to whoever asks: he asks again.
        if ((error as { code?: string }).code === "STORE_DOWN") retry();
        else stage.fail(error);
      },
    );
  };
  retry();
  await stage.until(() => retried && heart.status().deadLetters.count === 0, "dead letters are retried");
}

async function reopen(stage: Stage): Promise<void> {
  const before = stage.serving();
  before?.close();
  await stage.until(() => stage.serving() !== null && stage.serving() !== before, "it is closed and opened again");
}

async function readAll(stage: Stage, name: string): Promise<void> {
  for (let key = 0; key < stage.options.keys; key++) await ask(stage, name, [{ kind: "get", key: `k${key}` as Bytes }]);
}
