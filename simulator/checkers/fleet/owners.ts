/**
 * Who may write a partition. A worker that was taken over writes nothing any more, and takes nothing back without
 * having heard that the partition is its own (promise 5); one that gives a partition back has ended the run in hand
 * before; in calm every partition is owned, and the shares of two workers differ by one at the most.
 */
import type { Commit } from "../../database.js";
import type { Process } from "../../machine.js";
import { Violation } from "../checker.js";
import { FleetModelChecker, type FleetRest } from "./fleet-checker.js";

const promise = "5 once";

export class FleetOwners extends FleetModelChecker {
  readonly promise = promise;
  /** Who has opened each partition in the database last. */
  readonly #opened = new Map<number, Process>();
  /** What each process may still open: it has heard that it holds it since it opened it last. */
  readonly #heard = new Map<Process, Set<number>>();
  readonly #released = new Map<number, Process>();

  holds(process: Process, partition: number): void {
    const heard = this.#heard.get(process) ?? new Set();
    this.#heard.set(process, heard.add(partition));
    this.#released.delete(partition);
  }

  opened(process: Process, partition: number): void {
    const heard = this.#heard.get(process)?.delete(partition) ?? false;
    const before = this.#opened.get(partition);
    if (!heard && before !== process) {
      throw new Violation(promise, `${process.name} takes back partition ${partition} without having asked`);
    }
    this.#opened.set(partition, process);
  }

  released(process: Process, partition: number): void {
    this.#released.set(partition, process);
  }

  committed({ by, late }: Commit, partition: number): void {
    const owner = this.#opened.get(partition);
    if (owner !== undefined && owner !== by) {
      throw new Violation(promise, `${by.name} writes partition ${partition}, which ${owner.name} has taken over`);
    }
    if (!late && this.#released.get(partition) === by) {
      throw new Violation(
        "9 stopping tells the truth",
        `${by.name} writes partition ${partition} after it was given back`,
      );
    }
  }

  databaseWentBack(): void {
    this.#opened.clear();
  }

  atRest({ shares, looks, mismatched }: FleetRest): void {
    const free = looks.flatMap(({ owner }, partition) => (owner === null ? [partition] : []));
    if (free.length > 0) throw new Violation("partitions are owned", `nobody owns ${free.join(" ")}`);
    const counts = [...shares.values()];
    const apart = Math.max(...counts) - Math.min(...counts);
    if (apart > 1 && mismatched.size === 0) {
      throw new Violation("partitions are balanced", `the workers have ${counts.join(", ")} partitions`);
    }
  }
}
