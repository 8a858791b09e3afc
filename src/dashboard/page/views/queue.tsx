/** Queue: what is pending, by change or by record, and the writer's verbs. */
import { count, counted, duration, size } from "../../../amounts.js";
import { useSignal } from "@preact/signals";
import type { JsonChange, QueuePage, Status, StepReport } from "../../../heart.js";
import { get, post } from "../api.js";
import { sequenceOf } from "../format.js";
import { samples } from "../live.js";
import { Change, Key, Outcome, useDoing } from "../parts.js";
import { usePolled } from "../polled.js";

const pageItems = 100;
const everyMs = 2000;
const cutAt = "1000";

/** The view. */
export function QueueView({ status }: { readonly status: Status }) {
  const byRecord = useSignal(false);
  const pages = useSignal(1);
  const again = useSignal(0);
  const polled = usePolled(() => firstOf(pages.value), everyMs, `${pages.value}-${again.value}`);
  const { value, error } = polled.value;
  const { queue } = status;
  return (
    <>
      <Verbs status={status} onDone={() => (again.value += 1)} />
      <section class="sheet stack">
        <div class="row apart">
          <h2>
            {queue.pendingChanges === 0
              ? "Nothing is pending"
              : `${counted(queue.pendingChanges, "change")} of ${counted(queue.pendingRecords, "record")} pending`}
          </h2>
          <span class="soft number">
            {size(queue.pendingBytes)}
            {queue.pendingChanges > 0 && `, the oldest for ${duration(queue.oldestAgeMs)}`}
          </span>
          <label class="row">
            <input
              type="checkbox"
              checked={byRecord.value}
              onChange={(event) => (byRecord.value = event.currentTarget.checked)}
            />
            by record
          </label>
        </div>
        {error !== null && <p class="error">{error}</p>}
        {value !== null && value.items.length === 0 && (
          <p class="empty">
            The queue is empty: the database has everything{status.deadLetters.count > 0 ? " but its dead letters" : ""}
            .
          </p>
        )}
        {value !== null &&
          value.items.length > 0 &&
          (byRecord.value ? (
            <ByRecord items={value.items} at={value.at} />
          ) : (
            <ByChange items={value.items} at={value.at} />
          ))}
        {value !== null && value.next !== null && (
          <div class="row">
            <button type="button" onClick={() => (pages.value += 1)} disabled={pages.value >= pagesMax}>
              Show more
            </button>
            <span class="soft">
              the oldest {count(value.items.length)} of {count(queue.pendingChanges)}
              {pages.value >= pagesMax && "; write-behind status and /api/queue have the rest"}
            </span>
          </div>
        )}
      </section>
    </>
  );
}

const pagesMax = 10;

/** What is pending, and the server's clock when it was asked: ages are of that moment. */
interface Looked extends QueuePage {
  readonly at: number;
}

/** The oldest pages, as one. */
async function firstOf(pages: number): Promise<Looked> {
  const page = await get<QueuePage>("/api/queue", { limit: String(pages * pageItems), cut: cutAt });
  return { ...page, at: samples.peek().at(-1)?.at ?? Date.now() };
}

function Verbs({ status, onDone }: { readonly status: Status; readonly onDone: () => void }) {
  const doing = useDoing();
  const run = (work: () => Promise<string>): void => doing.run(() => work().finally(onDone));
  const paused = status.state === "paused";
  return (
    <section class="sheet stack" aria-label="The writer">
      <div class="row">
        {paused ? (
          <button
            type="button"
            class="main"
            disabled={doing.busy}
            onClick={() => run(() => post("/api/resume").then(() => "The writer goes on."))}
          >
            Resume
          </button>
        ) : (
          <button
            type="button"
            disabled={doing.busy}
            onClick={() =>
              run(() => post("/api/pause").then(() => "The writer stands still; clients are served as before."))
            }
          >
            Pause
          </button>
        )}
        <button type="button" disabled={doing.busy} onClick={() => run(step)}>
          Step one run
        </button>
        <button type="button" disabled={doing.busy || paused} onClick={() => run(flush)}>
          Flush
        </button>
        <span class="soft">
          {paused
            ? "Paused. Step writes one run; resume lets it go on."
            : "Pause keeps changes in the queue; flush waits until what is pending now is in the database."}
        </span>
      </div>
      <Outcome doing={doing} />
    </section>
  );
}

async function step(): Promise<string> {
  const { batch } = await post<StepReport>("/api/step");
  if (batch === null) return "There was nothing to write.";
  return `${counted(batch.changes, "change")} became ${counted(batch.records, "row")}, committed in ${duration(batch.commitMs)}.`;
}

async function flush(): Promise<string> {
  const { parked } = await post<{ readonly parked: readonly string[] }>("/api/flush");
  return parked.length === 0
    ? "Everything that was pending is in the database."
    : `Everything is in the database but ${counted(parked.length, "dead letter")}.`;
}

function ageOf(acceptedAt: number, at: number): string {
  return duration(Math.max(0, at - acceptedAt));
}

interface ItemsProps {
  readonly items: readonly JsonChange[];
  readonly at: number;
}

function ByChange({ items, at }: ItemsProps) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Pending changes">
      <table>
        <caption>Pending changes, oldest first</caption>
        <thead>
          <tr>
            <th scope="col" class="right">
              Position
            </th>
            <th scope="col" class="right">
              Age
            </th>
            <th scope="col">Record</th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item, index) => (
            <tr key={`${item.position}-${index}`}>
              <td class="right">{sequenceOf(item.position)}</td>
              <td class="right">{ageOf(item.acceptedAt, at)}</td>
              <td class="value">
                <Key bytes={item.key} />
              </td>
              <td class="value">
                <Change change={item} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ByRecord({ items, at }: ItemsProps) {
  const groups = new Map<string, JsonChange[]>();
  for (const item of items) {
    const name = JSON.stringify(item.key);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Pending records">
      <table>
        <caption>
          Records of the changes shown, those that wait longest first; the changes of one record become one row of a
          batch
        </caption>
        <thead>
          <tr>
            <th scope="col">Record</th>
            <th scope="col" class="right">
              Changes
            </th>
            <th scope="col" class="right">
              Oldest
            </th>
            <th scope="col" class="right">
              Newest
            </th>
            <th scope="col">Newest change</th>
          </tr>
        </thead>
        <tbody>
          {[...groups].map(([name, group]) => {
            const [oldest, newest] = [group[0] as JsonChange, group.at(-1) as JsonChange];
            return (
              <tr key={name}>
                <td class="value">
                  <Key bytes={oldest.key} />
                </td>
                <td class="right">{count(group.length)}</td>
                <td class="right">{ageOf(oldest.acceptedAt, at)}</td>
                <td class="right">{ageOf(newest.acceptedAt, at)}</td>
                <td class="value">
                  <Change change={newest} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
