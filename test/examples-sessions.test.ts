/**
 * An application that was written for a Redis, with a redis-server and with `write-behind serve`: the same tests, and
 * nothing changed but an address in an environment variable.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeBoth, password } from "./same-place.js";
import { until } from "./server-setup.js";

const program = fileURLToPath(new URL(join("..", "examples", "sessions", "main.js"), import.meta.url));

/** The application as a process. */
class Application {
  readonly #child: ChildProcess;
  readonly #address: string;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.#address = address;
  }

  static async start(redisPort: number, settings: Readonly<Record<string, string>> = {}): Promise<Application> {
    const REDIS_URL = `redis://:${encodeURIComponent(password)}@127.0.0.1:${redisPort}`;
    const env = { ...process.env, REDIS_URL, PORT: "0", NODE_ENV: "production", ...settings };
    const child = spawn(process.execPath, [program], { env, stdio: ["ignore", "pipe", "ignore"] });
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
    return new Application(child, line.toString().trim());
  }

  async end(): Promise<number | null> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
    return this.#child.exitCode;
  }

  browser(): Browser {
    return new Browser(this.#address);
  }
}

/** What a page was answered with. */
interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfter: string | null;
}

/** Somebody with a cookie. */
class Browser {
  readonly #address: string;
  cookie = "";

  constructor(address: string) {
    this.#address = address;
  }

  async get(path: string): Promise<Answer> {
    return this.#ask(path, { method: "GET" });
  }

  async post(path: string, body: unknown = {}): Promise<Answer> {
    return this.#ask(path, { method: "POST", body: JSON.stringify(body) });
  }

  async login(user = "ada", word = "lovelace"): Promise<number> {
    return (await this.post("/login", { user, password: word })).status;
  }

  /** The key of its session. */
  get sessionKey(): string {
    const id = /^connect\.sid=s%3A([^.]+)\./.exec(this.cookie)?.[1];
    return `sess:${decodeURIComponent(id ?? "none")}`;
  }

  async #ask(path: string, request: RequestInit): Promise<Answer> {
    const headers = { "content-type": "application/json", cookie: this.cookie };
    const response = await fetch(`${this.#address}${path}`, { ...request, headers });
    const [cookie] = response.headers.getSetCookie();
    if (cookie !== undefined) this.cookie = cookie.split(";")[0] as string;
    const text = await response.text();
    const body: unknown = text === "" ? null : JSON.parse(text);
    return { status: response.status, body, retryAfter: response.headers.get("retry-after") };
  }
}

