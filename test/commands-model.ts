/** Commands run on a map, without heart and server. */
import { keyIsRecord } from "../src/address.js";
import type { Bytes } from "../src/bytes.js";
import { apply, type RecordValue } from "../src/change.js";
import type { DataCommand } from "../src/commands/command.js";
import { replyOfError, type Reply } from "../src/commands/reply.js";
import { findCommand } from "../src/commands/table.js";
import { WriteBehindError } from "../src/errors.js";
import { Workspace } from "../src/workspace.js";

/** A database of one map. */
export class Model {
  now = 1_000_000;
  random: () => number = Math.random;
  readonly records = new Map<Bytes, RecordValue>();
  /** Records that are in the database only. */
  readonly cold = new Set<Bytes>();
  /** What the last command missed. */
  missing: readonly Bytes[] = [];

  /** Runs a command; what it misses is loaded, as the heart does it. */
  run(...words: string[]): Reply {
    const args = words as Bytes[];
    const command = findCommand(args[0] as Bytes) as DataCommand;
    for (;;) {
      const workspace = new Workspace(
        keyIsRecord,
        (record) => (this.cold.has(record) ? undefined : (this.records.get(record) ?? null)),
        this.now,
        this.random,
      );
      const reply = attempt(() => command.run(workspace, args));
      this.missing = [...this.missing, ...workspace.missing];
      if (workspace.missing.length > 0) {
        for (const record of workspace.missing) this.cold.delete(record);
        continue;
      }
      if (workspace.cleared) this.records.clear();
      for (const { record, change } of workspace.changes()) {
        const value = apply(this.records.get(record) ?? null, change);
        if (value === null) this.records.delete(record);
        else this.records.set(record, value);
        this.cold.delete(record);
      }
      return reply;
    }
  }
}

function attempt(run: () => Reply): Reply {
  try {
    return run();
  } catch (error) {
    if (error instanceof WriteBehindError) return replyOfError(error);
    throw error;
  }
}
