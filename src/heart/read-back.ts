/**
 * What pending records hold was dropped from memory where the log has it (cache/pending-set.ts): this reads it back. It
 * reads the frames that it is told of and nothing else, so it costs a few reads however long the log is.
 */
import type { Bytes } from "../bytes.js";
import type { InLog } from "../cache/memory-cache.js";
import { applyAll, type Change, type RecordValue } from "../change.js";
import { WriteBehindError } from "../errors.js";
import { DiskError } from "../host/host.js";
import type { Journal } from "../queue/journal/journal.js";
import type { JournalReader } from "../queue/journal/reader.js";
import type { Post } from "../queue/journal/signposts.js";
import type { FrameOnDisk } from "../queue/queue.js";

/** Reads values back from one journal. */
export class ReadBack {
  readonly #journal: Journal;
  readonly #log: JournalReader;

  constructor(journal: Journal, log: JournalReader) {
    this.#journal = journal;
    this.#log = log;
  }

  /**
   * What a record holds after these frames of it; `row`: its row, which counts where none of them is a whole change.
   * Undefined where a frame is trimmed by now: then the store has the record's changes. Throws JOURNAL_DAMAGED, and
   * STORE_DOWN where the disk does not give it.
   */
  async value(record: Bytes, inLog: InLog, row: RecordValue | null): Promise<RecordValue | null | undefined> {
    const sequences = inLog.whole === 0 ? inLog.merges : [inLog.whole, ...inLog.merges];
    const changes: Change[] = [];
    // One column of a row may be changed without a look at the row: then its frame may be on its way to the disk.
    if (Math.max(0, ...sequences) > this.#journal.written) await this.#journal.syncNow();
    for (const sequence of sequences) {
      const post = this.#journal.postBefore(sequence);
      const found = sequence < this.#journal.oldest() ? null : await this.#frame(sequence, post as Post);
      if (found === null) return undefined;
      const { body } = found.frame;
      if (body.kind === "changes") for (const one of body.changes) if (one.record === record) changes.push(one.change);
    }
    return applyAll(inLog.whole === 0 ? row : null, changes);
  }

  async #frame(sequence: number, post: Post): Promise<FrameOnDisk | null> {
    try {
      return await this.#log.frameNear(sequence, post);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      throw new WriteBehindError(
        "STORE_DOWN",
        `the value is in the journal only, and cannot be read: ${error.message}`,
        {
          hint: "look after the disk; what was answered is in the journal",
          cause: error,
        },
      );
    }
  }

  async close(): Promise<void> {
    await this.#log.close();
  }
}
