/** Closing an engine: it drains, its parts stop within the deadline, and what is left is named (promise 9). */
import type { CloseReport } from "../heart.js";
import type { Host } from "../host/host.js";
import type { EngineOptions } from "../options.js";
import type { Journal } from "../queue/journal/journal.js";
import type { StoreReader } from "../store/store.js";
import type { WriterHandle } from "../writer/writer-link.js";
import { closed, closedBeforeStored, type Failing } from "./failures.js";
import type { Loads } from "./loads.js";
import type { Marks } from "./marks.js";
import type { OwnedFolder } from "./owned-folder.js";
import type { Pausing } from "./pausing.js";
import { Drain, firstFailure, whereLeft, withinDeadline } from "./stopping.js";
import type { Ticks } from "./ticks.js";
import type { WriterSide } from "./writer-side.js";

/** Stopping may take so long, at the least, where a commit is in hand. */
const stopMsMin = 1000;

/** What is closed. */
export interface ClosingParts {
  readonly host: Host;
  readonly options: EngineOptions;
  readonly folder: OwnedFolder;
  readonly pausing: Pausing;
  readonly journal: Journal;
  readonly reader: StoreReader;
  readonly loads: Loads;
  readonly side: WriterSide;
  readonly marks: Marks;
  readonly ticks: Ticks;
  readonly failing: Failing;
  readonly whenStored: (sequence: number, done: () => void) => void;
  /** What has been started of these so far. */
  readonly started: () => {
    readonly writer: WriterHandle | null;
    readonly logs: readonly ({ close(): Promise<void> } | null)[];
  };
}

/** The end of one engine. */
export class Closing {
  readonly #parts: ClosingParts;
  readonly #drain: Drain;
  #begun: Promise<CloseReport> | null = null;

  constructor(parts: ClosingParts) {
    this.#parts = parts;
    this.#drain = new Drain(parts.host.clock, (done) => parts.whenStored(parts.journal.accepted, done));
  }

  get begun(): boolean {
    return this.#begun !== null;
  }

  /** Drains within the deadline, then stops. Called once more with 0, it drains no longer. */
  close(deadlineMs = this.#parts.options.closeMs): Promise<CloseReport> {
    this.#begun ??= this.#close(deadlineMs);
    if (deadlineMs === 0) this.#drain.end();
    return this.#begun;
  }

  async #close(deadlineMs: number): Promise<CloseReport> {
    const { host, options, journal, side, marks, pausing, failing } = this.#parts;
    const startedAt = host.clock.monotonic();
    const willDrain = !pausing.on && failing.error === null;
    if (willDrain && journal.accepted > side.stored) await this.#drain.begin(deadlineMs);
    let hangs = false;
    try {
      hangs = !(await this.stopParts(Math.max(stopMsMin, deadlineMs - (host.clock.monotonic() - startedAt))));
    } finally {
      marks.end(closed());
      side.fail(closedBeforeStored());
    }
    const changes = side.pendingChanges;
    const [{ durable }, { data }, failure] = [journal, options, failing.error];
    const leftIn = await whereLeft(host.disk, { changes, data, durable, failure, hangs });
    return { drained: changes === 0, pendingChanges: changes, leftIn, deadLetters: side.parked.count, hangs };
  }

  /**
   * Stops every part, whatever another one fails of: the folder must be free for the next owner. What hangs in the
   * database's driver is given up, and false told then: it can only read the journal, and the database's position tells
   * the next owner what became of its commit (promise 5).
   */
  async stopParts(deadlineMs = stopMsMin): Promise<boolean> {
    const { host, ticks, loads, journal, folder, failing, started } = this.#parts;
    ticks.end();
    loads.end(closed());
    const { writer, logs } = started();
    const hasStopped = (await writer?.stop(deadlineMs)) ?? true;
    let readerHasStopped = true;
    const reader = withinDeadline(host.clock, deadlineMs, this.#parts.reader.close());
    const failed = await firstFailure([
      reader.then((inTime) => (readerHasStopped = inTime)),
      ...logs.map(async (log) => log?.close()),
      journal.close(),
    ]);
    await folder.release();
    // That the journal has failed was said when it failed.
    if (failed !== null && failing.error === null) throw failed.reason;
    return hasStopped && readerHasStopped;
  }
}
