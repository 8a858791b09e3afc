/**
 * The writer at the far end of a channel: questions and reports go out as messages, orders come in. Interfaces only;
 * writer-thread.ts puts the concrete parts of a real thread into it.
 */
import { errorOfPlain, plainError } from "../errors.js";
import type { Channel, Clock, Random } from "../host/host.js";
import type { Waiting } from "../queue/queue.js";
import type { Store } from "../store/store.js";
import type { FromWriter, ToWriter, WriterOptions } from "./messages.js";
import { obey } from "./orders.js";
import { SideQueue, type FrameReader, type QueueSide } from "./side-queue.js";
import { Writer } from "./writer.js";

/** What the writer at this end is made of. */
export interface WriterServiceParts {
  readonly store: Store;
  readonly frames: () => Promise<FrameReader>;
  readonly logId: string;
  readonly paused: boolean;
  readonly options: WriterOptions;
  readonly clock: Clock;
  readonly random: Random;
}

/** Runs a writer at this end of the channel until it is told to stop; rejects where a fault of its own ended it. */
export async function serveWriter(channel: Channel<FromWriter, ToWriter>, parts: WriterServiceParts): Promise<void> {
  const side = new ChannelSide(channel);
  const queue = new SideQueue(parts.frames, side);
  const writer = new Writer({ ...parts, queue, report: (report) => channel.post(report) });
  channel.receive((message) => {
    if (!side.answered(message)) hear(writer, channel, message);
  });
  await writer.ended;
  await queue.close();
  channel.post({ type: "stopped" });
}

/** Asks through the channel. */
class ChannelSide implements QueueSide {
  readonly #channel: Channel<FromWriter, ToWriter>;
  #ask: { readonly sequence: number; readonly answer: (waiting: Waiting) => void } | null = null;
  #mark: { readonly resolve: (sequence: number) => void; readonly reject: (error: Error) => void } | null = null;

  constructor(channel: Channel<FromWriter, ToWriter>) {
    this.#channel = channel;
  }

  waiting(sequence: number, answer: (waiting: Waiting) => void): void {
    this.#ask = { sequence, answer };
    this.#channel.post({ type: "ask", sequence });
  }

  durableMark(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#mark = { resolve, reject };
      this.#channel.post({ type: "mark" });
    });
  }

  /** Takes a message that is an answer. */
  answered(message: ToWriter): boolean {
    if (message.type === "waiting") {
      if (this.#ask?.sequence === message.sequence) this.#ask.answer(message.waiting);
    } else if (message.type === "durable") this.#mark?.resolve(message.sequence);
    else if (message.type === "journalFailed") this.#mark?.reject(errorOfPlain(message.error));
    else return false;
    return true;
  }
}

function hear(writer: Writer, channel: Channel<FromWriter, ToWriter>, message: ToWriter): void {
  switch (message.type) {
    case "hurry":
      return writer.hurry(message.upTo);
    case "lookAtStore":
      return writer.lookAtStore();
    case "resume":
      return writer.resume();
    case "order":
      void obey(writer, message.order).then(
        (answer) => channel.post({ type: "done", id: message.id, answer }),
        (error: unknown) => channel.post({ type: "failed", id: message.id, error: plainError(error) }),
      );
      return undefined;
    case "stop":
      // Whoever serves the writer awaits its end.
      void writer.stop();
      return undefined;
    case "waiting":
    case "durable":
    case "journalFailed":
      throw new Error(`broken invariant: ${message.type} is no order`);
  }
}
