/** The button that makes a database fail, on a sandbox: the queue keeps the change until the database works again. */
import { useEffect, useMemo } from "preact/hooks";
import { Sandbox, type SandboxRow } from "./sandbox.js";
import { Stage, type Move } from "./stage.js";

const value = "Alice";

/** A write while the database is down, at the press of a button, and its end at another. */
export function FailureDemo() {
  const sandbox = useMemo(() => new Sandbox(), []);
  useEffect(() => () => void sandbox.close(), []);
  const rows = sandbox.rows.value;
  const { last, failing, hasRead, hasStored } = pointOf(rows);
  const fail = async (): Promise<void> => {
    await sandbox.open();
    await sandbox.ask("database", { fails: true });
    await sandbox.ask("command", { args: ["SET", "user:1:name", value] });
    await sandbox.ask("step");
    await sandbox.ask("command", { args: ["GET", "user:1:name"] });
  };
  const mend = async (): Promise<void> => {
    await sandbox.ask("database", { fails: false });
    await sandbox.ask("step");
  };
  const move: Move = last === null ? "none" : failing ? "fail" : hasStored ? "store" : "none";
  return (
    <div class="stack demo">
      <div class="row">
        <button type="button" class="danger" disabled={sandbox.busy.value || failing} onClick={() => void fail()}>
          Make the database fail
        </button>
        <button type="button" class="main" disabled={sandbox.busy.value || !failing} onClick={() => void mend()}>
          Let it work again
        </button>
        <span class="soft">A write is sent while the database is down. See what the queue does.</span>
      </div>
      {sandbox.error.value !== null && <p class="error">{sandbox.error.value}</p>}
      {last !== null && (
        <>
          <Stage
            cells={last.now.cells}
            move={move}
            moment={rows.length}
            writer={failing ? "tries again and again" : null}
            database={failing ? "down" : "works"}
            dead={false}
          />
          <ol class="claims" aria-label="What was done">
            {rows.slice(1).map(({ answer }, index) => (
              <li key={index}>{answer.action}</li>
            ))}
          </ol>
          <p role="status" class={hasRead ? "error" : hasStored ? "done" : ""}>
            {hasRead &&
              `The database is down. The client was answered and reads its value; the queue keeps the change: ${last.now.cells.queue}`}
            {hasStored &&
              `The database works again and has the change; the queue has let go of it: ${last.now.cells.queue}`}
          </p>
        </>
      )}
    </div>
  );
}

/** How far it is. What is said of it is said once all of it has been done. */
function pointOf(rows: readonly SandboxRow[]): {
  readonly last: SandboxRow | null;
  readonly failing: boolean;
  readonly hasRead: boolean;
  readonly hasStored: boolean;
} {
  const last = rows.at(-1) ?? null;
  if (last === null) return { last, failing: false, hasRead: false, hasStored: false };
  const { answer, now } = last;
  const failing = now.databaseFails;
  return {
    last,
    failing,
    hasRead: failing && answer.kind === "command" && !answer.wrote,
    hasStored: !failing && answer.kind === "step" && answer.error === null,
  };
}
