/** What a checker of a fleet is: see ../checker.ts. It knows the model, the database and what was told; no more. */
import type { FleetFrame, FleetModel } from "../../fleet/fleet-model.js";
import type { FleetOptions } from "../../fleet/fleet-swarm.js";
import type { Commit, SimulatedDatabase } from "../../database.js";
import type { Process } from "../../machine.js";
import type { Invocation } from "../checker.js";

/** A partition of the keeper, before and after a step. */
export interface PartitionLook {
  readonly stored: number;
  readonly settled: number;
  readonly bytes: number;
  readonly pendingRecords: number;
  readonly owner: string | null;
}

/** A fleet at rest: nothing fails any more, and everything had its time. */
export interface FleetRest {
  /** Partitions whose keeper and database do not belong together any more, and what was said of that. */
  readonly mismatched: ReadonlyMap<number, string | null>;
  readonly looks: readonly PartitionLook[];
  /** How many partitions each living worker runs. */
  readonly shares: ReadonlyMap<string, number>;
  readonly letters: number;
}

/** Watches for broken promises. Each method is called at the very moment. */
export interface FleetChecker {
  readonly promise: string;
  asked?(invocation: Invocation): void;
  worked?(invocation: Invocation): void;
  answered?(invocation: Invocation): void;
  /** An error that says that nothing was written. */
  failed?(invocation: Invocation, code: string, nowMs: number): void;
  /** A frame has entered a log. Null: what it was made of is lost. */
  framed?(frame: FleetFrame, invocation: Invocation): void;
  /** A step at the keeper. */
  stepped?(partition: number, before: PartitionLook, after: PartitionLook, frames: number): void;
  /** A process has heard that the partition is its own; has opened it in the database; has given it back. */
  holds?(process: Process, partition: number): void;
  opened?(process: Process, partition: number): void;
  released?(process: Process, partition: number): void;
  committed?(commit: Commit, partition: number): void;
  /** The database, or the keeper, is as it was at an earlier moment. */
  databaseWentBack?(): void;
  keeperWentBack?(): void;
  /** Somebody was told that all of this is in the database. */
  toldStored?(heads: readonly (FleetFrame | null)[]): void;
  atRest?(rest: FleetRest): void;
  over?(): void;
}

/** What every checker is made with. */
export interface FleetCheckerParts {
  readonly model: FleetModel;
  readonly options: FleetOptions;
  readonly database: SimulatedDatabase;
}

/** A checker that knows the model. */
export abstract class FleetModelChecker implements FleetChecker {
  abstract readonly promise: string;
  protected readonly parts: FleetCheckerParts;

  constructor(parts: FleetCheckerParts) {
    this.parts = parts;
  }
}
