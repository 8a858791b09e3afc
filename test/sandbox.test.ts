/** The walkthrough's live sandboxes: real engines in real processes, killed by SIGKILL, asked over HTTP. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { inTemporaryFolder } from "../src/cli/temporary-folders.js";
import { systemClock } from "../src/host/clock.js";
import { runLesson } from "../src/lesson/run-lesson.js";
import { lessonHolds, type Lesson } from "../src/lesson/lesson.js";
import { sandboxLimits, type SandboxAnswer } from "../src/lesson/sandbox.js";
import { executionTable, trackerTable } from "../src/lesson/tables.js";
import { rest } from "../src/rest.js";
import { inFolder, program } from "./cli-process.js";
import { ask, isAlive, refused, startSandboxes, type Asked, type SandboxServer } from "./sandbox-kit.js";

let server: SandboxServer;
beforeAll(async () => {
  server = await startSandboxes();
});
afterAll(() => server.close());

const opened: string[] = [];
afterEach(async () => {
  for (const id of opened.splice(0)) await ask(server.url, "close", { id });
});

const open = async (): Promise<Asked["json"]> => {
  const { status, json } = await ask(server.url, "open");
  expect({ status, json }).toMatchObject({ status: 200 });
  opened.push(json.id);
  return json;
};
const sandbox = async (): Promise<string> => (await open()).id;
const act = async (what: string, body: unknown): Promise<Asked["json"]> => {
  const { status, json } = await ask(server.url, what, body);
  expect({ status, json }).toMatchObject({ status: 200 });
  return json;
};
const command = (id: string, text: string): Promise<Asked["json"]> => act("command", { id, args: text.split(" ") });
const pidOf = (answer: Asked["json"]): number => answer.now.engine.pid as number;

test("the lesson is the one that trace prints", async () => {
  const [first, second] = await Promise.all([1, 2].map(() => ask<Lesson>(server.url, "lesson")));
  const own = await inTemporaryFolder(runLesson);
  const lesson = first?.json as Lesson;
  expect(lessonHolds(lesson)).toBe(true);
  expect(executionTable(lesson)).toEqual(executionTable(own));
  expect(trackerTable(lesson)).toEqual(trackerTable(own));
  expect(lesson.quiz).toEqual(own.quiz);
  expect(lesson.flow).toEqual(own.flow);
  expect(lesson.snapshot).toEqual(own.snapshot);
  expect(lesson.moments.map(({ question }) => question)).toEqual(own.moments.map(({ question }) => question));
  expect(Object.keys(lesson).sort()).toEqual(Object.keys(own).sort());
  expect(second?.json).toEqual(lesson);
  expect(server.folders()).toEqual([]);
});

test("a change outlives a database that fails and an engine that is killed", async () => {
  const first = await open();
  const { id } = first;
  expect(first).toMatchObject({ kind: "open", error: null, now: { auto: false, databaseFails: false } });
  expect(first.now.status).toMatchObject({ state: "paused", queue: { pendingChanges: 0 } });

  const set = await command(id, "SET user:1:name Alice");
  expect(set).toMatchObject({
    kind: "command",
    action: "Client issues SET user:1:name Alice",
    output: { type: "simple", value: "OK" },
    wrote: true,
  });
  const alice = '{"user:1:name": "Alice"}';
  const queued = "[('user:1:name', 'Alice')]";
  const nothing = '{"user:1:name": null}';
  expect(set.now.cells).toEqual({ cache: alice, queue: queued, database: nothing, output: "OK" });

  const fails = await act("database", { id, fails: true });
  expect(fails.now).toMatchObject({ databaseFails: true, cells: { queue: queued } });
  const step = await act("step", { id });
  expect(step.error).toMatchObject({ code: "STORE_DOWN", message: expect.stringContaining("walkthrough") as string });
  expect(step.now.cells).toMatchObject({ cache: alice, queue: queued, database: nothing });
  expect(step.now.status).toMatchObject({ store: { state: "down" }, writer: { retries: 1, batches: 0 } });
  const read = await command(id, "GET user:1:name");
  expect(read).toMatchObject({ output: { type: "bulk", value: "Alice" }, misses: 0, wrote: false });
  const cold = await command(id, "GET user:2:name");
  expect(cold.now.cells.output).toMatch(/^\(error\) WBSTORE .*walkthrough/);

  const killed = await act("kill", { id });
  expect(isAlive(pidOf(first))).toBe(false);
  expect(killed.action).toContain(`kill -9 ${pidOf(first)}`);
  expect(killed.now).toMatchObject({
    engine: { alive: false, pid: null, reason: expect.stringContaining("SIGKILL") as string, starts: 1 },
    state: { cache: [], queue: null },
    status: null,
  });
  const dead = await command(id, "GET user:1:name");
  expect(dead).toMatchObject({ output: null, error: { code: "CLOSED", hint: "restart it" } });
  expect((await act("step", { id })).error).toMatchObject({ code: "CLOSED" });
  expect((await act("kill", { id })).error).toMatchObject({ code: "CLOSED" });

  const restarted = await act("restart", { id });
  expect(restarted).toMatchObject({ error: null, action: expect.stringContaining("1 change queued") as string });
  expect(restarted.now).toMatchObject({ engine: { alive: true, starts: 2 }, databaseFails: true, auto: false });
  expect(restarted.now.cells.queue).toBe(queued);
  expect(pidOf(restarted)).not.toBe(pidOf(first));
  expect((await act("restart", { id })).error).toMatchObject({ code: "REFUSED" });
  expect((await command(id, "GET user:1:name")).output).toEqual({ type: "bulk", value: "Alice" });
  expect((await act("step", { id })).error).toMatchObject({ code: "STORE_DOWN" });

  await act("database", { id, fails: false });
  const written = await act("step", { id });
  expect(written).toMatchObject({ error: null, step: { batch: { changes: 1, records: 1 } } });
  expect(written.now.cells).toMatchObject({ queue: "[]", database: '{"user:1:name": "Alice", "user:2:name": null}' });
  expect((await act("step", { id })).step).toEqual({ batch: null });
  expect((await command(id, "GET user:1:name")).output).toEqual({ type: "bulk", value: "Alice" });
});

test("the writer by itself writes when the database works again, and only then", async () => {
  const id = await sandbox();
  await act("database", { id, fails: true });
  expect((await act("auto", { id, on: true })).now).toMatchObject({ auto: true, status: { state: "running" } });
  await command(id, "SET a 1");
  const seen = await until(id, (answer) => (answer.now.status?.writer.retries ?? 0) >= 2);
  expect(seen.now.cells).toMatchObject({ cache: '{"a": "1"}', queue: "[('a', '1')]", database: '{"a": null}' });
  await act("database", { id, fails: false });
  const mended = await until(id, (answer) => answer.now.cells.queue === "[]");
  expect(mended.now.cells).toMatchObject({ database: '{"a": "1"}' });
  const paused = await act("auto", { id, on: false });
  expect(paused.now).toMatchObject({ auto: false, status: { state: "paused" } });
  await command(id, "SET a 2");
  await act("kill", { id });
  expect((await act("auto", { id, on: true })).error).toMatchObject({ code: "CLOSED" });
  const restarted = await act("restart", { id });
  expect(restarted.now).toMatchObject({ auto: false, cells: { queue: "[('a', '2')]", database: '{"a": "1"}' } });
  await act("kill", { id });
  // While the engine is dead the database can be broken, too: then nobody tells how much of the journal it has.
  expect((await act("database", { id, fails: true })).now.databaseFails).toBe(true);
  const without = await act("restart", { id });
  expect(without.action).toContain("cannot ask now");
  expect(without.now).toMatchObject({ databaseFails: true, cells: { cache: '{"a": "2"}', database: '{"a": "1"}' } });
  expect(without.now.cells.queue).toContain("('a', '2')");
  await act("database", { id, fails: false });
  expect((await act("step", { id })).now.cells).toMatchObject({ queue: "[]", database: '{"a": "2"}' });
});

/** Looks until it is so. */
async function until(id: string, so: (answer: Asked["json"]) => boolean): Promise<Asked["json"]> {
  for (;;) {
    const answer = await act("look", { id });
    if (so(answer)) return answer;
    await rest(systemClock(), 10);
  }
}

