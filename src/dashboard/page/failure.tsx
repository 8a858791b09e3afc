/** The button that makes a database fail, on a sandbox: the queue keeps the change until the database works again. */
import { useEffect, useMemo } from "preact/hooks";
import { Sandbox } from "./sandbox.js";
import { Stage, type Move } from "./stage.js";

const value = "Alice";

/** A write while the database is down, at the press of a button, and its end at another. */
export function FailureDemo() {
  const sandbox = useMemo(() => new Sandbox(), []);
  useEffect(() => () => void sandbox.close(), []);
  const rows = sandbox.rows.value;
  const last = rows.at(-1) ?? null;
  const failing = last?.now.databaseFails === true;
  const mended = last !== null && !failing && rows.some(({ now }) => now.databaseFails);
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
  const move: Move = last === null ? "none" : failing ? "fail" : mended ? "store" : "none";
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
              <li key={index}>
                {answer.action}
                {answer.error !== null && <span class="soft"> ({answer.error.message})</span>}
              </li>
            ))}
          </ol>
          <p role="status" class={failing ? "error" : mended ? "done" : ""}>
            {failing &&
              `The database is down. The client was answered and reads its value; the queue keeps the change: ${last.now.cells.queue}`}
            {mended &&
              `The database works again and has the change; the queue has let go of it: ${last.now.cells.queue}`}
          </p>
        </>
      )}
    </div>
  );
}
