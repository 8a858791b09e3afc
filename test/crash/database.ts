/** The database of a crash campaign, as it is looked at beside the server. */
import type { Sight } from "./history.js";
import type { WrittenRow } from "./written.js";

/** What a database holds: its records, and the position that it has reached. */
export interface StoredSight extends Sight {
  /** Log id, sequence and tag as status writes them; null where no queue ever wrote here. */
  readonly position: string | null;
}

/** A database that may be looked into, and perhaps killed. */
export interface CrashDatabase {
  /** How `serve` is told of it. */
  readonly flags: readonly string[];
  /** Everything in it at one moment; null where there is no table yet. */
  sight(): Promise<StoredSight | null>;
  /** Puts the triggers there that keep a history, once the tables are. */
  begin(): Promise<void>;
  /** The history since it was last asked for, in order. */
  written(): Promise<readonly WrittenRow[]>;
  /** SIGKILL; null where the database has no process of its own. */
  readonly kill: (() => Promise<void>) | null;
  /** Starts it where it does not run. */
  start(): Promise<void>;
  /** Ends it for good. */
  end(): Promise<void>;
}
