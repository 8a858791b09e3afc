/**
 * One connection to a Redis, made again for ever. It sends at once or says that it cannot; what waits for a connection
 * waits elsewhere. The driver's own queues are off: it would send a command again whose answer was lost.
 */
import { randomInt } from "node:crypto";
import type { Redis, RedisOptions } from "ioredis";
import { WriteBehindError } from "../errors.js";
import type { Clock, Timer } from "../host/host.js";
import { commandMaker, wireOf, type Driver, type MakeCommand, type RedisReply, type Sent } from "./redis-driver.js";
import { answerLost, cacheDown, errorOfReply, reasonOf, wordOfReply } from "./redis-errors.js";
import type { RedisPlace } from "./redis-url.js";

/** The longest pause between two tries to connect. */
const pauseMsMax = 1000;
/** A server that loads its data is asked again after this time. */
const loadingMs = 200;
/** So many bytes are not held back until the end of the turn: the server may begin. */
const gatheredBytesMax = 16 * 1024;

const brokenOff = "the connection was broken off";

/** The command was not sent, so it is certain that it was not done. */
export class NotSent extends Error {}

/** What a connection needs, and whom it tells. */
export interface ConnectionParts {
  readonly driver: Driver;
  readonly place: RedisPlace;
  readonly clock: Clock;
  /** A connection that says nothing for so long, while an answer is due, is destroyed. */
  readonly answerMs: number;
  /** As CLIENT LIST shows it. */
  readonly name: string;
  /** Called at each change, and after the first try where it fails. */
  readonly onState: (isUp: boolean, error: WriteBehindError | null) => void;
}

