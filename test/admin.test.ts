/** The admin API over a heart that only remembers what it was asked. */
import { request } from "node:http";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bytesOfText, textOfBytes, type Bytes } from "../src/bytes.js";
import { startAdmin, type Admin, type AdminParts } from "../src/dashboard/admin.js";
import { routes } from "../src/dashboard/routes.js";
import { WriteBehindError } from "../src/errors.js";
import { Emitter } from "../src/events.js";
import type { Heart, Inspection, Status } from "../src/heart.js";
import { systemClock } from "../src/host/clock.js";
import { idleStatus } from "./idle-status.js";

class FakeHeart {
  readonly events = new Emitter();
  readonly accepted = 0;
  readonly asked: unknown[] = [];
  failed: ((error: WriteBehindError) => void) | null = null;
  refuse: WriteBehindError | null = null;
  state: Status["state"] = "running";
  reason: string | null = null;

  onFailed(call: (error: WriteBehindError) => void): void {
    this.failed = call;
  }
  status(): Status {
    return { ...idleStatus, state: this.state, reason: this.reason };
  }
  inspect(key: Bytes): Promise<Pick<Inspection, "key">> {
    this.asked.push(["inspect", key]);
    return this.#done({ key: textOfBytes(key) });
  }
  pending(limit: number, after: string | null): Promise<unknown> {
    this.asked.push(["pending", limit, after]);
    return this.#done({ items: [], next: null });
  }
  pause(): Promise<void> {
    this.state = "paused";
    return this.#done(undefined);
  }
  resume(): Promise<void> {
    this.state = "running";
    return this.#done(undefined);
  }
  step(): Promise<unknown> {
    return this.#done({ batch: null });
  }
  flush(options: { keys?: readonly Bytes[]; signal: AbortSignal }): Promise<unknown> {
    this.asked.push(["flush", options.keys]);
    return this.#done({ stored: "a:1:0", parked: [] });
  }
  readonly deadLetters = {
    list: (limit: number, after: string | null) => this.#ask(["list", limit, after], { items: [], next: null }),
    retry: (ids: unknown) => this.#ask(["retry", ids], { items: [], next: null }),
    discard: (ids: unknown, { behind }: { behind?: boolean }) =>
      this.#ask(["discard", ids, behind], { items: [], next: null }),
  };
  #ask<T>(asked: unknown, answer: T): Promise<T> {
    this.asked.push(asked);
    return this.#done(answer);
  }
  #done<T>(value: T): Promise<T> {
    return this.refuse === null ? Promise.resolve(value) : Promise.reject(this.refuse);
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly json: { readonly error?: { code: string; message: string; hint: string | null } } & Record<string, unknown>;
}

const json = { "content-type": "application/json" };
let heart: FakeHeart;
let admin: Admin | null = null;
let ran: string[][];

async function start(options: Partial<AdminParts["options"]> = {}): Promise<Admin> {
  const run = (args: readonly Bytes[]): Promise<unknown> => {
    ran.push(args.map(textOfBytes));
    return Promise.resolve({ type: "simple", value: "OK" });
  };
  const complete = { host: "127.0.0.1", adminPort: 0, adminToken: null, password: null, ...options };
  admin = await startAdmin({
    heart: heart as unknown as Heart,
    clock: systemClock(),
    options: complete,
    run,
    version: "0",
  });
  return admin;
}

function call(method: string, path: string, headers: Record<string, string> = {}, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = new URL(path, admin?.url);
    const asked = request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (text += piece));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          json: text === "" ? {} : (JSON.parse(text) as Answer["json"]),
        }),
      );
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

beforeEach(() => {
  heart = new FakeHeart();
  ran = [];
});
afterEach(async () => {
  await admin?.close();
  admin = null;
});

