/** What a case of the store's suite is, and the database it gets. */
import type { Store } from "../../src/store/store.js";

/** An empty database, made for one case. */
export interface StoreWorld {
  /** Another connection to it. The case closes it. */
  connect(): Store;
  /** Makes the claim look as if its owner had been silent for so many milliseconds more. */
  age(ms: number): Promise<void>;
  /** Deletes the database. */
  end(): Promise<void>;
}

/** One case before it has a database: a sentence, and what proves it. */
export interface StoreCaseBody {
  readonly name: string;
  readonly run: (world: StoreWorld) => Promise<void>;
}
