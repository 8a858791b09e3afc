/**
 * Who listens to which channels of a Redis, over a connection of its own. After each reconnect it subscribes again and
 * says so, since messages of the time between are lost: this is for hints, never for what must arrive.
 */
import { bufferOfBytes, bytesOfBuffer, type Bytes } from "../bytes.js";
import { WriteBehindError } from "../errors.js";
import { RedisConnection, type ConnectionParts } from "./redis-connection.js";
import { errorOfReply } from "./redis-errors.js";

/** A refused subscription that was in force before is tried again after this time. */
const againMs = 1000;

interface Listener {
  readonly channels: readonly string[];
  readonly message: (channel: string, text: Bytes) => void;
  readonly again: (() => void) | null;
  /** The subscription is in force, or will be again after the next reconnect. */
  isIn: boolean;
  entered(): void;
  refused(error: Error): void;
}

/** All subscriptions of a link. */
export class RedisSubscriber {
  readonly #parts: Omit<ConnectionParts, "onState">;
  readonly #waitMs: number;
  readonly #connection: RedisConnection;
  readonly #listeners = new Set<Listener>();

  constructor(parts: Omit<ConnectionParts, "onState">, waitMs: number) {
    this.#parts = parts;
    this.#waitMs = waitMs;
    const name = `${parts.name}-messages`;
    this.#connection = new RedisConnection({
      ...parts,
      name,
      onState: (isUp) => isUp && void this.#enter([...this.#listeners]),
    });
    this.#connection.redis.on("messageBuffer", (channel: Buffer, text: Buffer) => this.#deliver(channel, text));
  }

  /** Listens. Rejects CACHE_DOWN where there is no connection in time, else with what Redis says. */
  subscribe(channels: readonly string[], message: Listener["message"], again: Listener["again"]): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        timer.cancel();
        this.#listeners.delete(listener);
        reject(error);
      };
      const listener: Listener = {
        channels,
        message,
        again,
        isIn: false,
        entered: () => {
          timer.cancel();
          listener.isIn = true;
          resolve(() => this.#leave(listener));
        },
        refused: fail,
      };
      const timer = this.#parts.clock.after(this.#waitMs, () => fail(this.#connection.problem), true);
      this.#listeners.add(listener);
      if (this.#connection.isUp) void this.#enter([listener]);
    });
  }

  async close(): Promise<void> {
    const closed = new WriteBehindError("CLOSED", `the link to the Redis at ${this.#parts.place.shown} is closed`);
    for (const listener of this.#listeners) if (!listener.isIn) listener.refused(closed);
    this.#listeners.clear();
    await this.#connection.close();
  }

  /** Where the connection is lost on the way, the next one does it again for all. */
  async #enter(listeners: readonly Listener[]): Promise<void> {
    const channels = [...new Set(listeners.flatMap((each) => each.channels))];
    if (channels.length === 0) return;
    try {
      await this.#connection.redis.subscribe(...channels.map((each) => bufferOfBytes(each as Bytes)));
    } catch (error) {
      if (error instanceof Error && error.name === "ReplyError") this.#refuse(listeners, error.message);
      return;
    }
    for (const listener of listeners) {
      if (!this.#listeners.has(listener)) continue;
      if (listener.isIn) listener.again?.();
      else listener.entered();
    }
  }

  #refuse(listeners: readonly Listener[], text: string): void {
    for (const listener of listeners) {
      if (!listener.isIn) listener.refused(errorOfReply(text, this.#parts.place.shown));
    }
    const old = listeners.filter((each) => each.isIn);
    this.#parts.clock.after(againMs, () => void this.#enter(old.filter((each) => this.#listeners.has(each))));
  }

  #leave(listener: Listener): void {
    if (!this.#listeners.delete(listener)) return;
    const kept = new Set([...this.#listeners].flatMap((each) => each.channels));
    const gone = listener.channels.filter((each) => !kept.has(each));
    if (gone.length === 0 || !this.#connection.isUp) return;
    this.#connection.redis.unsubscribe(...gone.map((each) => bufferOfBytes(each as Bytes))).catch(() => {});
  }

  #deliver(channel: Buffer, text: Buffer): void {
    const name = bytesOfBuffer(channel);
    const bytes = bytesOfBuffer(text);
    for (const listener of this.#listeners) {
      if (listener.channels.includes(name)) listener.message(name, bytes);
    }
  }
}
