/** Now: is all well, the road with its numbers, what is at risk, and the last 15 minutes. */
import { count, duration, size } from "../../../amounts.js";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { Status } from "../../../heart.js";
import { post } from "../api.js";
import { Chart } from "../chart.js";
import { rate } from "../format.js";
import { samples } from "../live.js";
import { Outcome, useDoing, type Doing } from "../parts.js";
import { hitShares, perSecond, ratesOf, type Rates } from "../rates.js";
import { go } from "../router.js";
import { headlineOf, percent, riskOf, storeWords, type Press } from "../words.js";

/** The view. */
export function NowView({ status }: { readonly status: Status }) {
  const doing = useDoing();
  const rates = ratesOf(samples.value);
  // The server's clock: the page's may be another.
  const now = samples.value.at(-1)?.at ?? Date.now();
  const { mood, text, advice, press } = headlineOf(status, now);
  return (
    <>
      <section class={`headline ${mood}`} aria-label="How it goes">
        <div aria-live="polite" aria-atomic="true">
          <p>{text}</p>
          {advice !== null && <p class="advice">{advice}</p>}
        </div>
        {press.length > 0 && (
          <div class="row">
            {press.map((each) => (
              <PressButton key={each} press={each} doing={doing} />
            ))}
          </div>
        )}
      </section>
      <Outcome doing={doing} />
      <Road status={status} rates={rates} now={now} />
      <section class="sheet" aria-label="What is at risk">
        <h2>What is at risk now</h2>
        <p>{riskOf(status)}</p>
      </section>
      <Charts />
    </>
  );
}

function PressButton({ press, doing }: { readonly press: Press; readonly doing: Doing }) {
  const { busy, run } = doing;
  switch (press) {
    case "resume":
      return (
        <button
          type="button"
          class="main"
          disabled={busy}
          onClick={() => run(() => post("/api/resume").then(() => "The writer goes on."))}
        >
          Resume
        </button>
      );
    case "step":
      return (
        <button
          type="button"
          disabled={busy}
          onClick={() => run(() => post("/api/step").then(() => "One run was written."))}
        >
          Step one run
        </button>
      );
    case "letters":
      return (
        <button type="button" class="main" onClick={() => go("letters")}>
          See the dead letters
        </button>
      );
    case "queue":
      return (
        <button type="button" onClick={() => go("queue")}>
          See the queue
        </button>
      );
    case "fleet":
      return (
        <button type="button" class="main" onClick={() => go("fleet")}>
          See the fleet
        </button>
      );
  }
}

interface RoadProps {
  readonly status: Status;
  readonly rates: Rates;
  readonly now: number;
}

/** The picture: cache → queue → writer → store, each with what it does now. */
function Road({ status, rates, now }: RoadProps) {
  const { store } = status;
  const stopped = status.state === "paused" || status.state === "stalled" || store.state !== "up";
  return (
    <section class="road" aria-label="The road of a write">
      <h2 class="hidden">The road of a write</h2>
      <CacheStation status={status} rates={rates} />
      <Flow moves={rates.writesPerSecond} stuck={false} tone="cache" />
      <QueueStation queue={status.queue} />
      <Flow moves={rates.batchesPerSecond} stuck={stopped} tone="queue" />
      <WriterStation writer={status.writer} rates={rates} />
      <Flow moves={rates.rowsPerSecond} stuck={store.state !== "up"} tone="writer" />
      <Station
        tone="store"
        name="4 · Database"
        does="up to date a moment later"
        big={store.state}
        unit={`${store.kind}, ${storeWords(status, now)}`}
      >
        <Fact name="rows written">{count(status.writer.rows)}</Fact>
        <Fact name="dead letters">{count(status.deadLetters.count)}</Fact>
      </Station>
    </section>
  );
}

interface StationProps {
  readonly tone: string;
  readonly name: string;
  readonly does: string;
  readonly big: string;
  readonly unit: string;
  readonly children: ComponentChildren;
}