describe("endpoints", () => {
  beforeEach(() => start());

  test("status is the heart's, and is not stored by anybody", async () => {
    const answer = await call("GET", "/api/status");
    expect(answer).toMatchObject({
      status: 200,
      json: idleStatus,
      headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
    });
  });

  test("a record by its key, as text or base64", async () => {
    await call("GET", `/api/record?key=${encodeURIComponent("ключ&1")}`);
    await call("GET", "/api/record?keyBase64=/wA=");
    expect(heart.asked).toEqual([
      ["inspect", bytesOfText("ключ&1")],
      ["inspect", "\xff\x00"],
    ]);
    expect(await call("GET", "/api/record")).toMatchObject({ status: 400, json: { error: { code: "BAD_VALUE" } } });
    expect(await call("GET", "/api/record?key=a&keyBase64=b")).toMatchObject({ status: 400 });
    expect(await call("GET", "/api/record?keyBase64=%21")).toMatchObject({ status: 400 });
  });

  test("the queue in pages", async () => {
    expect((await call("GET", "/api/queue")).json).toEqual({ items: [], next: null });
    await call("GET", "/api/queue?limit=7&after=x:1:2");
    expect(heart.asked).toEqual([
      ["pending", 100, null],
      ["pending", 7, "x:1:2"],
    ]);
    for (const limit of ["0", "1001", "-1", "1.5", "x", ""])
      expect((await call("GET", `/api/queue?limit=${limit}`)).status, limit).toBe(400);
  });

  test("pause, resume, step, flush", async () => {
    expect((await call("POST", "/api/pause", json)).json).toEqual({ state: "paused", reason: null });
    expect((await call("POST", "/api/resume", json, "{}")).json).toEqual({ state: "running", reason: null });
    expect((await call("POST", "/api/step", json)).json).toEqual({ batch: null });
    expect((await call("POST", "/api/flush", json, '{"keys":["a",{"base64":"/w=="}]}')).json).toEqual({
      stored: "a:1:0",
      parked: [],
    });
    expect(heart.asked).toEqual([["flush", ["a", "\xff"]]]);
    expect((await call("POST", "/api/flush", json, '{"key":"a"}')).status).toBe(400);
    expect((await call("POST", "/api/pause", json, '{"why":1}')).status).toBe(400);
  });

  test("dead letters in pages, retried and discarded", async () => {
    const path = "/api/dead-letters";
    expect((await call("GET", path)).json).toEqual({ items: [], next: null });
    await call("GET", `${path}?limit=7&after=17`);
    expect((await call("POST", `${path}/retry`, json, '{"ids":["17","19"]}')).json).toEqual({ items: [], next: null });
    await call("POST", `${path}/retry`, json, '{"ids":"all"}');
    await call("POST", `${path}/discard`, json, '{"ids":["17"]}');
    await call("POST", `${path}/discard`, json, '{"ids":"all","behind":true}');
    expect(heart.asked).toEqual([
      ["list", 100, null],
      ["list", 7, "17"],
      ["retry", ["17", "19"]],
      ["retry", "all"],
      ["discard", ["17"], undefined],
      ["discard", "all", true],
    ]);
    expect((await call("GET", `${path}?limit=1001`)).status).toBe(400);
    for (const body of ["", "{}", '{"ids":[]}', '{"ids":[17]}', '{"ids":"17"}', '{"ids":"all","all":true}']) {
      expect(await call("POST", `${path}/retry`, json, body), body).toMatchObject({
        status: 400,
        json: { error: { code: "BAD_VALUE", hint: expect.stringContaining('{"ids": ["17"]}') as string } },
      });
    }
    expect((await call("POST", `${path}/discard`, json, '{"ids":"all","behind":1}')).status).toBe(400);
    expect(heart.asked).toHaveLength(6);
    heart.refuse = new WriteBehindError("BAD_VALUE", "there is no dead letter 5", { hint: "write-behind dead list" });
    expect(await call("POST", `${path}/retry`, json, '{"ids":["5"]}')).toMatchObject({
      status: 400,
      json: { error: { code: "BAD_VALUE", message: "there is no dead letter 5" } },
    });
  });

  test("a command", async () => {
    expect((await call("POST", "/api/command", json, '{"args":["SET","k","é"]}')).json).toEqual({
      reply: { type: "simple", value: "OK" },
    });
    expect(ran).toEqual([["SET", "k", "é"]]);
    for (const body of ['{"args":[]}', '{"args":[1]}', "{}", "[]", "null", "{", '{"args":[{"base64":"!"}]}']) {
      expect(await call("POST", "/api/command", json, body), body).toMatchObject({
        status: 400,
        json: { error: { code: "BAD_VALUE" } },
      });
    }
  });

  test("errors of the heart keep code, message and hint", async () => {
    heart.refuse = new WriteBehindError("CLOSED", "the writer is paused", { hint: "resume" });
    expect(await call("POST", "/api/flush", json)).toMatchObject({
      status: 503,
      json: { error: { code: "CLOSED", message: "the writer is paused", hint: "resume" } },
    });
    heart.refuse = new WriteBehindError("BAD_VALUE", "no such position");
    expect(await call("GET", "/api/queue?after=x")).toMatchObject({ status: 400, json: { error: { hint: null } } });
  });

  test("what is not there, and what is asked for in the wrong way", async () => {
    expect(await call("GET", "/api/nothing")).toMatchObject({ status: 404, json: { error: { code: "NOT_FOUND" } } });
    expect(await call("GET", "/nothing")).toMatchObject({ status: 404 });
    for (const { method, path } of routes) {
      const wrong = method === "GET" ? "POST" : "GET";
      const answer = await call(wrong, path, json);
      expect(answer, path).toMatchObject({ status: 405, json: { error: { code: "METHOD_NOT_ALLOWED" } } });
      expect(answer.headers["allow"]).toContain(method);
    }
    expect(await call("OPTIONS", "/api/pause")).toMatchObject({ status: 405 });
    expect((await call("HEAD", "/api/status")).status).toBe(200);
    expect((await call("HEAD", "/api/events")).status).toBe(200);
  });

  test("a body that is too large is refused", async () => {
    const body = JSON.stringify({ args: ["SET", "k", "x".repeat(2 ** 20)] });
    expect(await call("POST", "/api/command", json, body)).toMatchObject({
      status: 413,
      json: { error: { code: "TOO_LARGE" } },
    });
    const chunked = { ...json, "transfer-encoding": "chunked" };
    expect((await call("POST", "/api/command", chunked, body)).status).toBe(413);
    expect(ran).toEqual([]);
    expect((await call("POST", "/api/command", chunked, '{"args":["GET","k"]}')).status).toBe(200);
    expect(ran).toEqual([["GET", "k"]]);
  });

  test("whoever hangs up calls the wait off", async () => {
    const abort = new AbortController();
    let signal: AbortSignal | null = null;
    heart.flush = (options) => {
      ({ signal } = options);
      return new Promise(() => {});
    };
    const asked = fetch(`${admin?.url}/api/flush`, { method: "POST", headers: json, signal: abort.signal });
    await expect.poll(() => signal).not.toBeNull();
    abort.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(() => signal?.aborted).toBe(true);
  });

  test("health: live until the journal fails, ready until it stops or stands still", async () => {
    expect((await call("GET", "/health/live")).json).toEqual({ live: true });
    expect((await call("GET", "/health/ready")).json).toEqual({ ready: true, state: "running", reason: null });
    // A database that is to be mended, and a pause, keep no client from being served.
    for (const state of ["broken", "paused"] as const) {
      heart.state = state;
      expect(await call("GET", "/health/ready")).toMatchObject({ status: 200, json: { ready: true, state } });
    }
    for (const state of ["draining", "stalled"] as const) {
      heart.state = state;
      heart.reason = `why it is ${state}`;
      expect(await call("GET", "/health/ready")).toMatchObject({
        status: 503,
        json: { ready: false, state, reason: heart.reason },
      });
    }
    heart.failed?.(new WriteBehindError("JOURNAL_FAILED", "the disk is gone"));
    expect(await call("GET", "/health/live")).toMatchObject({
      status: 503,
      json: { live: false, reason: "the disk is gone" },
    });
    expect(await call("GET", "/health/ready")).toMatchObject({
      status: 503,
      json: { ready: false, state: "broken", reason: "the disk is gone" },
    });
  });
});

