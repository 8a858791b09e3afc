/** Small things that all views are made of. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { JsonBytes } from "../../bytes.js";
import type { JsonRecordChange, JsonValue } from "../../heart.js";
import { said } from "./api.js";
import { bytesText } from "./format.js";

/** A key or a value: text as it is, never as markup; what is no text says so. */
export function Bytes({ bytes }: { readonly bytes: JsonBytes }) {
  if (bytes === "") return <span class="tag">empty</span>;
  return <span class="bytes">{bytesText(bytes)}</span>;
}

/** A key that leads to its record. */
export function Key({ bytes }: { readonly bytes: JsonBytes }) {
  const address =
    typeof bytes === "string"
      ? `key=${encodeURIComponent(bytes)}`
      : "base64" in bytes
        ? `base64=${encodeURIComponent(bytes.base64)}`
        : null;
  if (address === null || bytes === "") return <Bytes bytes={bytes} />;
  return (
    <a href={`#/record?${address}`}>
      <Bytes bytes={bytes} />
    </a>
  );
}

/** A record's value; null: none. */
export function Value({ value }: { readonly value: JsonValue | null }) {
  if (value === null) return <span class="soft">nothing</span>;
  const end =
    value.expiresAt === null ? null : <span class="tag">until {new Date(value.expiresAt).toLocaleString()}</span>;
  if (value.type === "string") {
    return (
      <span>
        <Bytes bytes={value.value} /> {end}
      </span>
    );
  }
  return (
    <div class="stack">
      <table>
        <tbody>
          {value.fields.slice(0, fieldsShownMax).map(([field, content]) => (
            <tr key={JSON.stringify(field)}>
              <th scope="row">
                <Bytes bytes={field} />
              </th>
              <td class="value">
                <Bytes bytes={content} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {value.fields.length > fieldsShownMax && (
        <p class="soft">and {value.fields.length - fieldsShownMax} more fields</p>
      )}
      {end}
    </div>
  );
}

const fieldsShownMax = 50;

/** What a change does, without its key. */
export function Change({ change }: { readonly change: Omit<JsonRecordChange, "key"> }) {
  const { kind, value, unset } = change;
  return (
    <div>
      <span class="tag">{kind}</span> {value !== null && <Value value={value} />}
      {kind === "merge" && value === null && unset.length === 0 && <span class="soft">another end</span>}
      {unset.length > 0 && (
        <span>
          {" without "}
          {unset.map((field) => (
            <Bytes key={JSON.stringify(field)} bytes={field} />
          ))}
        </span>
      )}
    </div>
  );
}

/** What a button does, and how it went. One at a time. */
export interface Doing {
  readonly busy: boolean;
  readonly error: string | null;
  readonly done: string | null;
  /** Does work; the text that it gives is shown. */
  readonly run: (work: () => Promise<string | null>) => void;
}

/** Work of buttons that belong together. */
export function useDoing(): Doing {
  const state = useSignal<Omit<Doing, "run">>({ busy: false, error: null, done: null });
  const run = (work: () => Promise<string | null>): void => {
    if (state.value.busy) return;
    state.value = { busy: true, error: null, done: null };
    work().then(
      (done) => (state.value = { busy: false, error: null, done }),
      (error: unknown) => (state.value = { busy: false, error: said(error), done: null }),
    );
  };
  return { ...state.value, run };
}

/** How it went, in words; read out to those who do not see it. */
export function Outcome({ doing }: { readonly doing: Doing }) {
  return (
    <div role="status">
      {doing.error !== null && <p class="error">{doing.error}</p>}
      {doing.error === null && doing.done !== null && <p class="done">{doing.done}</p>}
    </div>
  );
}

/** A question that must be answered before something is given up. */
export function Confirm({ open, yes, onYes, onNo, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} onClose={onNo} aria-label={yes}>
      <div class="stack">
        {children}
        <div class="row">
          <button type="button" class="danger" onClick={onYes}>
            {yes}
          </button>
          <button type="button" onClick={onNo}>
            Keep it
          </button>
        </div>
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly open: boolean;
  readonly yes: string;
  readonly onYes: () => void;
  readonly onNo: () => void;
  readonly children: ComponentChildren;
}
