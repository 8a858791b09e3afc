/**
 * A web application with sessions and limited tries to log in, written for a Redis with what people use for that. There
 * is nothing of write-behind in it: that is the point. README.md in this folder says how to run it.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { RedisStore } from "connect-redis";
import express, { type ErrorRequestHandler, type RequestHandler } from "express";
import session from "express-session";
import { RateLimiterRedisNonAtomic, RateLimiterRes } from "rate-limiter-flexible";
import { createClient } from "redis";
import { z } from "zod";

declare module "express-session" {
  interface SessionData {
    user: string;
    visits: number;
  }
}

const { REDIS_URL, PORT, SESSION_SECRET, SESSION_SECONDS, LOGIN_TRIES, LOGIN_SECONDS } = process.env;
const sessionSeconds = Number(SESSION_SECONDS ?? 86_400);
const secret = SESSION_SECRET ?? "only for trying it out";

const redis = createClient({ url: REDIS_URL ?? "redis://127.0.0.1:6379" });
redis.on("error", (error: Error) => process.stderr.write(`redis: ${error.message}\n`));
await redis.connect();

const store = new RedisStore({ client: redis });
const limiter = new RateLimiterRedisNonAtomic({
  storeClient: redis,
  useRedisPackage: true,
  keyPrefix: "login",
  points: Number(LOGIN_TRIES ?? 5),
  duration: Number(LOGIN_SECONDS ?? 60),
});

const Login = z.object({ user: z.string().max(100), password: z.string().max(100) });
const passwords = new Map([
  ["ada", "lovelace"],
  ["alan", "turing"],
]);

/** Takes one try of this user; with none left the request is answered 429. */
const limited: RequestHandler = async (request, response, next) => {
  try {
    await limiter.consume(String((request.body as { user?: unknown } | undefined)?.user));
  } catch (reason) {
    if (!(reason instanceof RateLimiterRes)) throw reason;
    response.set("Retry-After", String(Math.ceil(reason.msBeforeNext / 1000)));
    response.status(429).json({ error: "too many tries" });
    return;
  }
  next();
};

const onlyWithSession: RequestHandler = (request, response, next) => {
  if (request.session.user === undefined) response.status(401).json({ error: "log in first" });
  else next();
};

const app = express();
app.use(express.json());
app.use(session({ store, secret, resave: false, saveUninitialized: false, cookie: { maxAge: sessionSeconds * 1000 } }));

app.post("/login", limited, async (request, response) => {
  const { success, data } = Login.safeParse(request.body);
  if (!success || passwords.get(data.user) !== data.password) {
    response.status(401).json({ error: "wrong user or password" });
    return;
  }
  await promisify(request.session.regenerate.bind(request.session))();
  Object.assign(request.session, { user: data.user, visits: 0 });
  response.json({ user: data.user });
});

app.get("/me", onlyWithSession, ({ session: { user, visits } }, response) => {
  response.json({ user, visits });
});

app.post("/visit", onlyWithSession, (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.json({ visits: request.session.visits });
});

app.get("/sessions", onlyWithSession, async (_, response) => {
  const all = (await store.all()) as session.SessionData[];
  response.json(all.map(({ user, visits }) => ({ user, visits })));
});

app.post("/logout", async (request, response) => {
  await promisify(request.session.destroy.bind(request.session))();
  response.status(204).end();
});

const failed: ErrorRequestHandler = (error: Error, _, response, next) => {
  process.stderr.write(`${error.stack}\n`);
  if (response.headersSent) next(error);
  else response.status(503).json({ error: "try again later" });
};
app.use(failed);

const server = app.listen(Number(PORT ?? 8080), "127.0.0.1");
await once(server, "listening");
process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);

await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
server.close();
server.closeIdleConnections();
await once(server, "close");
await redis.close();
