/**
 * Sees to it that a simulated world asks nothing of the real one: while it runs, the real clock, timers and dice throw.
 * A promise that was rejected and that nobody listened to makes the world fail too.
 */
import type { Result } from "./world.js";

const forbidden = {
  "Date.now": Date.now,
  "Math.random": Math.random,
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
};

/** Runs a world with the real world taken away. */
export async function withoutRealWorld<R extends Pick<Result, "failure">>(run: () => Promise<R>): Promise<R> {
  const rejections: unknown[] = [];
  const rejected = (reason: unknown): number => rejections.push(reason);
  process.on("unhandledRejection", rejected);
  take((name) => () => {
    throw new Error(`${name} of the real world was used inside a simulated one`);
  });
  let result: R;
  try {
    result = await run();
  } finally {
    take((name) => forbidden[name]);
  }
  // Node tells of such promises only between two turns of its own loop.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", rejected);
  if (rejections.length === 0 || result.failure !== null) return result;
  const reason = rejections[0];
  const message = `nobody listened to a promise that was rejected: ${reason instanceof Error ? reason.stack : String(reason)}`;
  return { ...result, failure: { promise: "the engine works", message } };
}

function take(replacement: (name: keyof typeof forbidden) => unknown): void {
  Object.assign(Date, { now: replacement("Date.now") });
  Object.assign(Math, { random: replacement("Math.random") });
  Object.assign(globalThis, {
    setTimeout: replacement("setTimeout"),
    setInterval: replacement("setInterval"),
    setImmediate: replacement("setImmediate"),
  });
}
