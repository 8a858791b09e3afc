/** One hash record of the library: fields that are set, read and merged by name. */
import { bytesOfText, textOfBytes, type Bytes } from "../bytes.js";
import type { WaitOptions } from "../heart.js";
import type { Receipt, Verbs } from "./receipt.js";
import { bytesOfValue, incremented, integerStep, safeNumber, textOfFields, type Value } from "./values.js";

/** The hash at one key. Fields are text. */
export class HashHandle {
  readonly #wb: Verbs;
  readonly #key: Bytes;

  constructor(wb: Verbs, key: Bytes) {
    this.#wb = wb;
    this.#key = key;
  }

  /** One field as text, or null. */
  async get(field: string, options?: WaitOptions): Promise<string | null> {
    const name = bytesOfText(field);
    const value = await this.#wb.read((workspace) => workspace.getHash(this.#key)?.get(name) ?? null, options);
    return value === null ? null : textOfBytes(value);
  }

  /** All fields, or null where there is no such record. */
  async getAll(options?: WaitOptions): Promise<Record<string, string> | null> {
    return this.#wb.read((workspace) => textOfFields(workspace.getHash(this.#key)), options);
  }

  /** Sets one field, or several at once; the others stay. */
  async set(field: string, value: Value, options?: WaitOptions): Promise<Receipt>;
  async set(fields: Readonly<Record<string, Value>>, options?: WaitOptions): Promise<Receipt>;
  async set(
    first: string | Readonly<Record<string, Value>>,
    second?: Value | WaitOptions,
    third?: WaitOptions,
  ): Promise<Receipt> {
    const given = typeof first === "string" ? { [first]: second as Value } : first;
    const options = typeof first === "string" ? third : (second as WaitOptions | undefined);
    const fields = new Map(Object.entries(given).map(([name, value]) => [bytesOfText(name), bytesOfValue(value)]));
    return this.#wb.write((workspace) => {
      if (fields.size > 0) workspace.setFields(this.#key, fields);
    }, options);
  }

  /** Takes fields away; with its last field the record is gone. */
  async delete(...fields: readonly string[]): Promise<Receipt> {
    const names = fields.map(bytesOfText);
    return this.#wb.write((workspace) => workspace.unsetFields(this.#key, names));
  }

  /** Adds to the integer in a field (absent: 0) and gives the sum. */
  async increment(field: string, by: number = 1, options?: WaitOptions): Promise<number> {
    const name = bytesOfText(field);
    const step = integerStep(by);
    return this.#wb.run((workspace) => {
      const current = workspace.getHash(this.#key)?.get(name) ?? null;
      const sum = safeNumber(incremented(current, step));
      workspace.setFields(this.#key, new Map([[name, String(sum) as Bytes]]));
      return sum;
    }, options);
  }
}
