/** A store that is asked to fail or to be slow: the database of a lesson that shows what happens then. */
import type { Batch, Store, StoreClaim } from "../store/store.js";

/** Called before the store is asked; what it throws, the store throws. `rows`: of the batch that is committed, else 0. */
export type BeforeStore = (verb: "open" | "commit" | "read" | "scan", rows: number) => Promise<void>;

/** The store behind it, with something before each verb. */
export class HinderedStore implements Store {
  readonly kind: string;
  readonly place: string;
  readonly limits: Store["limits"];
  readonly #store: Store;
  readonly #before: BeforeStore;

  constructor(store: Store, before: BeforeStore, limits = store.limits) {
    this.#store = store;
    this.#before = before;
    this.kind = store.kind;
    this.place = store.place;
    this.limits = limits;
  }

  async open(claim: StoreClaim): ReturnType<Store["open"]> {
    await this.#before("open", 0);
    return this.#store.open(claim);
  }

  async commit(batch: Batch): Promise<void> {
    await this.#before("commit", batch.rows.size);
    await this.#store.commit(batch);
  }

  async read(...args: Parameters<Store["read"]>): ReturnType<Store["read"]> {
    await this.#before("read", 0);
    return this.#store.read(...args);
  }

  async scan(...args: Parameters<Store["scan"]>): ReturnType<Store["scan"]> {
    await this.#before("scan", 0);
    return this.#store.scan(...args);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
