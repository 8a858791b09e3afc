/** Progress: what a bar and a line show, how often they are drawn, and what a start tells. */
import { expect, test } from "vitest";
import { Emitter } from "../src/events.js";
import { nodeHost } from "../src/host/node-host.js";
import { sqlite } from "../src/index.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { Progress, progressBar, progressLine, type Reach } from "../src/progress.js";
import { openHeart } from "../src/write-behind.js";
import { engineKit } from "./engine-kit.js";

const kit = engineKit();
const half: Reach = { what: "reading", unit: "bytes", done: 2 ** 20, total: 2 ** 21, elapsedMs: 4000, note: "" };

test("a bar: share, amounts, rate and what is left; cut where the terminal is narrow", () => {
  expect(progressBar(half, 200)).toBe("reading [##########----------] 50 %, 1.0 MB of 2.0 MB, 256 KB/s, 4.0 s left");
  expect(progressBar(half, 20)).toBe("reading [##########…");
  const rows = { ...half, unit: { things: "rows" }, done: 5000, total: null, note: "users" };
  expect(progressBar(rows, 200)).toBe("reading 5,000 rows, 1,250 rows/s, users");
  expect(progressLine({ ...half, unit: "seconds", done: 30, total: 60, elapsedMs: 30_000, note: "7 kills" })).toBe(
    "reading: 50 %, 30 s of 1 min, 30 s left, 7 kills",
  );
  expect(progressLine({ ...half, done: 2 ** 22 })).toContain("100 %");
  expect(progressLine({ ...half, done: 0, elapsedMs: 0 })).toBe("reading: 0 %, 0 bytes of 2.0 MB");
});

/** A screen whose clock the test moves. */
function screen(isTerminal: boolean) {
  const written: string[] = [];
  const clock = { now: 0 };
  const write = (text: string): void => void written.push(text);
  return { written, clock, progress: new Progress({ isTerminal, width: () => 80, write, now: () => clock.now }) };
}

test("on a terminal it is drawn in its place, ten times a second at the most, and goes at the end", () => {
  const { written, clock, progress } = screen(true);
  for (clock.now = 0; clock.now <= 1000; clock.now++) progress.at("w", { things: "files" }, clock.now, 1000);
  expect(written).toHaveLength(11);
  progress.line("a line of the log");
  progress.end();
  const lines = written.join("").split("\r\u001B[2K");
  expect(lines.at(-1)).toBe("");
  expect(lines.at(-3)).toBe("a line of the log\n");
  expect(lines.at(-2)).toMatch(/^w \[#{20}\] 100 %/);
});

test("elsewhere it is a line every ten seconds, and nothing where the work is short", () => {
  const { written, clock, progress } = screen(false);
  for (; clock.now < 25_000; clock.now += 10) progress.at("w", { things: "files" }, clock.now, 50_000);
  progress.end();
  expect(written).toEqual([
    "w: 20 %, 10,000 of 50,000 files, 1,000 files/s, 40 s left\n",
    "w: 40 %, 20,000 of 50,000 files, 1,000 files/s, 30 s left\n",
  ]);
});

test("a start tells how much of the journal is read, and how much of what is pending is taken in", async () => {
  const data = kit.folder();
  const store = sqlite({ file: `${data}/a.db` });
  const wb = await kit.start(store, { data, segmentBytes: 64 * 1024 });
  await wb.pause();
  for (let i = 0; i < 200; i++) await wb.set(`k${i}`, "x".repeat(1000));
  await wb.close();
  const events = new Emitter();
  const told: { step: string; done: number; total: number }[] = [];
  events.on("recovering", (event) => told.push(event));
  const options = resolveEngineOptions({ data, segmentBytes: 64 * 1024 });
  const heart = await openHeart({ host: nodeHost(), store, options, events });
  await heart.close({ deadlineMs: 0 });
  const journal = told.filter(({ step }) => step === "journal");
  expect(journal.length).toBeGreaterThan(2);
  expect(journal.map(({ done }) => done)).toEqual(journal.map((_, at) => at + 1));
  expect(journal.at(-1)).toMatchObject({ done: journal.length, total: journal.length });
  expect(told.at(-1)).toEqual({ step: "pending", done: 200, total: 200 });
});