test("calls of one sandbox are done one after the other", async () => {
  const id = await sandbox();
  const counts = await Promise.all(Array.from({ length: 20 }, () => command(id, "INCR n")));
  const values = counts.map(({ output }) => output?.value);
  expect(values.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  // Over HTTP nobody knows who comes first: here it is known.
  const run = (text: string): Promise<SandboxAnswer> =>
    server.sandboxes.act(id, { kind: "command", args: text.split(" ").map(bytesOfText) });
  const answers = await Promise.all([
    run("INCR n"),
    server.sandboxes.act(id, { kind: "kill" }),
    run("GET n"),
    server.sandboxes.act(id, { kind: "restart" }),
    run("INCR n"),
  ]);
  expect(answers.map(({ output, error }) => output?.value ?? error?.code ?? null)).toEqual([
    21,
    null,
    "CLOSED",
    null,
    22,
  ]);
});

test("beyond its limits nothing is done, and the error says so", async () => {
  const id = await sandbox();
  const { keysMax, keyBytesMax, valueBytesMax, bytesMax } = sandboxLimits;
  const keys = Array.from({ length: keysMax }, (_, index) => `k${index}`);
  expect(await refused(server.url, "command", { id, args: ["SET", "a", "x".repeat(valueBytesMax + 1)] })).toMatchObject(
    { status: 413, code: "TOO_LARGE", message: expect.stringContaining(String(valueBytesMax)) as string },
  );
  expect(await refused(server.url, "command", { id, args: ["GET", "x".repeat(keyBytesMax + 1)] })).toMatchObject({
    status: 413,
  });
  expect((await command(id, `MGET ${keys.join(" ")}`)).now.state.database).toHaveLength(keysMax);
  expect(await refused(server.url, "command", { id, args: ["GET", "one-more"] })).toMatchObject({
    status: 413,
    message: `${keysMax + 1} different keys: a sandbox takes ${keysMax}, so nothing was done`,
  });
  // A value that grows ends at the same limit: the engine itself refuses it.
  const full = "x".repeat(valueBytesMax);
  await act("command", { id, args: ["SET", "k0", full] });
  expect((await command(id, "APPEND k0 y")).now.cells.output).toContain(`the database takes ${valueBytesMax}`);
  let left = bytesMax / full.length;
  for (; left > 0; left -= 1)
    if ((await ask(server.url, "command", { id, args: ["SET", "k0", full] })).status !== 200) break;
  expect(left).toBeGreaterThan(0);
  expect(await refused(server.url, "command", { id, args: ["SET", "k0", full] })).toMatchObject({
    status: 413,
    message: expect.stringContaining("in all") as string,
  });
  expect((await command(id, "STRLEN k0")).output).toEqual({ type: "integer", value: full.length });
});

test("bytes that are no text go in and out", async () => {
  const id = await sandbox();
  const key = { base64: "/wA=" };
  const { now } = await act("command", { id, args: ["SET", key, { base64: "gIE=" }] });
  expect(now.state.cache).toEqual([{ key, value: { type: "string", value: { base64: "gIE=" }, expiresAt: null } }]);
  expect(now.state.queue).toMatchObject([{ key }]);
});

test("a fifth sandbox takes the place of the one that was left alone longest", async () => {
  const four: Asked["json"][] = [];
  for (let count = 0; count < sandboxLimits.sandboxesMax; count += 1) four.push(await open());
  const [first, second] = four as [Asked["json"], Asked["json"]];
  await act("look", { id: first.id });
  await open();
  expect(isAlive(pidOf(second))).toBe(false);
  const gone = await refused(server.url, "look", { id: second.id });
  expect(gone).toMatchObject({ status: 503, code: "CLOSED", hint: "open a new one: POST /api/sandbox/open" });
  expect(gone.message).toContain("a newer one took its place");
  expect(server.folders()).toHaveLength(sandboxLimits.sandboxesMax);
  await act("look", { id: first.id });
});

test("more than there is room for at once are refused, not piled up", async () => {
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask(server.url, "open")));
  const got = answers.filter(({ status }) => status === 200);
  expect(got.length).toBeGreaterThanOrEqual(1);
  for (const { status } of answers) expect([200, 409]).toContain(status);
  expect(server.folders().length).toBeLessThanOrEqual(sandboxLimits.sandboxesMax);
  for (const { json } of got) await ask(server.url, "close", { id: json.id });
  expect(server.folders()).toEqual([]);
});

