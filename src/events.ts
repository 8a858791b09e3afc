/** Typed events and the counters that status, metrics and tests read. */
import type { JsonBytes } from "./bytes.js";
import type { PlainError } from "./errors.js";

/** One committed run. */
export interface BatchReport {
  /** Changes in the frames of the run. */
  readonly changes: number;
  /** Distinct records: rows sent to the store. */
  readonly records: number;
  /** Positions as text: what was committed before, and now. */
  readonly from: string;
  readonly to: string;
  readonly commitMs: number;
}

/** What can be listened to with `wb.on(name, listener)`, and what the listener gets. */
export interface Events {
  /** A frame was taken: its sequence and number of changes. */
  readonly accepted: { readonly sequence: number; readonly changes: number };
  /** A run was committed. */
  readonly batch: BatchReport;
  /** A commit failed and will be tried again. */
  readonly retry: { readonly error: PlainError; readonly attempt: number; readonly delayMs: number };
  readonly storeDown: { readonly error: PlainError };
  readonly storeUp: { readonly downMs: number };
  /** The database has refused a frame, and it was parked. The records are keys as text; `reason` is the database's. */
  readonly deadLetter: {
    readonly id: string;
    readonly position: string;
    readonly records: readonly JsonBytes[];
    readonly reason: string;
  };
  /** Dead letters are none any more: stored, replaced by a later write, or given up. */
  readonly deadLetterEnded: { readonly ids: readonly string[]; readonly how: "retried" | "superseded" | "discarded" };
  /** The queue has reached a limit: a writer waits or was refused. */
  readonly full: { readonly pendingBytes: number; readonly diskFull: boolean };
  /** The writer stands still although there is work. */
  readonly stalled: { readonly reason: string };
  /** What an operator must know although no write is hurt: the database went back, a clock jumped. */
  readonly warning: { readonly text: string };
  /** Rows of a table are read into the cache at the start (`warm`), so many until now. `full`: no more of them fit. */
  readonly warming: {
    readonly table: string;
    readonly records: number;
    readonly state: "reading" | "done" | "full";
  };
  /**
   * While it opens: so much of what it starts from is read. `journal`: files of the journal are looked through;
   * `pending`: frames that the database does not have are taken into the cache.
   */
  readonly recovering: { readonly step: "journal" | "pending"; readonly done: number; readonly total: number };
  /** Nothing is pending any more. */
  readonly drained: { readonly sequence: number };
}

/** A name of an event. */
export type EventName = keyof Events;

/** Gets events of one name. What it throws is swallowed: a listener never hurts a write. */
export type Listener<Name extends EventName> = (event: Events[Name]) => void;

/** Hands events to listeners. */
export class Emitter {
  readonly #listeners = new Map<EventName, Set<Listener<never>>>();

  /** Adds a listener; the returned function takes it away. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Whether anybody listens: hot paths ask before they make an event. */
  has(name: EventName): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  emit<Name extends EventName>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as Listener<Name>)(event);
      } catch {
        // A listener is a guest: its failure is its own, and must not become a failed write.
      }
    }
  }
}
