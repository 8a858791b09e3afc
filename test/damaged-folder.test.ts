/** Real folders that were damaged: what `check` says of them, that it changes nothing, and how `adopt` goes on. */
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RespClient } from "../src/cli/resp-client.js";
import { sqlite, writeBehind, type WriteBehindError } from "../src/index.js";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.js";
import { run, type Ran } from "./cli-process.js";
import { ServerProcess } from "./crash/server-process.js";

const [stored, pending] = [30, 60];
const value = `${"x".repeat(4999)}!`;

/** A server's folder: some changes in the database, more of them in the journal only, in several segments. */
async function fill(data: string): Promise<void> {
  const file = join(data, "write-behind.db");
  const wb = await writeBehind({
    data,
    store: sqlite({ file }),
    segmentBytes: 65_536,
    delayMs: 0,
    retainBytes: 2 ** 20,
  });
  for (let i = 1; i <= stored; i++) await wb.set(`k${i}`, value);
  await wb.flush();
  await wb.pause();
  for (let i = stored + 1; i <= stored + pending; i++) await wb.set(`k${i}`, value);
  await wb.close();
  // Its next writer is not to stand still.
  rmSync(join(data, "paused"));
}

/** Every file below a folder, with a hash of its bytes. */
function bytesOf(data: string): string[] {
  const names = readdirSync(data, { recursive: true, encoding: "utf8" }).sort();
  return names
    .filter((name) => statSync(join(data, name)).isFile())
    .map(
      (name) =>
        `${name} ${createHash("sha256")
          .update(readFileSync(join(data, name)))
          .digest("hex")}`,
    );
}

function segments(data: string): string[] {
  const journal = join(data, "journal");
  return readdirSync(journal)
    .filter((name) => /^\d.*\.journal$/.test(name))
    .map((name) => join(journal, name));
}

function damage(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] as number) ^ 1;
  writeFileSync(path, bytes);
}

/** Checks, and sees that not a byte has changed. */
async function check(data: string, ...flags: string[]): Promise<Ran> {
  const before = bytesOf(data);
  const ran = await run(["check", "--data", data, ...flags]);
  expect(bytesOf(data)).toEqual(before);
  return ran;
}

interface Checked {
  readonly frames: number;
  readonly pending: { readonly frames: number; readonly unreadable: number };
  readonly refusal: { readonly code: string; readonly message: string } | null;
}

async function checked(data: string): Promise<Checked> {
  return JSON.parse((await check(data, "--json")).out) as Checked;
}

const folders = mkdtempSync(join(tmpdir(), "write-behind-damaged-"));
const [template, foreign] = [join(folders, "template"), join(folders, "foreign")];

// Filled once; each test damages a copy.
beforeAll(() => Promise.all([fill(template), fill(foreign)]));
afterAll(() => rmSync(folders, { recursive: true }));

function copyOf(name: string): string {
  const data = join(folders, name);
  cpSync(template, data, { recursive: true });
  return data;
}

test("a sound folder: what is pending is counted", async () => {
  const data = copyOf("sound");
  const ran = await check(data);
  expect(ran).toMatchObject({ code: 0, err: "" });
  expect(ran.out).toMatch(/database +\S+write-behind.db, at [0-9a-f]{32}:30:/);
  expect(ran.out).toMatch(/frames +90 frames, 1 to 90/);
  expect(ran.out).toMatch(/pending +60 frames, 2\d\d KB\n/);
  expect(ran.out).toMatch(/0000000000000001-0000000001.journal +12 frames, 59 KB of 64 KB/);
  expect(ran.out).toMatch(/verdict +sound/);
  expect(await run(["check", "--data", data, "--store", `sqlite:${data}/none.db`])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/there is no database[^]*pending +at the most 90 frames/) as string,
  });
});