test("one that nobody uses is closed, and says so", async () => {
  const left = await open();
  server.passIdleTime();
  const gone = await refused(server.url, "look", { id: left.id });
  expect(gone).toMatchObject({ status: 503, code: "CLOSED" });
  expect(gone.message).toContain("nobody used it for 10 minutes");
  while (isAlive(pidOf(left)) || server.folders().length > 0) await rest(systemClock(), 10);
});

test("what is no sandbox and what is no call are refused", async () => {
  expect(await refused(server.url, "look", { id: "../etc" })).toMatchObject({ status: 400, code: "BAD_VALUE" });
  expect(await refused(server.url, "look")).toMatchObject({ status: 400, code: "BAD_VALUE" });
  expect(await refused(server.url, "command", { id: "x", args: [] })).toMatchObject({ status: 400 });
  expect(await refused(server.url, "auto", { id: "x", on: "yes" })).toMatchObject({ status: 400 });
  const id = await sandbox();
  expect((await ask(server.url, "close", { id })).json).toMatchObject({ kind: "close", now: null });
  expect(await refused(server.url, "close", { id })).toMatchObject({ code: "CLOSED" });
});

test("the server takes them with it when it closes, in the middle of calls", async () => {
  const other = await startSandboxes();
  const first = (await ask(other.url, "open")).json;
  const { id } = first;
  const calls = Array.from({ length: 5 }, () =>
    ask(other.url, "command", { id, args: ["INCR", "n"] }).catch(() => null),
  );
  const opening = ask(other.url, "open").catch(() => null);
  await calls[0];
  const folders = other.folders;
  await other.close();
  await Promise.all([...calls, opening]);
  expect(isAlive(pidOf(first))).toBe(false);
  expect(folders).toThrow("ENOENT");
});

test.each(["SIGTERM", "SIGKILL"] as const)("an engine does not outlive a server that ends by %s", async (signal) => {
  await inFolder(async (folder) => {
    const args = ["serve", "--port", "0", "--admin-port", "0", "--data", join(folder, "data"), "--json"];
    const child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, TMPDIR: folder, SECRET_OF_THE_SERVER: "x" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const { admin } = JSON.parse(line.toString()) as { admin: string };
    const { json } = await ask(admin, "open");
    const pid = pidOf(json);
    expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain("SECRET_OF_THE_SERVER");
    child.kill(signal);
    await once(child, "exit");
    while (isAlive(pid)) await rest(systemClock(), 10);
    const left = readdirSync(folder).filter((name) => name.startsWith("write-behind-sandbox-"));
    if (signal === "SIGTERM") expect(left).toEqual([]);
  });
});
