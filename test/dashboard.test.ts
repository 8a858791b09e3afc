/** What the page stands on: its files and their headers, the numbers over time, journeys, long values cut short. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { startAdmin, type Admin } from "../src/dashboard/admin.js";
import { commandRunner } from "../src/dashboard/command.js";
import { cutLong } from "../src/dashboard/cut.js";
import { journeyOf, type JourneyStep } from "../src/dashboard/journey.js";
import { EventReader } from "../src/dashboard/page/event-reader.js";
import { Watcher, type SeenRun } from "../src/dashboard/watch.js";
import { Emitter } from "../src/events.js";
import type { Heart, JsonChange, Status } from "../src/heart.js";
import type { Clock, Timer } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { sqlite } from "../src/store/sqlite/index.js";
import { openHeart } from "../src/write-behind.js";

const log = "0123456789abcdef0123456789abcdef";
const position = (sequence: number): string => `${log}:${sequence}:00000000`;

describe("the admin server of a real engine", () => {
  let folder: string;
  let heart: Heart;
  let admin: Admin;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dashboard-"));
    const host = nodeHost();
    const options = resolveEngineOptions({ data: `${folder}/data`, segmentBytes: "1mb", diskReserve: "0" });
    heart = await openHeart({ host, options, store: sqlite({ file: `${folder}/db` }) });
    const names = { host: "127.0.0.1", adminPort: 0, adminToken: null, password: null };
    admin = await startAdmin({
      heart,
      clock: host.clock,
      options: names,
      run: commandRunner(heart, false),
      version: "0",
    });
  });
  afterEach(async () => {
    await admin.close();
    await heart.close();
    await rm(folder, { recursive: true });
  });

  const get = async (path: string): Promise<unknown> => (await fetch(`${admin.url}${path}`)).json();
  const run = (line: string): Promise<Response> =>
    fetch(`${admin.url}/api/command`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ line }),
    });

  test("gives the page under a strict policy, and its parts for ever", async () => {
    const page = await fetch(`${admin.url}/`);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|http/);
    const text = await page.text();
    const parts = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] as string);
    expect(parts.length).toBeGreaterThanOrEqual(3);
    for (const part of parts) {
      expect(part).toMatch(/^\/assets\//);
      const answer = await fetch(`${admin.url}${part}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("cache-control")).toContain("immutable");
      await answer.arrayBuffer();
    }
    expect((await fetch(`${admin.url}/assets/..%2f..%2fadmin.js`)).status).toBe(404);
    expect((await fetch(`${admin.url}/assets/none.js`)).headers.get("cache-control")).toBe("no-store");
  });

  test("a journey: changes of a record, those of one run together, the queued one still queued", async () => {
    await heart.pause();
    await run("SET user:1 a");
    await run("SET other x");
    await run('SET user:1 "b c"');
    const queued = (await get("/api/journey?key=user:1")) as { items: JourneyStep[] };
    expect(queued.items.map(({ state, run: by }) => [state, by])).toEqual([
      ["queued", null],
      ["queued", null],
    ]);
    await heart.step();
    await run("SET user:1 d");
    const { items } = (await get("/api/journey?key=user:1")) as { items: JourneyStep[] };
    expect(
      items.map(({ state, together, value }) => [state, together, value?.type === "string" && value.value]),
    ).toEqual([
      ["stored", 2, "a"],
      ["stored", 2, "b c"],
      ["queued", 1, "d"],
    ]);
    expect(items[0]?.run).toMatchObject({ changes: 3, records: 2 });
    expect(items[0]?.run?.at).toBeGreaterThanOrEqual(items[0]?.acceptedAt ?? Infinity);
  });

  test("a line that is no command says so and changes nothing", async () => {
    for (const line of ['SET a "b', "", "   "]) {
      const answer = await run(line);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ error: { code: "BAD_VALUE" } });
    }
    expect(heart.accepted).toBe(0);
  });

  test("long values are cut for those who ask for it", async () => {
    await heart.pause();
    await run(`SET long ${"x".repeat(5000)}`);
    const whole = (await get("/api/record?key=long")) as { cache: { value: { value: string } } };
    expect(whole.cache.value.value).toHaveLength(5000);
    const cut = await get("/api/record?key=long&cut=100");
    expect(cut).toMatchObject({ cache: { value: { value: { cut: "x".repeat(100), bytes: 5000 } } } });
    expect(await get("/api/queue?cut=100")).toMatchObject({ items: [{ value: { value: { bytes: 5000 } } }] });
    for (const wrong of ["0", "-1", "x", ""]) {
      expect((await fetch(`${admin.url}/api/queue?cut=${wrong}`)).status).toBe(400);
    }
  });

  test("the stream gives the status once a second, and only what was asked for; an unknown event is named", async () => {
    const wrong = await fetch(`${admin.url}/api/events?only=status,nothing`);
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toMatchObject({ error: { message: expect.stringContaining('"nothing"') as string } });
    const stream = await fetch(`${admin.url}/api/events?only=status`);
    await run("SET a 1");
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    const events = new EventReader();
    const seen: { name: string; writes: number; state: string }[] = [];
    while (seen.length < 2) {
      const { value, done } = await reader.read();
      if (done) break;
      for (const { name, data } of events.take(decoder.decode(value, { stream: true }))) {
        const { sample, status } = JSON.parse(data) as { sample: { writes: number }; status: Status };
        seen.push({ name, writes: sample.writes, state: status.state });
      }
    }
    await reader.cancel();
    expect(seen.at(-1)).toEqual({ name: "status", writes: 1, state: "running" });
    expect(seen.every(({ name }) => name === "status")).toBe(true);
    const history = (await get("/api/history")) as { at: number[]; writes: number[] };
    expect(history.writes.at(-1)).toBe(1);
    expect(history.at).toHaveLength(history.writes.length);
  });
});

/** A clock that goes on when it is told to. */
class ToldClock {
  at = 0;
  #waiting: { readonly at: number; readonly call: () => void }[] = [];
  now = (): number => this.at;
  after = (delayMs: number, call: () => void): Timer => {
    const timer = { at: this.at + delayMs, call };
    this.#waiting.push(timer);
    return { cancel: () => (this.#waiting = this.#waiting.filter((one) => one !== timer)) };
  };
  go(ms: number): void {
    this.at += ms;
    const due = this.#waiting.filter((one) => one.at <= this.at);
    this.#waiting = this.#waiting.filter((one) => one.at > this.at);
    for (const { call } of due) call();
  }
  get waiting(): number {
    return this.#waiting.length;
  }
}

test("15 minutes of samples are kept, and no more; after its end nothing ticks", () => {
  const clock = new ToldClock();
  const events = new Emitter();
  const status = { cache: {}, queue: {}, writer: {}, deadLetters: {} } as Status;
  let accepted = 0;
  const heart = {
    events,
    status: () => status,
    get accepted() {
      return accepted;
    },
  };
  const watcher = new Watcher(heart as unknown as Heart, clock as unknown as Clock);
  for (let second = 1; second <= 2500; second++) {
    accepted = second;
    clock.go(1000);
  }
  expect(watcher.samples).toHaveLength(900);
  expect(watcher.samples.at(-1)).toMatchObject({ at: 2_500_000, writes: 2500 });
  expect(watcher.samples[0]).toMatchObject({ at: 1_601_000, writes: 1601 });
  for (let run = 0; run < 12_000; run++)
    events.emit("batch", { changes: 1, records: 1, from: position(run), to: position(run + 1), commitMs: 1 });
  expect(watcher.runs).toHaveLength(5000);
  expect(watcher.runs.at(-1)?.to).toBe(position(12_000));
  watcher.end();
  expect(clock.waiting).toBe(0);
  expect(events.has("batch")).toBe(false);
});

describe("journeyOf", () => {
  const change = (sequence: number): JsonChange => ({
    key: "k",
    kind: "remove",
    value: null,
    unset: [],
    position: position(sequence),
    acceptedAt: sequence,
  });
  const seenRun = (from: number, to: number): SeenRun => ({
    changes: to - from,
    records: 1,
    from: position(from),
    to: position(to),
    commitMs: 1,
    at: to,
  });

  test("each change is with the run that holds its position, if that is still known", () => {
    const ends = fc
      .uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 12 })
      .map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(ends, fc.integer({ min: 0, max: 70 }), (marks, stored) => {
        const runs = marks.slice(1).map((to, index) => seenRun(marks[index] as number, to));
        const changes = Array.from({ length: 70 }, (_, index) => change(index + 1));
        for (const [index, step] of journeyOf(changes, { runs, stored: position(stored), deadLetters: [] }).entries()) {
          const sequence = index + 1;
          const wanted = runs.find(
            ({ from, to }) => sequence > Number(from.split(":")[1]) && sequence <= Number(to.split(":")[1]),
          );
          expect(step.run).toBe(wanted ?? null);
          expect(step.together).toBe(wanted?.changes ?? 1);
          expect(step.state).toBe(sequence > stored ? "queued" : "stored");
        }
      }),
    );
  });

