/** What a fleet remembers of its routes: a note beside it, as routes.json is beside a journal. */
import { foundIn, textOf, type Found, type Remembered, type RoutesMemory } from "../../heart/routes-file.js";
import type { Keeper } from "../keeper.js";

const name = "routes";

/** The note. */
export class RoutesNote implements RoutesMemory {
  readonly path: string;
  readonly #keeper: Keeper;
  #text: string | null = null;

  constructor(keeper: Keeper) {
    this.#keeper = keeper;
    this.path = `the note "${name}" in the Redis at ${keeper.place}`;
  }

  async read(): Promise<Found> {
    this.#text = await this.#keeper.note(name);
    return foundIn(this.#text, this.path);
  }

  /** Another process may have replaced it meanwhile: then that one counts, and `read` tells what it says. */
  async replace(remembered: Remembered): Promise<void> {
    const text = textOf(remembered);
    if (text === this.#text) return;
    if (await this.#keeper.putNote(name, this.#text, text)) this.#text = text;
    else await this.read();
  }

  /** The fingerprint of the routes under which changes are queued now; null where none is noted. */
  async fingerprint(): Promise<string | null> {
    const found = await this.read();
    return typeof found === "string" ? null : found.fingerprint;
  }
}
