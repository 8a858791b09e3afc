/** What a writer is made of: interfaces, put together elsewhere. */
import type { Clock, Random } from "../host/host.js";
import type { WriteQueue } from "../queue/queue.js";
import type { Store } from "../store/store.js";
import type { WriterOptions, WriterReport } from "./messages.js";

/** What a writer is made of. */
export interface WriterParts {
  readonly store: Store;
  readonly queue: WriteQueue;
  readonly logId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: WriterOptions;
  /** Whether it starts paused. */
  readonly paused: boolean;
  /**
   * Resolves when other partitions of the queue have had time to write the row that a refused frame refers to. Left
   * out where the queue is one: what a frame refers to is before it.
   */
  readonly others?: (() => Promise<void>) | undefined;
  /** Called with everything that happened, in order. Must not throw. */
  readonly report: (report: WriterReport) => void;
}