function Station({ tone, name, does, big, unit, children }: StationProps) {
  return (
    <div class={`station tone-${tone}`}>
      <h3>{name}</h3>
      <p class="does">{does}</p>
      <p class="big">{big}</p>
      <p class="unit">{unit}</p>
      <dl>{children}</dl>
    </div>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function CacheStation({ status, rates }: Omit<RoadProps, "now">) {
  const { cache, fleet } = status;
  return (
    <Station
      tone="cache"
      name="1 · Cache"
      does="answers at once"
      big={rate(rates.writesPerSecond)}
      unit={fleet === undefined ? "writes a second" : "writes a second, through this process"}
    >
      <Fact name="reads that hit">{percent(rates.hitShare)}</Fact>
      {fleet !== undefined && <Fact name="kept in">{fleet.place}</Fact>}
      {fleet === undefined && <Fact name="records">{count(cache.records)}</Fact>}
      {fleet === undefined && (
        <Fact name="memory">
          {size(cache.bytes)} of {size(cache.bytesMax)}
        </Fact>
      )}
    </Station>
  );
}

function QueueStation({ queue }: Pick<Status, "queue">) {
  const { pendingChanges, pendingRecords, pendingBytes, oldestAgeMs } = queue;
  const unit = pendingChanges === 1 ? "change pending" : "changes pending";
  return (
    <Station tone="queue" name="2 · Write queue" does="remembers durably" big={count(pendingChanges)} unit={unit}>
      <Fact name="the oldest">{pendingChanges === 0 ? "–" : duration(oldestAgeMs)}</Fact>
      <Fact name="of records">{count(pendingRecords)}</Fact>
      <Fact name="size">{size(pendingBytes)}</Fact>
    </Station>
  );
}

function WriterStation({ writer, rates }: Pick<Status, "writer"> & Pick<RoadProps, "rates">) {
  const { changesPerBatch, savedShare, rowsPerSecond } = rates;
  return (
    <Station
      tone="writer"
      name="3 · Writer"
      does="batches in the background"
      big={rate(rowsPerSecond)}
      unit="rows a second"
    >
      <Fact name="changes a batch">{changesPerBatch === null ? "–" : rate(changesPerBatch)}</Fact>
      <Fact name="saved by merging">{percent(savedShare)}</Fact>
      <Fact name="last commit">{writer.lastCommitMs === null ? "–" : duration(writer.lastCommitMs)}</Fact>
      <Fact name="tried again">{count(writer.retries)}</Fact>
    </Station>
  );
}

const fastPerSecond = 100;

function Flow({ moves, stuck, tone }: { readonly moves: number; readonly stuck: boolean; readonly tone: string }) {
  const speed = stuck ? "stuck" : moves === 0 ? "" : moves > fastPerSecond ? "moves fast" : "moves";
  return (
    <div class={`flow tone-${tone} ${speed}`} aria-hidden="true">
      <svg viewBox="0 0 54 22">
        <line x1="4" y1="11" x2="44" y2="11" />
        <path d="M42 5l9 6-9 6z" />
        <circle cx="6" cy="11" r="4" />
        <circle cx="6" cy="11" r="4" />
      </svg>
    </div>
  );
}

function Charts() {
  const seen = samples.value;
  const at = useMemo(() => seen.map((sample) => sample.at / 1000), [seen]);
  return (
    <section class="charts" aria-label="The last 15 minutes">
      <h2 class="hidden">The last 15 minutes</h2>
      <Chart
        title="Per second"
        at={at}
        show={rate}
        lines={[
          { name: "writes", tone: "accent", values: perSecond(seen, "writes") },
          { name: "rows", tone: "writer", values: perSecond(seen, "rows") },
        ]}
      />
      <Chart
        title="Pending"
        at={at}
        show={count}
        lines={[{ name: "changes", tone: "queue", values: seen.map((sample) => sample.pendingChanges) }]}
      />
      <Chart
        title="Age of the oldest"
        at={at}
        show={duration}
        lines={[{ name: "age", tone: "queue", values: seen.map((sample) => sample.oldestAgeMs) }]}
      />
      <Chart
        title="Commit"
        at={at}
        show={duration}
        lines={[{ name: "took", tone: "store", values: seen.map((sample) => sample.lastCommitMs) }]}
      />
      <Chart
        title="Reads that hit"
        at={at}
        show={(value) => `${Math.round(value)} %`}
        lines={[{ name: "share", tone: "accent", values: hitShares(seen) }]}
      />
    </section>
  );
}
