/** One record of the library that holds a JSON value. */
import type { WaitOptions } from "../heart.js";
import { WriteBehindError } from "../errors.js";
import type { Receipt, SetOptions, Verbs } from "./receipt.js";
import { bytesOfText, textOfBytes, type Bytes } from "../bytes.js";
import { checkedTtl } from "./values.js";

/** The JSON value at one key, stored as its text. */
export class JsonHandle<T> {
  readonly #wb: Verbs;
  readonly #key: Bytes;

  constructor(wb: Verbs, key: Bytes) {
    this.#wb = wb;
    this.#key = key;
  }

  /** The value, or null. Rejects BAD_VALUE where the record is not JSON. */
  async get(options?: WaitOptions): Promise<T | null> {
    const bytes = await this.#wb.read((workspace) => workspace.getString(this.#key), options);
    if (bytes === null) return null;
    try {
      return JSON.parse(textOfBytes(bytes)) as T;
    } catch (cause) {
      throw new WriteBehindError("BAD_VALUE", `the record is not JSON: ${(cause as Error).message}`, { cause });
    }
  }

  /** Sets the whole value. Rejects BAD_VALUE for what JSON cannot hold. */
  async set(value: T, options: SetOptions = {}): Promise<Receipt> {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new WriteBehindError("BAD_VALUE", `JSON has no form for a ${typeof value}`);
    const bytes = bytesOfText(text);
    const ttlMs = checkedTtl(options.ttlMs);
    return this.#wb.write((workspace) => {
      workspace.setString(this.#key, bytes, ttlMs === null ? null : workspace.now + ttlMs);
    }, options);
  }
}