describe("closed by default", () => {
  test("a page that rebinds its name is refused, addresses and localhost are not", async () => {
    await start();
    for (const host of ["evil.example", "evil.example:8380", "localhost.evil.example", "127.0.0.1.evil.example"]) {
      expect(await call("GET", "/api/status", { host }), host).toMatchObject({
        status: 403,
        json: { error: { code: "FORBIDDEN" } },
      });
    }
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:8380", "[::1]:8380", "10.1.2.3"]) {
      expect((await call("GET", "/api/status", { host })).status, host).toBe(200);
    }
  });

  test("another origin is refused, also for reading; its own page is not", async () => {
    const { url } = await start();
    for (const origin of ["http://evil.example", "null", "http://127.0.0.1:1", "file://", "chrome-extension://abc"]) {
      expect((await call("GET", "/api/status", { origin })).status, origin).toBe(403);
      expect((await call("POST", "/api/pause", { ...json, origin })).status, origin).toBe(403);
    }
    expect((await call("POST", "/api/pause", { ...json, origin: url })).status).toBe(200);
  });

  test("POST demands JSON, with an empty body too", async () => {
    await start();
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]) {
      expect(await call("POST", "/api/pause", { "content-type": type }), type).toMatchObject({ status: 415 });
    }
    expect(await call("POST", "/api/pause")).toMatchObject({
      status: 415,
      json: { error: { code: "UNSUPPORTED_MEDIA_TYPE" } },
    });
    expect(heart.state).toBe("running");
    expect((await call("POST", "/api/pause", { "content-type": "application/json; charset=utf-8" })).status).toBe(200);
  });

  test("with a token nothing but health answers without it", async () => {
    await start({ adminToken: "sesame", password: "p" });
    for (const authorization of ["", "Bearer", "Bearer ", "Bearer sesam", "Bearer sesamee", "Basic sesame", "sesame"]) {
      expect(await call("GET", "/api/status", { authorization }), authorization).toMatchObject({
        status: 401,
        json: { error: { code: "UNAUTHORIZED" } },
      });
    }
    expect((await call("GET", "/api/events")).status).toBe(401);
    expect((await call("GET", "/nothing")).status).toBe(401);
    expect((await call("GET", "/health/ready")).status).toBe(200);
    const authorization = "Bearer sesame";
    expect((await call("GET", "/api/status", { authorization })).status).toBe(200);
    expect((await call("GET", "/api/status", { authorization, host: "write-behind.internal" })).status).toBe(200);
    expect((await call("GET", "/api/status", { authorization, origin: "http://evil.example" })).status).toBe(403);
    expect((await call("POST", "/api/pause", { authorization })).status).toBe(415);
  });

  test("it does not start open to others, or beside a password, without a token", async () => {
    await expect(start({ host: "0.0.0.0" })).rejects.toMatchObject({
      code: "CONFIG",
      hint: expect.stringContaining("--admin-token") as string,
    });
    await expect(start({ password: "p" })).rejects.toMatchObject({ code: "CONFIG" });
  });

  test("a port that is taken is named with the flag that changes it", async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, "127.0.0.1", () => resolve((other.address() as { port: number }).port));
    });
    await expect(start({ adminPort: port })).rejects.toMatchObject({
      message: expect.stringContaining(`127.0.0.1:${port}: the port is taken`) as string,
      hint: expect.stringContaining("--admin-port") as string,
    });
    other.close();
  });
});