/** A connection. */
export class RedisConnection {
  readonly redis: Redis;
  readonly #parts: ConnectionParts;
  readonly #make: MakeCommand;
  #isUp: boolean | null = null;
  /** Counts connections: what was asked on an earlier one is of no interest. */
  #epoch = 0;
  #isGreeting = false;
  #unanswered = 0;
  #heardAt = 0;
  #watch: Timer | null = null;
  #gathering: Redis["stream"] | null = null;
  #gatheredBytes = 0;
  /** Why there is no connection. */
  #problem: WriteBehindError;
  #lostBecause: string | null = null;
  /** To be destroyed as soon as everything is answered. */
  #isLeaving = false;
  #quiet: (() => void) | null = null;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#make = commandMaker(parts.driver);
    this.#problem = cacheDown(parts.place.shown, "it has not answered yet");
    this.redis = new parts.driver.Redis(driverOptions(parts));
    this.redis.on("error", (error: unknown) => this.#failed(error));
    this.redis.on("connect", () => this.#connected());
    this.redis.on("ready", () => void this.#greet());
    this.redis.on("close", () => this.#closed());
  }

  /** Whether commands can be sent. */
  get isUp(): boolean {
    return this.#isUp === true;
  }

  /** Why there is no connection: CACHE_DOWN, or CONFIG where it is refused for what the URL says. */
  get problem(): WriteBehindError {
    return this.#problem;
  }

  /** Sends a command. Rejects NotSent where it could not, UNKNOWN where its answer is lost, else what Redis says. */
  send(name: string, wire: string): Promise<RedisReply> {
    const command = this.#make(name, wire);
    if (this.#unanswered++ === 0) this.#heardAt = this.#parts.clock.monotonic();
    if (this.redis.status === "ready") this.#gather(wire.length);
    this.redis.sendCommand(command);
    return (command.promise as Promise<RedisReply>).then(
      (reply) => {
        this.#answered();
        return reply;
      },
      (error: unknown) => {
        this.#answered();
        throw this.#failureOf(command, error);
      },
    );
  }

  /** Waits for what is under way, and ends. */
  async close(): Promise<void> {
    if (this.#unanswered > 0) await new Promise<void>((resolve) => (this.#quiet = resolve));
    this.#watch?.cancel();
    const isOpen = ["connecting", "connect", "ready"].includes(this.redis.status);
    const ended = isOpen && new Promise<void>((resolve) => this.redis.once("end", () => resolve()));
    this.redis.disconnect();
    await ended;
  }

  /** What is sent in one turn of the event loop travels in few writes: each costs a call of the system. */
  #gather(bytes: number): void {
    const { stream } = this.redis;
    if (this.#gathering !== stream) {
      this.#gathering = stream;
      this.#gatheredBytes = 0;
      stream.cork();
      this.#parts.clock.soon(() => {
        stream.uncork();
        if (this.#gathering === stream) this.#gathering = null;
      });
    }
    if (this.#gatheredBytes > gatheredBytesMax) {
      stream.uncork();
      stream.cork();
      this.#gatheredBytes = 0;
    }
    this.#gatheredBytes += bytes;
  }

  #answered(): void {
    this.#heardAt = this.#parts.clock.monotonic();
    if (--this.#unanswered > 0) return;
    this.#quiet?.();
    if (this.#isLeaving) this.redis.stream.destroy();
  }

  #failureOf(command: Sent, error: unknown): Error {
    const { shown } = this.#parts.place;
    if (!isReply(error)) {
      return command.isWritten ? answerLost(command.name, shown, this.#lostBecause ?? brokenOff) : new NotSent();
    }
    const failure = errorOfReply(error.message, shown);
    if (wordOfReply(error.message) === "READONLY") this.#leave(failure as WriteBehindError);
    return failure;
  }

  /** After a failover the same name leads to another server, but only a new connection looks it up. */
  #leave(problem: WriteBehindError): void {
    this.#isLeaving = true;
    this.#down(problem);
    if (this.#unanswered === 0) this.redis.stream.destroy();
  }

  #connected(): void {
    this.#isGreeting = true;
    this.#isLeaving = false;
    this.#lostBecause = null;
    this.#heardAt = this.#parts.clock.monotonic();
    this.#watchFor(this.#parts.answerMs);
  }

  /** Up is who answers: a server that loads its data lets clients in long before. */
  async #greet(): Promise<void> {
    const epoch = this.#epoch;
    this.#isGreeting = false;
    try {
      await this.send("PING", wireOf("PING"));
    } catch (error) {
      const failure = error as Error;
      const isLost = failure instanceof NotSent || ("code" in failure && failure.code === "UNKNOWN");
      if (epoch !== this.#epoch || isLost) return;
      // Who may do nothing but run our scripts is let in all the same.
      if (!failure.message.includes("NOPERM ")) {
        this.#down(this.#problemOf(failure));
        this.#parts.clock.after(loadingMs, () => epoch === this.#epoch && void this.#greet());
        return;
      }
    }
    if (epoch !== this.#epoch || this.#isUp === true) return;
    this.#isUp = true;
    this.#parts.onState(true, null);
  }

  #failed(error: unknown): void {
    const { shown } = this.#parts.place;
    if (isReply(error)) this.#problem = this.#problemOf(errorOfReply(error.message, shown));
    else this.#problem = cacheDown(shown, reasonOf(error));
  }

  #problemOf(error: Error): WriteBehindError {
    return error instanceof WriteBehindError ? error : cacheDown(this.#parts.place.shown, error.message);
  }

  #closed(): void {
    this.#epoch++;
    this.#isGreeting = false;
    this.#watch?.cancel();
    if (this.#isUp === true) this.#problem = cacheDown(this.#parts.place.shown, this.#lostBecause ?? brokenOff);
    this.#down(this.#problem);
  }

  #down(problem: WriteBehindError): void {
    this.#problem = problem;
    if (this.#isUp === false) return;
    this.#isUp = false;
    this.#parts.onState(false, problem);
  }

  /** Promise 8: nothing hangs. And an idle connection is asked whether it lives, so that what is told is true. */
  #watchFor(ms: number): void {
    this.#watch?.cancel();
    this.#watch = this.#parts.clock.after(ms, () => {
      const { answerMs, clock } = this.#parts;
      const silentMs = clock.monotonic() - this.#heardAt;
      if (silentMs < answerMs) this.#watchFor(answerMs - silentMs);
      else if (this.#unanswered > 0 || this.#isGreeting) this.#hangUp();
      else {
        this.send("PING", wireOf("PING")).catch(() => {});
        this.#watchFor(answerMs);
      }
    });
  }

  /** Destroyed, not closed: a late answer would be taken for another command's. */
  #hangUp(): void {
    this.#lostBecause = `no answer for ${this.#parts.answerMs / 1000} s`;
    this.#problem = cacheDown(this.#parts.place.shown, this.#lostBecause);
    this.redis.stream.destroy();
  }
}

function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

function driverOptions({ place, answerMs, name }: ConnectionParts): RedisOptions {
  return {
    ...place.at,
    ...(place.tls !== null && { tls: place.tls }),
    ...(place.username !== null && { username: place.username }),
    ...(place.password !== null && { password: place.password }),
    db: place.db,
    connectionName: name,
    protocol: 2,
    disableClientInfo: true,
    // We greet ourselves: the driver's check needs the right to INFO, and writes to the console without it.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // With zero it rejects what is unanswered as soon as the connection is lost; else only some reconnects later.
    maxRetriesPerRequest: 0,
    connectTimeout: answerMs,
    disconnectTimeout: 100,
    keepAlive: 10_000,
    retryStrategy: (times) => randomInt(Math.min(pauseMsMax, 50 * 2 ** Math.min(times, 10)) + 1),
  };
}