/** What can be done to a folder, and what is left of it. */
const damages: readonly {
  readonly what: string;
  readonly harm: (data: string) => void;
  readonly frames: number;
  readonly readable: number;
  readonly unreadable: number;
  /** Frames that follow the database's position without a gap. */
  readonly kept: number;
  readonly says: RegExp;
}[] = [
  {
    what: "a bit of a pending frame",
    harm: (data) => damage(segments(data)[4] as string, 2e4),
    frames: 51,
    readable: 59,
    unreadable: 1,
    kept: 21,
    says: /0000000000000049-\S+ at offset 19\d\d\d: frame 52 does/,
  },
  {
    what: "a bit of a frame that the database has",
    harm: (data) => damage(segments(data)[1] as string, 2e4),
    frames: 15,
    readable: 60,
    unreadable: 0,
    kept: 60,
    says: /0000000000000013-\S+ at offset 19\d\d\d: frame 16 does/,
  },
  {
    what: "a missing file",
    harm: (data) => rmSync(segments(data)[5] as string),
    frames: 60,
    readable: 48,
    unreadable: 12,
    kept: 30,
    says: /0000000000000049-\S+ at offset \d+: frame 61 does/,
  },
  {
    what: "a header",
    harm: (data) => damage(segments(data)[5] as string, 30),
    frames: 60,
    readable: 48,
    unreadable: 12,
    kept: 30,
    says: /0000000000000061-\S+ at offset 0: the segment's header/,
  },
  {
    what: "the first header",
    harm: (data) => damage(segments(data)[0] as string, 30),
    frames: 0,
    readable: 60,
    unreadable: 0,
    kept: 60,
    says: /0000000000000001-\S+ at offset 0: the segment's header/,
  },
  {
    what: "a file that was cut",
    harm: (data) => truncateSync(segments(data)[5] as string, 2e4),
    frames: 63,
    readable: 51,
    unreadable: 9,
    kept: 33,
    says: /0000000000000061-\S+ at offset 20000: the file ends there/,
  },
  {
    what: "a file of another log",
    harm: (data) => cpSync(segments(foreign)[5] as string, segments(data)[5] as string),
    frames: 60,
    readable: 48,
    unreadable: 12,
    kept: 30,
    says: /offset 0: it is of the log|frame 61 does not verify/,
  },
];