describe("events", () => {
  test("come as they happen; writes are summed up; closing ends the stream", async () => {
    const running = await start();
    const response = await fetch(`${running.url}/api/events`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = "";
    const until = async (part: string): Promise<void> => {
      while (!text.includes(part)) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`the stream ended: ${text}`);
        text += Buffer.from(value).toString();
      }
    };
    await until(": alive");
    for (let sequence = 1; sequence <= 1000; sequence++) heart.events.emit("accepted", { sequence, changes: 2 });
    heart.events.emit("storeUp", { downMs: 5 });
    await until('event: storeUp\ndata: {"downMs":5}\n\n');
    await until('event: accepted\ndata: {"sequence":1000,"changes":2000}\n\n');
    expect(text.match(/event: accepted/g)).toHaveLength(1);
    await running.close();
    admin = null;
    expect((await reader.read()).done).toBe(true);
    expect(heart.events.has("batch")).toBe(false);
  });

  test("a reader that has gone is forgotten, and there is a limit", async () => {
    const { url } = await start();
    const aborts = Array.from({ length: 32 }, () => new AbortController());
    await Promise.all(aborts.map(({ signal }) => fetch(`${url}/api/events`, { signal })));
    expect(await call("GET", "/api/events")).toMatchObject({ status: 503, json: { error: { code: "TOO_MANY" } } });
    for (const abort of aborts) abort.abort();
    await expect.poll(() => heart.events.has("retry")).toBe(false);
  });

  test("a reader that does not keep up is cut off", async () => {
    const { url } = await start();
    const response = await fetch(`${url}/api/events`);
    const error = { code: "STORE_DOWN", message: "x".repeat(10_000), hint: null } as const;
    for (let i = 0; i < 5000 && heart.events.has("retry"); i++)
      heart.events.emit("retry", { error, attempt: i, delayMs: 1 });
    expect(heart.events.has("retry")).toBe(false);
    await response.body?.cancel();
  });
});
