/**
 * The heart's events, and its status once a second, as server-sent events. `accepted` comes once per write, so it is
 * summed up; a reader that does not keep up is cut off (browsers connect again by themselves), so that it costs no
 * memory.
 */
import { WriteBehindError } from "../errors.js";
import type { EventName } from "../events.js";
import type { Heart } from "../heart.js";
import type { Clock, Timer } from "../host/host.js";
import type { Watcher } from "./watch.js";

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

/** What can be listened to. */
const names = ["status", "accepted", ...direct] as const;
type StreamedName = (typeof names)[number];

/** One stream. `end` finishes it from this side; `ended` is called once, however it ends. */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  end(): void;
}

/** What a stream is made of. `only`: the events that are wanted. */
export interface StreamParts {
  readonly heart: Heart;
  readonly clock: Clock;
  readonly watcher: Watcher;
  readonly only: ReadonlySet<StreamedName>;
  readonly ended: (stream: EventStream) => void;
}

/** The events that a list of names, with commas, asks for; all without one. Throws BAD_VALUE. */
export function namesOf(only: string | undefined): ReadonlySet<StreamedName> {
  if (only === undefined) return new Set(names);
  const asked = only.split(",").map((name) => names.find((one) => one === name) ?? name);
  const unknown = asked.find((name) => !names.includes(name as StreamedName));
  if (unknown === undefined) return new Set(asked as StreamedName[]);
  throw new WriteBehindError("BAD_VALUE", `there is no event ${JSON.stringify(unknown)}`, {
    hint: `there are: ${names.join(",")}`,
  });
}

/** Begins a stream of events. */
export function streamEvents({ heart, clock, watcher, only, ended }: StreamParts): EventStream {
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
  const sendEvent = (name: StreamedName, event: unknown): void =>
    send(`event: ${name}\ndata: ${JSON.stringify(event)}\n\n`);
  const flushAccepted = (): void => {
    timers.accepted = null;
    sendEvent("accepted", sum);
    sum = { sequence: 0, changes: 0 };
  };
  const alive = (): void => {
    send(": alive\n\n");
    timers.alive = clock.after(aliveEveryMs, alive);
  };
  const listen = (): void => {
    for (const name of direct) if (only.has(name)) offs.push(heart.events.on(name, (event) => sendEvent(name, event)));
    if (only.has("status")) offs.push(watcher.on((sample, status) => sendEvent("status", { sample, status })));
    if (!only.has("accepted")) return;
    offs.push(
      heart.events.on("accepted", ({ sequence, changes }) => {
        sum = { sequence, changes: sum.changes + changes };
        timers.accepted ??= clock.after(acceptedEveryMs, flushAccepted);
      }),
    );
  };

  const body = new ReadableStream<Uint8Array>({
    start: (opened) => {
      controller = opened;
      listen();
      alive();
    },
    cancel: release,
  });
  const stream: EventStream = { body, end };
  return stream;
}
