/**
 * What the server says of itself, once a second: the stream of its status, and the last 15 minutes of it. It connects
 * again by itself, for as long as the page is open.
 */
import { batch, effect, signal } from "@preact/signals";
import type { Status } from "../../heart.js";
import type { History, Sample } from "../watch.js";
import { get, request, token, tokenWanted } from "./api.js";
import { EventReader } from "./event-reader.js";

const samplesMax = 900;
const retryMs = 1000;
/** A stream that says nothing for so long is dead, whatever the network thinks. */
const silentMs = 6000;

/** The last status; null before the first one. */
export const status = signal<Status | null>(null);

/** Samples of the last 15 minutes, oldest first. */
export const samples = signal<readonly Sample[]>([]);

/** Whether the numbers are of now. `lostAt`: when they were last. */
export const link = signal<{ readonly live: boolean; readonly lostAt: number | null }>({ live: false, lostAt: null });

/** Grows whenever something happened that lists of dead letters show. */
export const lettersChanged = signal(0);

/** Begins to listen; goes on for ever. */
export function listen(): void {
  // With another token it is tried again at once.
  let stop = new AbortController();
  effect(() => {
    void token.value;
    stop.abort();
    stop = new AbortController();
    void follow(stop.signal);
  });
}

async function follow(ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    try {
      await listenOnce(ended);
    } catch {
      // Whatever it was: it is tried again, and the page says that its numbers are old.
    }
    if (ended.aborted) return;
    if (link.peek().live) link.value = { live: false, lostAt: Date.now() };
    if (tokenWanted.peek()) return;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

async function listenOnce(ended: AbortSignal): Promise<void> {
  const abort = new AbortController();
  const end = (): void => abort.abort();
  ended.addEventListener("abort", end);
  let timer = setTimeout(end, silentMs);
  try {
    const response = await request("/api/events?only=status,deadLetter,deadLetterEnded", { signal: abort.signal });
    if (!response.ok || response.body === null) return;
    samples.value = samplesOf(await get<History>("/api/history"));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(end, silentMs);
      for (const { name, data } of events.take(value)) {
        if (name === "status") saw(JSON.parse(data) as { sample: Sample; status: Status });
        else lettersChanged.value += 1;
      }
    }
  } finally {
    clearTimeout(timer);
    ended.removeEventListener("abort", end);
    abort.abort();
  }
}

function saw(seen: { readonly sample: Sample; readonly status: Status }): void {
  batch(() => {
    const last = samples.value.at(-1);
    if (last === undefined || seen.sample.at > last.at)
      samples.value = [...samples.value.slice(1 - samplesMax), seen.sample];
    status.value = seen.status;
    if (!link.value.live) link.value = { live: true, lostAt: null };
  });
}

function samplesOf(history: History): Sample[] {
  const names = Object.keys(history) as (keyof Sample)[];
  return history.at.map(
    (_, index) => Object.fromEntries(names.map((name) => [name, history[name][index]])) as unknown as Sample,
  );
}