describeBoth("an application with sessions and a limit", (place, kind) => {
  let redis: Redis;
  let application: Application;

  beforeAll(async () => {
    redis = new Redis({ port: place().port, host: "127.0.0.1", password });
    redis.on("error", () => undefined);
    application = await Application.start(place().port, { LOGIN_TRIES: "100" });
  });

  afterAll(async () => {
    redis.disconnect();
    expect(await application.end()).toBe(0);
  });

  test("who has not logged in, or with a wrong password, gets nothing", async () => {
    const browser = application.browser();
    expect((await browser.get("/me")).status).toBe(401);
    expect(await browser.login("ada", "wrong")).toBe(401);
    expect(browser.cookie).toBe("");
    expect((await browser.get("/sessions")).status).toBe(401);
  });

  test("a session is kept across requests, and across application processes", async () => {
    const browser = application.browser();
    expect(await browser.login()).toBe(200);
    for (const visits of [1, 2, 3]) expect((await browser.post("/visit")).body).toEqual({ visits });
    expect((await browser.get("/me")).body).toEqual({ user: "ada", visits: 3 });
    expect(await redis.ttl(browser.sessionKey)).toBeGreaterThan(86_000);
    const second = await Application.start(place().port);
    try {
      const elsewhere = second.browser();
      elsewhere.cookie = browser.cookie;
      expect((await elsewhere.get("/me")).body).toEqual({ user: "ada", visits: 3 });
    } finally {
      await second.end();
    }
  });

  test("logging in again begins a new session and ends the old one; logging out ends it", async () => {
    const browser = application.browser();
    await browser.login();
    const [old, oldKey] = [browser.cookie, browser.sessionKey];
    await browser.login("alan", "turing");
    expect(browser.cookie).not.toBe(old);
    expect(await redis.exists(oldKey, browser.sessionKey)).toBe(1);
    expect((await browser.post("/logout")).status).toBe(204);
    expect((await browser.get("/me")).status).toBe(401);
    expect(await redis.exists(browser.sessionKey)).toBe(0);
  });

  test("each request puts the end of a session off; one that nobody uses ends", async () => {
    const browser = application.browser();
    await browser.login();
    await redis.expire(browser.sessionKey, 1000);
    // The page changes nothing in the session: it only sets its end.
    expect((await browser.get("/me")).status).toBe(200);
    expect(await redis.ttl(browser.sessionKey)).toBeGreaterThan(86_000);
    const short = await Application.start(place().port, { SESSION_SECONDS: "1" });
    try {
      const unused = short.browser();
      expect(await unused.login()).toBe(200);
      await until(async () => (await redis.exists(unused.sessionKey)) === 0);
      expect((await unused.get("/me")).status).toBe(401);
    } finally {
      await short.end();
    }
  });

  test("all sessions are listed, those of 300 browsers", async () => {
    await redis.del((await redis.keys("sess:*")).concat("login:ada"));
    const browsers = Array.from({ length: 300 }, () => application.browser());
    for (let i = 0; i < 300; i += 100) {
      await Promise.all(browsers.slice(i, i + 100).map((browser) => browser.login()));
      await redis.del("login:ada");
    }
    const { body } = await (browsers[0] as Browser).get("/sessions");
    expect(body).toEqual(browsers.map(() => ({ user: "ada", visits: 0 })));
  });

  describe("tries to log in", () => {
    test("are limited, for one user and not for another, and say when it goes on", async () => {
      const strict = await Application.start(place().port, { LOGIN_TRIES: "3", LOGIN_SECONDS: "600" });
      try {
        await redis.del("login:ada", "login:alan");
        const browser = strict.browser();
        const tries = [await browser.login("ada", "a"), await browser.login("ada", "b"), await browser.login()];
        expect(tries).toEqual([401, 401, 200]);
        const { status, retryAfter } = await browser.post("/login", { user: "ada", password: "lovelace" });
        expect(status).toBe(429);
        expect(Number(retryAfter)).toBeGreaterThan(500);
        expect(await browser.login("alan", "turing")).toBe(200);
        expect(await redis.get("login:ada")).toBe("4");
      } finally {
        await strict.end();
      }
    });

    test("go on when their time has passed", async () => {
      const strict = await Application.start(place().port, { LOGIN_TRIES: "1", LOGIN_SECONDS: "1" });
      try {
        await redis.del("login:ada");
        const browser = strict.browser();
        await until(async () => (await browser.login()) === 429);
        await until(async () => (await redis.exists("login:ada")) === 0);
        expect(await browser.login()).toBe(200);
      } finally {
        await strict.end();
      }
    });
  });

  test("after a kill of the server the application goes on by itself, with every session", async () => {
    await redis.del("login:ada");
    const browsers = Array.from({ length: 20 }, () => application.browser());
    await Promise.all(browsers.map((browser) => browser.login()));
    for (const browser of browsers) expect((await browser.post("/visit")).body).toEqual({ visits: 1 });
    await place().kill();
    await place().start();
    const after = await Promise.all(browsers.map((browser) => browser.post("/visit")));
    expect(after.map(({ body }) => body)).toEqual(browsers.map(() => ({ visits: 2 })));

    if (kind === "redis-server") return;
    const database = new DatabaseSync(place().database, { readOnly: true, timeout: 10_000 });
    try {
      const row = database.prepare("SELECT value, expires_at FROM write_behind_kv WHERE key = ?");
      for (const browser of browsers) {
        let found: { value: string; expires_at: number } | undefined;
        await until(() => {
          found = row.get(browser.sessionKey) as typeof found;
          return found !== undefined && (JSON.parse(found.value) as { visits: number }).visits === 2;
        });
        expect(JSON.parse((found as { value: string }).value)).toMatchObject({ user: "ada", visits: 2 });
        expect(Number(found?.expires_at)).toBeGreaterThan(Date.now());
      }
    } finally {
      database.close();
    }
  });
});
