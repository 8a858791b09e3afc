/**
 * The replies of one connection on their way out, in order. A reply that shows what is not yet as durable as was asked
 * waits here until it is (promises 1 and 2). Replies made in one turn travel as one write. It does not decide what is
 * answered, and does not know commands.
 */
import type { WriteBehindError } from "../errors.js";
import type { Heart } from "../heart.js";
import type { Connection } from "../host/sockets.js";

/** Replies are joined up to this size: a string of V8 ends at 512 MB, and one reply alone may come near. */
const joinedBytesMax = 1024 * 1024;

/** Replies that may go when `kept` has reached `sequence`. */
interface Group {
  text: string;
  sequence: number;
}

/** Told about what happens to the replies. */
export interface OutputEvents {
  /** Some of the replies that waited have been sent. */
  released(): void;
  /** The replies that wait will never be true. */
  failed(error: WriteBehindError): void;
  /** So many bytes were handed to the network. */
  sent(bytes: number): void;
}

/** Ordered replies with a gate. */
export class Output {
  readonly #heart: Heart;
  readonly #connection: Connection;
  readonly #events: OutputEvents;
  #text = "";
  #sequence = 0;
  #groups: Group[] = [];
  #waitingBytes = 0;

  constructor(heart: Heart, connection: Connection, events: OutputEvents) {
    this.#heart = heart;
    this.#connection = connection;
    this.#events = events;
  }

  /** Adds a reply that shows records up to this sequence. */
  add(text: string, sequence: number): void {
    if (this.#text.length + text.length > joinedBytesMax) this.flush();
    this.#text += text;
    if (sequence > this.#sequence) this.#sequence = sequence;
  }

  /** The replies of this turn are complete: they go, or wait for what they show to be kept. */
  flush(): void {
    if (this.#text === "") return;
    const group = { text: this.#text, sequence: this.#sequence };
    this.#text = "";
    this.#sequence = 0;
    if (this.#groups.length === 0 && group.sequence <= this.#heart.kept) return this.#send(group.text);
    this.#groups.push(group);
    this.#waitingBytes += group.text.length;
    if (this.#groups.length === 1) this.#heart.whenKept(group.sequence, this.#reached);
  }

  /** Whether every reply has been handed to the network. */
  get isEmpty(): boolean {
    return this.#text === "" && this.#groups.length === 0;
  }

  /** Bytes of replies that have not left this machine. */
  get unsent(): number {
    return this.#text.length + this.#waitingBytes + this.#connection.unsent;
  }

  /** Forgets everything: the client is gone. */
  drop(): void {
    this.#text = "";
    this.#groups = [];
    this.#waitingBytes = 0;
  }

  /** One wait is open at a time, for the first group; it takes along the later ones that are kept by then. */
  readonly #reached = (error: WriteBehindError | null): void => {
    if (this.#groups.length === 0) return;
    if (error !== null) {
      this.drop();
      this.#events.failed(error);
      return;
    }
    const { kept } = this.#heart;
    let count = 0;
    let text = "";
    for (const group of this.#groups) {
      if (group.sequence > kept) break;
      if (text.length + group.text.length > joinedBytesMax) {
        this.#send(text);
        text = "";
      }
      text += group.text;
      this.#waitingBytes -= group.text.length;
      count++;
    }
    if (count === this.#groups.length) this.#groups = [];
    else this.#groups.splice(0, count);
    this.#send(text);
    const first = this.#groups[0];
    if (first !== undefined) this.#heart.whenKept(first.sequence, this.#reached);
    this.#events.released();
  };

  #send(text: string): void {
    if (text === "") return;
    this.#events.sent(text.length);
    this.#connection.write(text);
  }
}
