/** Your own: an engine to type at, to hold, to break, to kill and to start again; a row for each thing done. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { SandboxNow } from "../../../lesson/sandbox.js";
import type { Table } from "../../../lesson/tables.js";
import { count, counted } from "../../../amounts.js";
import { Sandbox, type SandboxRow } from "../sandbox.js";
import { Stage, type Move } from "../stage.js";
import { TextTable } from "../table.js";

/** While the writer runs by itself things change without a click. */
const lookEveryMs = 1000;

/** The view. */
export function OwnView() {
  const sandbox = useMemo(() => new Sandbox(), []);
  useEffect(() => {
    void sandbox.open();
    return () => void sandbox.close();
  }, []);
  const rows = sandbox.rows.value;
  const last = rows.at(-1) ?? null;
  const auto = last?.now.auto === true && last.now.engine.alive;
  useEffect(() => {
    if (!auto) return undefined;
    const timer = setInterval(() => sandbox.look(), lookEveryMs);
    return () => clearInterval(timer);
  }, [auto]);
  if (last === null) {
    return sandbox.error.value === null ? (
      <p class="sheet empty">An engine is started for you …</p>
    ) : (
      <p class="error">{sandbox.error.value}</p>
    );
  }
  return (
    <>
      <section class="sheet stack">
        <h2 class="hidden">An engine of your own</h2>
        <Stage
          cells={last.now.cells}
          move={moveOf(last)}
          moment={rows.length}
          writer={writerWords(last.now)}
          database={last.now.databaseFails ? "down" : "works"}
          dead={!last.now.engine.alive}
        />
        <CommandForm sandbox={sandbox} alive={last.now.engine.alive} />
        <Buttons sandbox={sandbox} now={last.now} />
        <div role="status" class="stack">
          {sandbox.error.value !== null && <p class="error">{sandbox.error.value}</p>}
          {last.answer.error !== null && <p class="error">{last.answer.error.message}</p>}
          {!last.now.engine.alive && (
            <p class="error">
              The engine is dead: {last.now.engine.reason}. The journal on disk has everything that was answered:
              restart it, and look.
            </p>
          )}
        </div>
        <Facts now={last.now} />
      </section>
      <section class="sheet">
        <TextTable caption="What you did, and how everything was afterwards" table={tableOf(rows)} lastIsNew />
      </section>
    </>
  );
}

function CommandForm({ sandbox, alive }: { readonly sandbox: Sandbox; readonly alive: boolean }) {
  const typed = useSignal("");
  const send = (event: Event): void => {
    event.preventDefault();
    const line = typed.value.trim();
    if (line === "") return;
    typed.value = "";
    void sandbox.ask("command", { line });
  };
  return (
    <form class="line" onSubmit={send}>
      <label class="hidden" for="own-command">
        Command
      </label>
      <input
        id="own-command"
        type="text"
        value={typed.value}
        placeholder="SET cart:7 apples"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => (typed.value = event.currentTarget.value)}
      />
      <button type="submit" class="main" disabled={!alive}>
        Send
      </button>
    </form>
  );
}

function Buttons({ sandbox, now }: { readonly sandbox: Sandbox; readonly now: SandboxNow }) {
  const busy = sandbox.busy.value;
  const { alive } = now.engine;
  return (
    <div class="row">
      <button type="button" disabled={busy || !alive} onClick={() => void sandbox.ask("step")}>
        Let the writer run once
      </button>
      <button
        type="button"
        disabled={busy || !alive}
        aria-pressed={now.auto}
        onClick={() => void sandbox.ask("auto", { on: !now.auto })}
      >
        {now.auto ? "Hold the writer" : "Let the writer run by itself"}
      </button>
      <button
        type="button"
        class={now.databaseFails ? "main" : "danger"}
        disabled={busy}
        aria-pressed={now.databaseFails}
        onClick={() => void sandbox.ask("database", { fails: !now.databaseFails })}
      >
        {now.databaseFails ? "Let the database work again" : "Make the database fail"}
      </button>
      {alive ? (
        <button type="button" class="danger" disabled={busy} onClick={() => void sandbox.ask("kill")}>
          Kill the engine (kill -9)
        </button>
      ) : (
        <button type="button" class="main" disabled={busy} onClick={() => void sandbox.ask("restart")}>
          Start it again
        </button>
      )}
      <button type="button" disabled={busy} onClick={() => void sandbox.open()}>
        A new one
      </button>
    </div>
  );
}

function Facts({ now }: { readonly now: SandboxNow }) {
  const { engine, status } = now;
  const process = engine.alive
    ? `Engine: process ${engine.pid}, started ${engine.starts === 1 ? "once" : `${engine.starts} times`}.`
    : "Engine: dead.";
  if (status === null) return <p class="soft small">{process}</p>;
  const { writer, cache } = status;
  return (
    <p class="soft small number">
      {process} {counted(writer.batches, "transaction")}, {counted(writer.rows, "row")},{" "}
      {counted(writer.coalesced, "change")} saved by merging, {count(writer.retries)} tried again;{" "}
      {counted(cache.hits, "hit")}, {count(cache.misses)} misses.
    </p>
  );
}

function writerWords({ engine, auto, databaseFails, status }: SandboxNow): string {
  if (!engine.alive) return "gone with the process";
  if (!auto) return "stands still until you let it run";
  if (databaseFails && (status?.queue.pendingChanges ?? 0) > 0) return "tries again and again";
  return "runs by itself";
}

function moveOf({ answer, now }: SandboxRow): Move {
  if (!now.engine.alive) return "kill";
  if (answer.error !== null && answer.kind === "step") return "fail";
  if (answer.kind === "command") return answer.wrote ? "write" : "read";
  const wrote = (answer.step?.batch ?? null) !== null;
  return answer.kind === "step" && wrote ? "store" : "none";
}

function tableOf(rows: readonly SandboxRow[]): Table & { readonly wordColumns: number } {
  return {
    heads: ["Step", "Action", "Cache State", "Write Queue", "DB State", "Output"],
    wordColumns: 2,
    rows: rows.map(({ answer, now }, index) => [
      String(index),
      answer.action,
      now.cells.cache,
      now.cells.queue,
      now.cells.database,
      now.cells.output,
    ]),
  };
}
