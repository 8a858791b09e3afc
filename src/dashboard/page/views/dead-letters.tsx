/** Dead letters: what the database refuses and why, what waits behind it, and what a person can do. */
import { counted } from "../../../amounts.js";
import { useSignal, type Signal } from "@preact/signals";
import type { DeadLetter, DeadLetterIds, DeadLetterPage, DeadLetterReport } from "../../../heart.js";
import { get, post } from "../api.js";
import { sequenceOf } from "../format.js";
import { lettersChanged } from "../live.js";
import { Change, Confirm, Key, Outcome, useDoing } from "../parts.js";
import { usePolled } from "../polled.js";

const everyMs = 3000;
const pageItems = 100;

/** What is to be given up. */
interface Asked {
  readonly ids: DeadLetterIds;
  readonly behind: boolean;
  readonly waiting: number;
}

/** The view. */
export function DeadLettersView() {
  const doing = useDoing();
  const asked = useSignal<Asked | null>(null);
  const again = useSignal(0);
  const pages = useSignal(1);
  const about = `${lettersChanged.value}-${again.value}-${pages.value}`;
  const query = { limit: String(Math.min(1000, pages.value * pageItems)), cut: "1000" };
  const { value, error } = usePolled(() => get<DeadLetterPage>("/api/dead-letters", query), everyMs, about).value;
  const act = (verb: "retry" | "discard", body: object): void =>
    doing.run(async () => {
      const report = await post<DeadLetterReport>(`/api/dead-letters/${verb}`, body);
      again.value += 1;
      return reportText(report);
    });
  const retry = (ids: DeadLetterIds): void => act("retry", { ids });
  const discard = ({ ids, behind }: Asked): void => act("discard", { ids, behind });
  return (
    <>
      <Outcome doing={doing} />
      {error !== null && <p class="error">{error}</p>}
      {value !== null && (
        <Letters page={value} busy={doing.busy} onRetry={retry} onDiscard={(what) => (asked.value = what)} />
      )}
      {value !== null && value.next !== null && (
        <button type="button" onClick={() => (pages.value += 1)} disabled={pages.value >= 10}>
          Show more
        </button>
      )}
      <GiveUp asked={asked} onYes={discard} />
    </>
  );
}

interface LettersProps {
  readonly page: DeadLetterPage;
  readonly busy: boolean;
  readonly onRetry: (ids: DeadLetterIds) => void;
  readonly onDiscard: (asked: Asked) => void;
}

function Letters({ page, busy, onRetry, onDiscard }: LettersProps) {
  if (page.items.length === 0) return <p class="sheet empty">There are none: the database has refused nothing.</p>;
  return (
    <>
      <div class="row">
        <button type="button" class="main" disabled={busy} onClick={() => onRetry("all")}>
          Retry all
        </button>
        <span class="soft">
          Letters that a transaction has joined are one group: they are retried or discarded together.
        </span>
      </div>
      {page.items.map((letter) => (
        <Letter
          key={letter.id}
          letter={letter}
          busy={busy}
          onRetry={() => onRetry([letter.id])}
          onDiscard={(behind) => onDiscard({ ids: [letter.id], behind, waiting: letter.waitingBehind })}
        />
      ))}
    </>
  );
}

/** The question before something is given up. */
function GiveUp({ asked, onYes }: { readonly asked: Signal<Asked | null>; readonly onYes: (asked: Asked) => void }) {
  const { behind, waiting } = asked.value ?? { behind: false, waiting: 0 };
  const yes = (): void => {
    const what = asked.value;
    asked.value = null;
    if (what !== null) onYes(what);
  };
  return (
    <Confirm open={asked.value !== null} yes="Give it up" onYes={yes} onNo={() => (asked.value = null)}>
      <h2>Give up this change?</h2>
      <p>It is deleted, and the database will never have it. The other letters of its group go with it.</p>
      {waiting > 0 && (
        <p>
          The {counted(waiting, "change")} behind it are {behind ? "given up, too" : "written"}.
        </p>
      )}
    </Confirm>
  );
}

function reportText({ items }: DeadLetterReport): string {
  const stored = items.filter(({ became }) => became === "stored").length;
  const refused = items.filter(({ became }) => became === "refused");
  const discarded = items.length - stored - refused.length;
  const parts = [
    stored > 0 ? `${counted(stored, "letter")} stored` : "",
    discarded > 0 ? `${counted(discarded, "letter")} given up` : "",
    refused.length > 0 ? `${counted(refused.length, "letter")} refused again: ${refused[0]?.reason ?? "unknown"}` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "There was nothing to do." : `${parts.join("; ")}.`;
}

interface LetterProps {
  readonly letter: DeadLetter;
  readonly busy: boolean;
  readonly onRetry: () => void;
  readonly onDiscard: (behind: boolean) => void;
}

function Letter({ letter, busy, onRetry, onDiscard }: LetterProps) {
  const { id, group, position, changes, reason, refusedAt, tries, behind, waitingBehind } = letter;
  return (
    <article class="sheet stack" aria-label={`Dead letter ${id}`}>
      <div class="row apart">
        <h2>Dead letter {id}</h2>
        <span class="soft">
          position {sequenceOf(position)}, refused first {new Date(refusedAt).toLocaleString()}, tried{" "}
          {counted(tries, "time")}
          {group !== id && `, of the group of ${group}`}
        </span>
      </div>
      <p class="error">{reason}</p>
      <ul class="stack">
        {changes.map((change, index) => (
          <li key={index} class="row">
            <Key bytes={change.key} />
            <Change change={change} />
          </li>
        ))}
      </ul>
      {behind.length > 0 && (
        <details>
          <summary>
            {counted(waitingBehind, "change")} waiting behind the group, {counted(behind.length, "record")} of this
            letter
          </summary>
          <ul class="stack">
            {behind.map((change, index) => (
              <li key={index} class="row">
                <Key bytes={change.key} />
                <Change change={change} />
                <span class="soft">of {counted(change.frames, "write")}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      <div class="row">
        <button type="button" class="main" disabled={busy} onClick={onRetry}>
          Retry
        </button>
        <button type="button" class="danger" disabled={busy} onClick={() => onDiscard(false)}>
          Discard …
        </button>
        {waitingBehind > 0 && (
          <button type="button" class="danger" disabled={busy} onClick={() => onDiscard(true)}>
            Discard with what waits behind …
          </button>
        )}
      </div>
    </article>
  );
}
