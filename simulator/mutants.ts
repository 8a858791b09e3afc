/**
 * Planted bugs. Each is a change of the compiled text of one file, made in a copy (production code has no switches for
 * tests), and states the promise that it breaks and within how many seeds a world must notice. A simulator that catches
 * none of them proves nothing.
 */

/** A planted bug. */
export interface Mutant {
  readonly name: string;
  /** The number of the promise that it breaks. */
  readonly promise: number;
  /** The file in dist/, and what is replaced in it: this text must be there exactly once. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Within how many seeds it must be caught. */
  readonly seeds: number;
}

/** The table. */
export const mutants: readonly Mutant[] = [
  {
    name: "skip-the-sync",
    promise: 1,
    file: "src/queue/journal/flusher.js",
    find: "await segment.spare.file.sync();",
    replace: "",
    seeds: 1000,
  },
  {
    name: "write-without-dsync",
    promise: 1,
    file: "src/queue/journal/supply.js",
    find: "create: false, dsync: this.#options.dsync",
    replace: "create: false, dsync: false",
    seeds: 300,
  },
  {
    name: "answer-early",
    promise: 1,
    file: "src/write-behind.js",
    find: "if (sequence <= this.#journal.kept)",
    replace: "if (sequence <= this.#journal.accepted)",
    seeds: 300,
  },
  {
    name: "answer-one-too-many",
    promise: 1,
    file: "src/write-behind.js",
    find: "this.#waitsKept.reach(mark)",
    replace: "this.#waitsKept.reach(mark + 1)",
    seeds: 1000,
  },
  {
    name: "durable-mark-of-the-end",
    promise: 1,
    file: "src/queue/journal/flusher.js",
    find: "this.durable = mark;",
    replace: "this.durable = this.written;",
    seeds: 3000,
  },
  {
    name: "segment-without-its-folder",
    promise: 1,
    file: "src/queue/journal/recovery.js",
    find: "await disk.syncFolder(spare.folder);",
    replace: "",
    seeds: 300,
  },
  {
    name: "recovered-but-not-durable",
    promise: 1,
    file: "src/queue/journal/recovery.js",
    find: "await file.sync();",
    replace: "",
    seeds: 3000,
  },
  {
    name: "torn-tail-stays",
    promise: 1,
    file: "src/queue/journal/recovery.js",
    find: "await zero(segment.end, header.size, file);",
    replace: "",
    seeds: 3000,
  },
  {
    name: "stale-frames",
    promise: 1,
    file: "src/queue/journal/segment.js",
    find: "return (seed ^ offset) >>> 0;",
    replace: "return 1;",
    seeds: 3000,
  },
  {
    name: "answer-what-is-not-durable",
    promise: 2,
    file: "src/cache/memory-cache.js",
    find: "if (entry.sequence > this.seen)",
    replace: "if (false)",
    seeds: 300,
  },
  {
    name: "fill-without-a-place",
    promise: 2,
    file: "src/cache/memory-cache.js",
    find: "if (!place.open)",
    replace: "if (false)",
    seeds: 1000,
  },
  {
    name: "forget-what-is-pending-at-start",
    promise: 2,
    file: "src/write-behind.js",
    find: "await this.#recover(log, from);",
    replace: "",
    seeds: 300,
  },
  {
    name: "clean-before-it-is-stored",
    promise: 2,
    file: "src/heart/writer-side.js",
    find: "this.#cache.acknowledge(position.sequence);",
    replace: "this.#cache.acknowledge(position.sequence + 1);",
    seeds: 300,
  },
  {
    name: "log-time-goes-back",
    promise: 2,
    file: "src/write-behind.js",
    find: "return Math.max(this.#host.clock.now(), this.#journal.lastAt);",
    replace: "return this.#host.clock.now();",
    seeds: 3000,
  },
  {
    name: "older-wins",
    promise: 3,
    file: "src/writer/run.js",
    find: "if (older === undefined) {",
    replace:
      'if (older === undefined || (newer.kind === "replace" && this.rows.size > 1 && older !== newer)) {\n            newer = older ?? newer;',
    seeds: 300,
  },
  {
    name: "older-value-after-a-retry",
    promise: 3,
    file: "src/writer/writer.js",
    find: "throw overtaken(known.position, position);",
    replace: "{ this.#inHand = this.#lastRun ?? null; this.#known = found; return; }",
    seeds: 3000,
  },
  {
    name: "drop-a-tombstone",
    promise: 4,
    file: "src/writer/run.js",
    find: "this.#coalesced.add(record, change);",
    replace: 'if (change.kind !== "remove") this.#coalesced.add(record, change);',
    seeds: 100,
  },
  {
    name: "split-a-frame",
    promise: 4,
    file: "src/writer/run.js",
    find: "this.#coalesced.add(record, change);",
    replace: "if (this.#coalesced.rows.size < this.#limits.records) this.#coalesced.add(record, change);",
    seeds: 300,
  },
  {
    name: "read-past-the-durable-mark",
    promise: 4,
    file: "src/heart/writer-side.js",
    find: "return this.#journal.syncNow();",
    replace: "return Promise.resolve(this.#journal.kept);",
    seeds: 1000,
  },
  {
    name: "trim-the-committed-frame",
    promise: 5,
    file: "src/queue/journal/retention.js",
    find: "firstSequence <= committed",
    replace: "firstSequence <= committed + 1",
    seeds: 1000,
  },
  {
    name: "reuse-a-position",
    promise: 5,
    file: "src/queue/journal/journal.js",
    find: "this.accepted = this.#kept = this.#durable = log.last.sequence;",
    replace: "this.accepted = this.#kept = this.#durable = Math.max(log.base.sequence, log.last.sequence - 1);",
    seeds: 100,
  },
  {
    name: "forget-the-compare-and-set",
    promise: 5,
    file: "src/store/memory/memory-store.js",
    find: "if (!sameOrNull(expected, database.position) ||",
    replace: "if (",
    seeds: 1000,
  },
  {
    name: "forget-the-claim",
    promise: 5,
    file: "src/store/memory/memory-store.js",
    find: "batch.generation !== database.generation ||",
    replace: "",
    seeds: 3000,
  },
  {
    name: "lost-commit-is-not-known-again",
    promise: 6,
    file: "src/writer/writer.js",
    find: "samePosition(position, this.#inHand.to)",
    replace: "false",
    seeds: 300,
  },
  {
    name: "trim-while-recovering",
    promise: 6,
    file: "src/heart/writer-side.js",
    find: "if (this.#begun)",
    replace: "",
    seeds: 3000,
  },
  {
    name: "sweep-by-the-wall-clock",
    promise: 4,
    file: "src/writer/beat.js",
    find: "return at <= Math.min(now.wall, expected) + clockSlackMs ? at : null;",
    replace: "return now.wall;",
    seeds: 300,
  },
  {
    name: "no-pins",
    promise: 8,
    file: "src/write-behind.js",
    find: "this.#cache.pin(record);",
    replace: "(this.#cache.pin(record), this.#cache.unpin(record), this.#cache.pin(record + '?'));",
    seeds: 300,
  },
];
