/** Optimistic transactions of the library: reads remembered, writes held back, one check-and-apply at the end. */
import { textOfBytes, type Bytes } from "../bytes.js";
import { WriteBehindError } from "../errors.js";
import { Conflict, kept, type Executed, type Heart, type WaitOptions, type Watch } from "../heart.js";
import type { Collection } from "./collection.js";
import { TransactionCollection } from "./collection-handle.js";
import type { SetOptions } from "./receipt.js";
import { RowWork } from "./row-work.js";
import {
  bytesOfKey,
  bytesOfValue,
  checkedTtl,
  incremented,
  integerStep,
  safeNumber,
  textOfFields,
  type Key,
  type Value,
} from "./values.js";
import type { Workspace } from "../workspace.js";

/** Tries of one transaction before it gives up: a record that changes faster than it can be read and written. */
const triesMax = 1000;

type Write = (workspace: Workspace) => void;

/** What a transaction can do. Reads see the transaction's own writes. */
export class Transaction {
  readonly #heart: Heart;
  readonly #options: WaitOptions;
  readonly #watches = new Map<Bytes, Watch>();
  readonly #writes: Write[] = [];
  #sequence = 0;

  constructor(heart: Heart, options: WaitOptions) {
    this.#heart = heart;
    this.#options = options;
  }

  /** The newest value as text, or null. Rejects WRONG_TYPE, STORE_DOWN. */
  async get(key: Key): Promise<string | null> {
    const keyBytes = bytesOfKey(key);
    const bytes = await this.#read(keyBytes, (workspace) => workspace.getString(keyBytes));
    return bytes === null ? null : textOfBytes(bytes);
  }

  /** All fields of a hash as text, or null. Rejects WRONG_TYPE, STORE_DOWN. */
  async getHash(key: Key): Promise<Record<string, string> | null> {
    const keyBytes = bytesOfKey(key);
    return this.#read(keyBytes, (workspace) => textOfFields(workspace.getHash(keyBytes)));
  }

  /** Sets a value, whatever was there. */
  set(key: Key, value: Value, options: SetOptions = {}): void {
    const keyBytes = bytesOfKey(key);
    const valueBytes = bytesOfValue(value);
    const ttlMs = checkedTtl(options.ttlMs);
    this.#writes.push((workspace) => {
      workspace.setString(keyBytes, valueBytes, ttlMs === null ? null : workspace.now + ttlMs);
    });
  }

  /** Sets fields of a hash; the others stay. */
  setHash(key: Key, fields: Readonly<Record<string, Value>>): void {
    const keyBytes = bytesOfKey(key);
    const entries = new Map(Object.entries(fields).map(([name, value]) => [bytesOfKey(name), bytesOfValue(value)]));
    this.#writes.push((workspace) => workspace.setFields(keyBytes, entries));
  }

  /** Removes a record, whatever it holds. */
  delete(key: Key): void {
    const keyBytes = bytesOfKey(key);
    this.#writes.push((workspace) => workspace.remove(keyBytes));
  }

  /** Adds to the integer at a key (absent: 0) and gives the sum. Rejects BAD_VALUE as `wb.increment` does. */
  async increment(key: Key, by: number = 1): Promise<number> {
    const keyBytes = bytesOfKey(key);
    const step = integerStep(by);
    const sum = await this.#read(keyBytes, (workspace) => incremented(workspace.getString(keyBytes), step));
    const number = safeNumber(sum);
    this.#writes.push((workspace) => workspace.updateString(keyBytes, String(number) as Bytes));
    return number;
  }

  /** The rows of a typed collection, in this transaction. */
  collection<Pattern extends string, Row, New>(
    of: Collection<Pattern, Row, New>,
  ): TransactionCollection<Pattern, Row, New> {
    const verbs = {
      read: <T>(key: Bytes, work: (workspace: Workspace) => T) => this.#read(key, work),
      write: (work: Write) => void this.#writes.push(work),
    };
    return new TransactionCollection(verbs, new RowWork(of, () => this.#heart.plan));
  }

  /** Applies the writes if nothing that was read has changed since. Rejects Conflict where something has. */
  async commit(): Promise<number> {
    const done = await this.#heart.execute(
      (workspace) => {
        for (const write of this.#writes) write(workspace);
      },
      { ...this.#options, watches: [...this.#watches.values()] },
    );
    return Math.max(done.sequence, this.#sequence);
  }

  /** Stops watching what was read. */
  end(): void {
    for (const watch of this.#watches.values()) watch.cancel();
  }

  async #read<T>(key: Bytes, read: (workspace: Workspace) => T): Promise<T> {
    if (!this.#watches.has(key)) this.#watches.set(key, this.#heart.watch(key));
    const done: Executed<T> = await this.#heart.view(
      (workspace) => {
        for (const write of this.#writes) write(workspace);
        return read(workspace);
      },
      { ...this.#options, watches: [...this.#watches.values()] },
    );
    this.#sequence = Math.max(this.#sequence, done.sequence);
    return done.value;
  }
}

/** Runs a transaction until it meets no conflict. Rejects UNKNOWN, having written nothing, after a thousand tries. */
export async function runTransaction<T>(
  heart: Heart,
  body: (tx: Transaction) => Promise<T>,
  options: WaitOptions,
): Promise<T> {
  for (let tries = 0; tries < triesMax; tries++) {
    options.signal?.throwIfAborted();
    const tx = new Transaction(heart, options);
    try {
      const value = await body(tx);
      const sequence = await tx.commit();
      await kept(heart, sequence);
      return value;
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    } finally {
      tx.end();
    }
  }
  throw new WriteBehindError("UNKNOWN", `the transaction met a conflict ${triesMax} times; nothing was written`, {
    hint: "make it shorter, or use increment and hash fields, which need no transaction",
  });
}
