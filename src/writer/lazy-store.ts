/**
 * A store that is made when it is first opened. So a driver that is missing, or a module that throws, is a failure to
 * open like any other: the writer says so and looks again.
 */
import type { Bytes } from "../bytes.js";
import type { RecordValue } from "../change.js";
import type { Batch, Page, Store, StoreClaim, StoreLimits, StoreOpened } from "../store/store.js";

/** A store behind the function that makes it. */
export class LazyStore implements Store {
  readonly #make: () => Promise<Store>;
  readonly #name: string;
  #store: Store | null = null;

  /** `name` is what it is called until it has been made. */
  constructor(name: string, make: () => Promise<Store>) {
    this.#name = name;
    this.#make = make;
  }

  get kind(): string {
    return this.#store?.kind ?? "unknown";
  }

  get place(): string {
    return this.#store?.place ?? this.#name;
  }

  get limits(): StoreLimits {
    return this.#made().limits;
  }

  async open(claim: StoreClaim): Promise<StoreOpened> {
    this.#store ??= await this.#make();
    return this.#store.open(claim);
  }

  commit(batch: Batch): Promise<void> {
    return this.#made().commit(batch);
  }

  read(...args: Parameters<Store["read"]>): Promise<readonly (RecordValue | null)[]> {
    return this.#made().read(...args);
  }

  scan(after: Bytes | null, limit: number, nowMs: number): Promise<Page> {
    return this.#made().scan(after, limit, nowMs);
  }

  async release(partition: number): Promise<void> {
    await this.#store?.release?.(partition);
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }

  #made(): Store {
    if (this.#store === null) throw new Error("broken invariant: the store is used before it is opened");
    return this.#store;
  }
}
