/** Record: one record in cache, queue and database side by side, and its recent journey. */
import { counted, duration } from "../../../amounts.js";
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { JsonBytes } from "../../../bytes.js";
import type { Inspection } from "../../../heart.js";
import type { JourneyStep } from "../../journey.js";
import { get, keyQuery } from "../api.js";
import { clockTime, sequenceOf } from "../format.js";
import { Bytes, Change, Value } from "../parts.js";
import { usePolled } from "../polled.js";
import { go, place } from "../router.js";

const everyMs = 2000;
const cutAt = "20000";

/** The view. */
export function RecordView() {
  const key = keyOf(place.value.query);
  return (
    <>
      <KeyForm asked={key} />
      {key === null ? (
        <p class="sheet empty">
          Type a key to see its record in the cache, in the queue and in the database, as they are now.
        </p>
      ) : (
        <Seen key={JSON.stringify(key)} asked={key} />
      )}
    </>
  );
}

function keyOf(query: URLSearchParams): JsonBytes | null {
  const [text, base64] = [query.get("key"), query.get("base64")];
  return base64 !== null ? { base64 } : text;
}

function KeyForm({ asked }: { readonly asked: JsonBytes | null }) {
  const typed = useSignal(asked === null ? "" : typeof asked === "string" ? asked : asked.base64);
  const isBase64 = useSignal(asked !== null && typeof asked !== "string");
  const field = useRef<HTMLInputElement>(null);
  // Before the next key is pressed, not after the next picture is drawn.
  useLayoutEffect(() => field.current?.focus(), []);
  const look = (event: Event): void => {
    event.preventDefault();
    if (typed.value !== "") go("record", isBase64.value ? { base64: typed.value } : { key: typed.value });
  };
  return (
    <form class="sheet row" onSubmit={look}>
      <label class="row" for="key">
        Key
      </label>
      <input
        id="key"
        ref={field}
        type="text"
        class="mono"
        size={40}
        value={typed.value}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => (typed.value = event.currentTarget.value)}
      />
      <label class="row">
        <input
          type="checkbox"
          checked={isBase64.value}
          onChange={(event) => (isBase64.value = event.currentTarget.checked)}
        />
        base64
      </label>
      <button type="submit" class="main">
        Look
      </button>
    </form>
  );
}

function Seen({ asked }: { readonly asked: JsonBytes }) {
  const name = JSON.stringify(asked);
  const query = { ...keyQuery(asked), cut: cutAt };
  const record = usePolled(() => get<Inspection>("/api/record", query), everyMs, name).value;
  const journey = usePolled(
    () => get<{ readonly items: readonly JourneyStep[] }>("/api/journey", query),
    everyMs,
    name,
  ).value;
  return (
    <>
      {record.error !== null && <p class="error">{record.error}</p>}
      {record.value !== null && <Sides seen={record.value} />}
      {journey.value !== null && <Journey steps={journey.value.items} />}
    </>
  );
}

function Sides({ seen }: { readonly seen: Inspection }) {
  const { record, field, route, cache, queue, database, deadLetters } = seen;
  return (
    <>
      <section class="sheet row" aria-label="Where the key leads">
        <span>
          Record <Bytes bytes={record} />
        </span>
        {field !== null && (
          <span>
            field <Bytes bytes={field} />
          </span>
        )}
        {route !== null && <span>route {route}</span>}
        {deadLetters.length > 0 && (
          <a class="pill bad" href="#/letters">
            the database refuses it: dead letter {deadLetters.join(", ")}
          </a>
        )}
      </section>
      <div class="sides">
        <h2 class="hidden">Where it is now</h2>
        <section class="sheet stack side tone-cache">
          <h3>In the cache</h3>
          {cache.state === "present" ? (
            <Value value={cache.value} />
          ) : (
            <p class="soft">
              {cache.state === "absent" ? "Known not to exist." : "Not in memory: the next read loads it."}
            </p>
          )}
        </section>
        <section class="sheet stack side tone-queue">
          <h3>In the queue</h3>
          {queue.length === 0 && <p class="soft">Nothing: the database has all of it.</p>}
          {queue.slice(-shownMax).map((change, index) => (
            <div key={`${change.position}-${index}`}>
              <p class="soft small">
                position {sequenceOf(change.position)}, {clockTime(change.acceptedAt)}
              </p>
              <Change change={change} />
            </div>
          ))}
          {queue.length > shownMax && <p class="soft">and {queue.length - shownMax} older ones</p>}
        </section>
        <section class="sheet stack side tone-store">
          <h3>In the database</h3>
          {database.error === null ? (
            <Value value={database.value} />
          ) : (
            <p class="error">It cannot be asked: {database.error}</p>
          )}
        </section>
      </div>
    </>
  );
}

const shownMax = 10;

function Journey({ steps }: { readonly steps: readonly JourneyStep[] }) {
  return (
    <section class="sheet stack">
      <h2>Its recent journey</h2>
      {steps.length === 0 ? (
        <p class="soft">The log holds no change of it any more: what was stored long ago is let go of.</p>
      ) : (
        <ol class="journey">
          {steps
            .toReversed()
            .slice(0, 30)
            .map((step) => (
              <li key={step.position} class={step.state}>
                <p class="small soft">
                  accepted and queued {clockTime(step.acceptedAt)}, position {sequenceOf(step.position)}
                </p>
                <Change change={step} />
                <p class="small">{endOf(step)}</p>
              </li>
            ))}
        </ol>
      )}
    </section>
  );
}

function endOf({ state, run, together, acceptedAt }: JourneyStep): string {
  if (state === "queued") return "It waits in the queue.";
  if (state === "parked") return "The database has refused it, or it waits behind a change that was refused.";
  if (run === null) return "It is in the database; which run brought it is not known any more.";
  const merged =
    together === 1 ? "" : `coalesced with ${counted(together - 1, "other change")} of the record into one row, `;
  return `${merged}committed ${clockTime(run.at)}, ${duration(Math.max(0, run.at - acceptedAt))} later, with the run of ${counted(run.changes, "change")} and ${counted(run.records, "row")} (${duration(run.commitMs)}).`;
}