  test("what was refused, and what waits behind it, is parked and not stored", () => {
    const steps = journeyOf([change(3), change(5), change(6), change(9)], {
      runs: [],
      stored: position(7),
      deadLetters: ["5"],
    });
    expect(steps.map(({ state }) => state)).toEqual(["stored", "parked", "parked", "queued"]);
  });
});

test("cutLong leaves short things as they are, and never cuts a character in two", () => {
  const json = { a: ["short", { base64: "AAAA" }, 7, null, true] };
  expect(cutLong(json, 10)).toEqual(json);
  expect(cutLong("0123456789", 4)).toEqual({ cut: "0123", bytes: 10 });
  expect(cutLong({ base64: "A".repeat(400) }, 20)).toEqual({ cut: `base64 ${"A".repeat(13)}`, bytes: 300 });
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.integer({ min: 1, max: 20 }), (text, max) => {
      const cut = cutLong(text, max);
      if (text.length <= max) {
        expect(cut).toBe(text);
        return;
      }
      const { cut: begin, bytes } = cut as { cut: string; bytes: number };
      expect(text.startsWith(begin)).toBe(true);
      expect(bytes).toBe(bytesOfText(text).length);
      expect(Buffer.from(begin, "utf8").toString("utf8")).toBe(begin);
    }),
  );
});

test("EventReader gives the same events however the stream is cut", () => {
  const events = Array.from({ length: 5 }, (_, index) => ({
    name: "status",
    data: JSON.stringify({ index, text: "a\\nb" }),
  }));
  const text = `: alive\n\n${events.map(({ name, data }) => `event: ${name}\ndata: ${data}\n\n`).join(": alive\n\n")}`;
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: text.length })), (cuts) => {
      const reader = new EventReader();
      const edges = [0, ...cuts.sort((a, b) => a - b), text.length];
      const found = edges.slice(1).flatMap((edge, index) => reader.take(text.slice(edges[index], edge)));
      expect(found).toEqual(events);
    }),
  );
});
