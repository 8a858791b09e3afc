/** What the caller and the reading thread tell each other. Plain values: they cross a thread. */
import type { Bytes } from "../bytes.js";
import type { RecordValue } from "../change.js";
import type { PlainError } from "../errors.js";
import type { Page, Reached, StoreErrorKind } from "./store.js";

/** From the caller. */
export type ToReader =
  | {
      readonly type: "read";
      readonly id: number;
      readonly records: readonly Bytes[];
      readonly reached: Reached;
    }
  | {
      readonly type: "scan";
      readonly id: number;
      readonly after: Bytes | null;
      readonly limit: number;
      readonly nowMs: number;
      /** A mapped table, or null for the own ones. */
      readonly table: string | null;
    }
  /** Closes the connection; the next question makes another one. Answered by `closed`. */
  | { readonly type: "close"; readonly id: number };

/** From the reading thread: one answer for each question. */
export type FromReader =
  | { readonly type: "values"; readonly id: number; readonly values: readonly (RecordValue | null)[] }
  | { readonly type: "page"; readonly id: number; readonly page: Page }
  | { readonly type: "closed"; readonly id: number }
  | { readonly type: "failed"; readonly id: number; readonly error: ReaderError };

/** An error as plain values: its kind where a store has classified it, else the library's own form. */
export type ReaderError = { readonly kind: StoreErrorKind; readonly message: string } | PlainError;
