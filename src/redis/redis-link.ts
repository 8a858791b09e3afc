/**
 * The link to the Redis or Valkey that holds cache and write queue: scripts, commands, messages. It says of everything
 * that was asked whether it was done, was not done, or is not known to be done, and never asks twice. What the scripts
 * mean is not its business.
 */
import { createHash } from "node:crypto";
import { bytesOfText, type Bytes } from "../bytes.js";
import { WriteBehindError } from "../errors.js";
import type { Clock } from "../host/host.js";
import { NotSent, RedisConnection, type ConnectionParts } from "./redis-connection.js";
import { importDriver, wireOf, type RedisArgument, type RedisReply } from "./redis-driver.js";
import { RedisSubscriber } from "./redis-subscriber.js";
import { placeOf } from "./redis-url.js";

/** A Lua script: run by its SHA-1; its text is sent only where the server does not have it. */
export interface Script {
  readonly name: string;
  readonly text: string;
}

export type { RedisArgument, RedisReply };

/** The link. A command that blocks for longer than 10 s is taken for lost. */
export interface RedisLink {
  /** Runs a script. Rejects CACHE_DOWN (not done), UNKNOWN (not known whether it was done), or with what Redis says. */
  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply>;
  /** Any one command, by its name without a subcommand. Rejects as `run`. */
  command(name: string, args: readonly RedisArgument[]): Promise<RedisReply>;
  /**
   * Messages of these channels until the returned function is called. `again` is called after each reconnect: messages
   * may have been missed. Has a connection of its own, made on first use. Rejects CACHE_DOWN, or with what Redis says.
   */
  subscribe(
    channels: readonly string[],
    message: (channel: string, text: Bytes) => void,
    again?: () => void,
  ): Promise<() => void>;
  readonly isUp: boolean;
  /** Calls at each change, until the returned function is called. */
  onState(call: (state: "up" | "down", error: Error | null) => void): () => void;
  /** Rejects what waits (CLOSED), waits for the answers to what was sent, and ends. */
  close(): Promise<void>;
}

/** What a link needs. */
export interface LinkParts {
  readonly clock: Clock;
  /** How long a command waits for a connection, in milliseconds. */
  readonly waitMs: number;
  /** As CLIENT LIST shows it. */
  readonly name?: string;
  /** How long a server that is connected to may say nothing while an answer is due, in milliseconds. */
  readonly answerMs?: number;
}

const answerMsDefault = 10_000;

/**
 * Links to a Redis. Waits for the first try to connect, up to `waitMs`; where that fails the link is down and tries for
 * ever. Throws CONFIG for a bad URL and where the Redis refuses user or password, DRIVER_MISSING without ioredis.
 */
export async function openLink(url: string, parts: LinkParts): Promise<RedisLink> {
  const { name = "write-behind", answerMs = answerMsDefault, clock, waitMs } = parts;
  const place = placeOf(url);
  const driver = await importDriver();
  const link = new Link({ driver, place, clock, answerMs, name }, waitMs);
  await link.tried();
  const { problem } = link;
  if (problem?.code !== "CONFIG") return link;
  await link.close();
  throw problem;
}

/** Somebody who waits for a connection. */
interface Waiter {
  go(): void;
  stop(error: Error): void;
}

class Link implements RedisLink {
  readonly #parts: Omit<ConnectionParts, "onState">;
  readonly #waitMs: number;
  readonly #connection: RedisConnection;
  readonly #shas = new WeakMap<Script, string>();
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<(state: "up" | "down", error: Error | null) => void>();
  #hasTried: (() => void) | null = null;
  #subscriber: RedisSubscriber | null = null;
  #closing: Promise<void> | null = null;

  constructor(parts: Omit<ConnectionParts, "onState">, waitMs: number) {
    this.#parts = parts;
    this.#waitMs = waitMs;
    this.#connection = new RedisConnection({ ...parts, onState: (isUp, error) => this.#changed(isUp, error) });
  }

  get isUp(): boolean {
    return this.#connection.isUp;
  }

  /** Why there is no connection. */
  get problem(): WriteBehindError | null {
    return this.isUp ? null : this.#connection.problem;
  }

  /** Waits for the first try. */
  tried(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(this.#waitMs, resolve, true);
      this.#hasTried = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#ask("EVALSHA", wireOf("EVALSHA", [this.#shaOf(script), keys.length], keys, args)).catch(
      (error: unknown) => {
        // It means that nothing was run, so sending it once more does nothing twice.
        if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
        return this.#ask("EVAL", wireOf("EVAL", [bytesOfText(script.text), keys.length], keys, args));
      },
    );
  }

  command(name: string, args: readonly RedisArgument[]): Promise<RedisReply> {
    // In lower case the driver would know it, and make of the replies of some what it likes.
    const upper = name.toUpperCase();
    return this.#ask(upper, wireOf(upper, args));
  }

  subscribe(
    channels: readonly string[],
    message: (channel: string, text: Bytes) => void,
    again?: () => void,
  ): Promise<() => void> {
    if (this.#closing !== null) return Promise.reject(this.#isClosed());
    this.#subscriber ??= new RedisSubscriber(this.#parts, this.#waitMs);
    return this.#subscriber.subscribe(channels, message, again ?? null);
  }

  onState(call: (state: "up" | "down", error: Error | null) => void): () => void {
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    for (const waiter of this.#waiters) waiter.stop(this.#isClosed());
    this.#waiters.clear();
    await Promise.all([this.#connection.close(), this.#subscriber?.close()]);
  }

  #shaOf(script: Script): string {
    let sha = this.#shas.get(script);
    if (sha === undefined) {
      sha = createHash("sha1").update(script.text).digest("hex");
      this.#shas.set(script, sha);
    }
    return sha;
  }

  #ask(name: string, wire: string): Promise<RedisReply> {
    if (this.#closing !== null) return Promise.reject(this.#isClosed());
    if (!this.#connection.isUp) return this.#later(name, wire);
    return this.#connection.send(name, wire).catch((error: unknown) => {
      if (error instanceof NotSent) return this.#later(name, wire);
      throw error;
    });
  }

  #later(name: string, wire: string): Promise<RedisReply> {
    if (this.#closing !== null) return Promise.reject(this.#isClosed());
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel();
        this.#waiters.delete(waiter);
      };
      const waiter = {
        go: () => {
          end();
          resolve(this.#ask(name, wire));
        },
        stop: (error: Error) => {
          end();
          reject(error);
        },
      };
      const timer = this.#parts.clock.after(this.#waitMs, () => waiter.stop(this.#connection.problem), true);
      this.#waiters.add(waiter);
    });
  }

  #changed(isUp: boolean, error: Error | null): void {
    this.#hasTried?.();
    if (isUp) for (const waiter of this.#waiters) waiter.go();
    for (const call of this.#listeners) call(isUp ? "up" : "down", error);
  }

  #isClosed(): WriteBehindError {
    return new WriteBehindError("CLOSED", `the link to the Redis at ${this.#parts.place.shown} is closed`);
  }
}
