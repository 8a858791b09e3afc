/**
 * The heart's events as server-sent events. `accepted` comes once per write, so it is summed up; a reader that does
 * not keep up is cut off (browsers connect again by themselves), so that it costs no memory.
 */
import type { EventName } from "../events.js";
import type { Heart } from "../heart.js";
import type { Clock, Timer } from "../host/host.js";

const acceptedEveryMs = 100;
const aliveEveryMs = 15_000;
const waitingMax = 1000;
const direct = [
  "batch",
  "retry",
  "storeDown",
  "storeUp",
  "deadLetter",
  "deadLetterEnded",
  "full",
  "stalled",
  "warning",
  "drained",
] as const satisfies readonly EventName[];

/** One stream. `end` finishes it from this side; `ended` is called once, however it ends. */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  end(): void;
}

/** Begins a stream of events. */
export function streamEvents(heart: Heart, clock: Clock, ended: (stream: EventStream) => void): EventStream {
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  const offs: (() => void)[] = [];
  const timers: { accepted: Timer | null; alive: Timer | null } = { accepted: null, alive: null };
  let sum = { sequence: 0, changes: 0 };
  const encoder = new TextEncoder();

  const release = (): void => {
    controller = null;
    timers.accepted?.cancel();
    timers.alive?.cancel();
    for (const off of offs.splice(0)) off();
    ended(stream);
  };
  const end = (): void => {
    if (controller === null) return;
    const open = controller;
    release();
    open.close();
  };
  const send = (text: string): void => {
    if (controller === null) return;
    if ((controller.desiredSize ?? 0) < -waitingMax) end();
    else controller.enqueue(encoder.encode(text));
  };
  const sendEvent = (name: string, event: unknown): void => send(`event: ${name}\ndata: ${JSON.stringify(event)}\n\n`);
  const flushAccepted = (): void => {
    timers.accepted = null;
    sendEvent("accepted", sum);
    sum = { sequence: 0, changes: 0 };
  };
  const alive = (): void => {
    send(": alive\n\n");
    timers.alive = clock.after(aliveEveryMs, alive);
  };

  const body = new ReadableStream<Uint8Array>({
    start: (opened) => {
      controller = opened;
      for (const name of direct) offs.push(heart.events.on(name, (event) => sendEvent(name, event)));
      offs.push(
        heart.events.on("accepted", ({ sequence, changes }) => {
          sum = { sequence, changes: sum.changes + changes };
          timers.accepted ??= clock.after(acceptedEveryMs, flushAccepted);
        }),
      );
      alive();
    },
    cancel: release,
  });
  const stream: EventStream = { body, end };
  return stream;
}
