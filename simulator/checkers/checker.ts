/**
 * What a checker is: it watches a world and throws a Violation when a promise is broken. One file for each promise of
 * ARCHITECTURE.md; a checker knows the model and what happened, never the inside of the engine.
 */
import type { CloseReport, Status } from "../../src/heart.js";
import type { EngineOptions } from "../../src/options.js";
import type { Bytes } from "../../src/bytes.js";
import type { RecordChange } from "../../src/change.js";
import type { Commit } from "../database.js";
import type { Model, ModelFrame } from "../model.js";
import type { Operation, Outcome, Reply } from "../operation.js";

/** One operation of a client, from the moment at which it was asked. */
export interface Invocation {
  readonly client: string;
  readonly operation: Operation;
  /** When it was asked, in milliseconds of the world. */
  readonly askedMs: number;
  /** What must come of it, as of the step in which it was done. */
  outcome: Outcome;
  /** What its frame holds, in worlds in which frames may be given up. */
  changes: readonly RecordChange[];
  /** It may have seen what was given up a moment ago: then what comes of it is what the engine made of it. */
  inDoubt: boolean;
  /** Log time of that step. */
  at: number;
  /** The highest sequence among the records that it touched: what its reply shows. */
  shows: number;
  /** The sequence of its frame; 0 as long as it has none. */
  frame: number;
  /** What came of it; null as long as it is not known. */
  reply: Reply | null;
}

/** How the processes before this one ended; `rot`: a file of the journal was damaged besides. */
export type Ending = "close" | "kill" | "power" | "rot";

/** A process has stopped as it was asked to. */
export interface Closing {
  readonly report: CloseReport;
  readonly tookMs: number;
  /** Whether nothing failed meanwhile. */
  readonly calm: boolean;
}

/** A look at the status of a process that serves. */
export interface Look {
  readonly status: Status;
  /** How long nobody has been able to reach the database; 0 while it is up. */
  readonly downMs: number;
  /** For so long this process has served. */
  readonly servedMs: number;
}

/** The world at rest, after the faults have ended and everything pending had its time. */
export interface Rest {
  readonly rows: Commit["rows"];
  readonly stored: number;
  readonly status: Status;
  /** Bytes of the journal's files. */
  readonly journalBytes: number;
}

/** Watches for broken promises. Each method is called at the very moment. */
export interface Checker {
  readonly promise: string;
  /** A client asks. */
  asked?(invocation: Invocation): void;
  /** The engine does it, or tries to: the last such moment is the one in which it was done. */
  worked?(invocation: Invocation): void;
  /** A frame entered cache and queue. */
  accepted?(frame: ModelFrame, invocation: Invocation): void;
  /** The engine has done an operation; its client has not seen the reply yet. */
  replied?(invocation: Invocation): void;
  /** The client has the reply. */
  answered?(invocation: Invocation): void;
  /** The engine has failed an operation with an error of its own, saying that nothing was written. */
  failed?(invocation: Invocation, code: string, nowMs: number): void;
  /** A client was told that everything up to here is on disk (or in the database). */
  toldDurable?(sequence: number): void;
  toldStored?(sequence: number): void;
  /** The database has committed. */
  committed?(commit: Commit): void;
  /** With the commit that comes now, frames of these records are given up: their history in the model is another. */
  givenUp?(records: readonly Bytes[]): void;
  /** An operator was told that these letters are discarded. */
  toldDiscarded?(letters: readonly number[]): void;
  /** The database is as it was at an earlier sequence. */
  wentBack?(sequence: number): void;
  /** A process has opened the queue. `recovered` is its last frame; the model still holds what was lost. */
  opened?(recovered: number, ending: Ending, status: Status): void;
  /** After the model has forgotten what was lost. */
  resumed?(recovered: number): void;
  /** An operator asks for a pause or its end; and has been told that it is done. */
  pausing?(): void;
  paused?(paused: boolean): void;
  closed?(closing: Closing): void;
  looked?(look: Look): void;
  /** So many events have happened up to now. */
  happened?(events: number, nowMs: number): void;
  atRest?(rest: Rest): void;
  /** The world is over, and nothing was broken. */
  over?(): void;
}

/** What every checker is made with. */
export interface CheckerParts {
  readonly model: Model;
  readonly engine: EngineOptions;
  /** The latency of the world's disk. */
  readonly diskMs: number;
}

/** A checker that knows the model. */
export abstract class ModelChecker implements Checker {
  abstract readonly promise: string;
  protected readonly parts: CheckerParts;

  constructor(parts: CheckerParts) {
    this.parts = parts;
  }
}

/** A broken promise. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly promise: string;

  constructor(promise: string, message: string) {
    super(message);
    this.promise = promise;
  }
}
