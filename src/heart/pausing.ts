/** Whether the writer is to stand still: a wish of an operator that outlives a restart, and whose last word holds. */
import type { OwnedFolder } from "./owned-folder.js";

/** The wish of one instance. */
export class Pausing {
  /** Whether it is to stand still. */
  on = false;
  readonly #folder: OwnedFolder;
  #pauses = 0;

  constructor(folder: OwnedFolder) {
    this.#folder = folder;
  }

  /** What the folder remembers of the time before. */
  async recall(): Promise<void> {
    this.on = await this.#folder.isPaused();
  }

  /** Does `stand` at once; resolves when that is done and the folder remembers the wish. */
  async begin(stand: () => Promise<void> | undefined): Promise<void> {
    this.on = true;
    this.#pauses++;
    await Promise.all([stand(), this.#folder.rememberPause(true)]);
  }

  /** Does `goOn` when the folder has forgotten the wish, unless it was expressed again meanwhile. */
  async end(goOn: () => void): Promise<void> {
    const pauses = this.#pauses;
    await this.#folder.rememberPause(false);
    if (this.#pauses !== pauses) return;
    this.on = false;
    goOn();
  }
}