test.each(damages)("$what: named, refused alike each time, and given up by the command that is said", async (harm) => {
  const data = copyOf(harm.what.replaceAll(" ", "-"));
  harm.harm(data);
  const { frames, pending: left, refusal } = await checked(data);
  expect({ frames, left }).toMatchObject({
    frames: harm.frames,
    left: { frames: harm.readable, unreadable: harm.unreadable },
  });
  expect(refusal?.code).toBe("JOURNAL_DAMAGED");
  expect(refusal?.message).toMatch(harm.says);
  expect(await check(data)).toMatchObject({ code: 1 });

  // No crash loop that changes anything: the second start finds what the first one found.
  const before = bytesOf(join(data, "journal"));
  const [first, second] = [await refusedOpen(data), await refusedOpen(data)];
  expect(second).toBe(first);
  expect(bytesOf(join(data, "journal"))).toEqual(before);

  const command = /write-behind (adopt [^"\n]*)/.exec(first)?.[1]?.split(" ") ?? [];
  expect(command).toContain("--accept-gap");
  const cautious = await run(command.filter((word) => word !== "--accept-gap"));
  expect(cautious.code).toBe(1);
  expect(cautious.err).toContain("nothing was changed");
  const adopted = await run([...command, "--json"]);
  expect(adopted).toMatchObject({ code: 0, err: "" });
  expect(JSON.parse(adopted.out)).toMatchObject({
    framesKept: harm.kept,
    framesGivenUp: harm.readable - harm.kept,
    framesLost: harm.unreadable,
  });
  expect(await check(data)).toMatchObject({ code: 0 });
  expect(await served(data, stored + harm.kept)).toEqual(["xxxx!", "xxxx!", "after", null]);
});

test("a server ends with what is wrong and what to do, alike each time, and changes nothing", async () => {
  const data = copyOf("server");
  damage(segments(data)[4] as string, 2e4);
  const before = bytesOf(join(data, "journal"));
  const [first, second] = [await refusedStart(data), await refusedStart(data)];
  expect(second).toBe(first);
  expect(first).toMatch(/frame 52 does[^]*write-behind adopt [^\n]*--accept-gap/);
  expect(bytesOf(join(data, "journal"))).toEqual(before);
});

test("a log of another folder is a mismatch, and the database's rows stay", async () => {
  const data = copyOf("foreign-log");
  rmSync(join(data, "journal"), { recursive: true });
  cpSync(join(foreign, "journal"), join(data, "journal"), { recursive: true });
  expect(await checked(data)).toMatchObject({
    pending: { frames: 90, unreadable: 0 },
    refusal: { code: "QUEUE_MISMATCH" },
  });
  expect(JSON.parse((await run(["adopt", "--data", data, "--json"])).out)).toMatchObject({ framesGivenUp: 90 });
  expect(await served(data, stored)).toEqual(["xxxx!", "xxxx!", "after", null]);
});

test("an adoption that was cut off before the database knew is repeated, and takes over the same", async () => {
  const data = copyOf("cut-off");
  damage(segments(data)[4] as string, 20_000);
  const database = join(data, "write-behind.db");
  const before = readFileSync(database);
  const adopt = ["adopt", "--data", data, "--accept-gap", "--json"];
  expect(JSON.parse((await run(adopt)).out)).toMatchObject({ framesKept: 21, framesGivenUp: 38 });
  writeFileSync(database, before);
  expect(JSON.parse((await run(adopt)).out)).toMatchObject({
    framesKept: 21,
    why: expect.stringContaining("cut off") as string,
  });
  // And once more, with the new log half written.
  writeFileSync(database, before);
  for (const path of segments(data).slice(1)) rmSync(path);
  expect(JSON.parse((await run(adopt)).out)).toMatchObject({ framesKept: 21 });
  expect(await served(data, stored + 21)).toEqual(["xxxx!", "xxxx!", "after", null]);
});

test("damage before anything was stored: the folder starts anew, once that is accepted", async () => {
  const data = copyOf("nothing-stored");
  for (const name of readdirSync(data)) if (name.startsWith("write-behind.db")) rmSync(join(data, name));
  const virgin = new SqliteStore(join(data, "write-behind.db"));
  await virgin.open({ logId: "0".repeat(32) });
  await virgin.close();
  damage(segments(data)[1] as string, 20_000);
  const refused = await run(["adopt", "--data", data]);
  expect(refused).toMatchObject({
    code: 1,
    err: expect.stringContaining("Taken over: 15 frames. Given up: 74 frames that") as string,
  });
  expect(JSON.parse((await run(["adopt", "--data", data, "--accept-gap", "--json"])).out)).toMatchObject({
    framesKept: 15,
    framesGivenUp: 74,
    framesLost: 1,
  });
  expect(await served(data, 15)).toEqual(["xxxx!", "xxxx!", "after", null]);
});

test("a server was killed before the damage: what it left in the database's own log hinders nobody", async () => {
  const data = join(folders, "killed");
  const server = new ServerProcess(["--data", data, "--segment-bytes", "64kb", "--delay", "0"]);
  if (!(await server.ready())) throw new Error(server.errors);
  const client = await RespClient.open("127.0.0.1", server.port);
  await client.send(["SET", "k1", value]);
  await server.ask("POST", "/api/flush");
  await server.ask("POST", "/api/pause");
  for (const key of ["k2", "k3", "k4"]) await client.send(["SET", key, value]);
  client.close();
  await server.end("SIGKILL");
  rmSync(join(data, "paused"));
  damage(segments(data)[0] as string, 4096 + 2 * 5100);
  expect((await run(["adopt", "--data", data])).err).toContain("nothing was changed");
  expect(JSON.parse((await run(["adopt", "--data", data, "--accept-gap", "--json"])).out)).toMatchObject({
    framesKept: 1,
    framesGivenUp: 1,
    framesLost: 1,
  });
  expect(await served(data, 2)).toEqual(["xxxx!", "xxxx!", "after", null]);
});

test("beside a server that writes and trims check finds nothing wrong; once it is killed, it changes nothing", async () => {
  const data = join(folders, "running");
  const server = new ServerProcess(["--data", data, "--segment-bytes", "64kb", "--retain-bytes", "0", "--delay", "0"]);
  try {
    await server.ready();
    const client = await RespClient.open("127.0.0.1", server.port);
    let written = 0;
    const writing = async (): Promise<void> => {
      for (; written < 3000; written++) await client.send(["SET", `k${written % 50}`, value]);
    };
    const done = Promise.all(Array.from({ length: 4 }, writing));
    for (let looks = 0; looks < 4; looks++) {
      const ran = await run(["check", "--data", data]);
      expect(ran.out + ran.err).toMatch(/a server was here[^]*verdict +sound/);
    }
    await done;
    client.close();
    await server.ask("POST", "/api/flush");
    // What changes here is the server's doing: it still trims.
    const idle = await run(["check", "--data", data]);
    expect(idle.out).toMatch(/pending +0 frames\n/);
  } finally {
    await server.end("SIGKILL");
  }
  expect((await check(data)).out).toMatch(/pending +0 frames\n[^]*verdict +sound/);
  rmSync(join(data, "write-behind.db-shm"));
  expect((await check(data)).out).toMatch(/pending +(0|at the most \d+) frames/);
  await server.end("SIGKILL");
});

/** Opens it, which must be refused; gives what was said. */
async function refusedOpen(data: string): Promise<string> {
  const opening = writeBehind({ data, store: sqlite({ file: join(data, "write-behind.db") }) });
  const { code, message, hint } = await opening.then(
    () => Promise.reject(new Error("it was opened")),
    (error: unknown) => error as WriteBehindError,
  );
  return `${code} ${message}\n${hint}`;
}

/** Starts the server, which must refuse; gives what it said. */
async function refusedStart(data: string): Promise<string> {
  const server = new ServerProcess(["--data", data]);
  expect(await server.ready()).toBe(false);
  expect(server.ended).toBe("code 1, signal null");
  expect(server.errors).not.toMatch(/\n {4}at /);
  return server.errors;
}

/** Opens it again: the first and the last record that were kept, one written now, and the first that was given up. */
async function served(data: string, last: number): Promise<(string | null)[]> {
  const wb = await writeBehind({ data, store: sqlite({ file: join(data, "write-behind.db") }) });
  try {
    await wb.set("new", "after");
    await wb.flush();
    const found = await Promise.all(["k1", `k${last}`, "new", `k${last + 1}`].map((key) => wb.get(key)));
    return found.map((each) => each?.slice(-5) ?? null);
  } finally {
    await wb.close();
  }
}
