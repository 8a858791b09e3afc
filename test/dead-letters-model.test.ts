/**
 * Promises 2 and 7 on the whole engine, against a naive model: a database that refuses what is bad, slow reads of it,
 * evictions, restarts, and people who mend, retry and discard in between. What is read is always the newest value, and
 * what was given up is the database's row.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOfText, textOfBytes, type Bytes } from "../src/bytes.js";
import { apply, type Content, type RecordValue } from "../src/change.js";
import { memoryStore, StoreError, type Batch, type Store, type WriteBehind } from "../src/index.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();

/** A record as the model has it: text, or fields; null where there is none. */
type Shown = string | Readonly<Record<string, string>> | null;

const strings = ["s0", "s1", "s2"];
const hashes = ["h0", "h1", "h2"];
const keys = [...strings, ...hashes];

type Operation =
  | { readonly op: "set"; readonly pairs: readonly (readonly [string, string])[] }
  | { readonly op: "field"; readonly key: string; readonly field: string; readonly value: string }
  | { readonly op: "delete"; readonly key: string }
  | { readonly op: "flush" | "mend" | "spoil" | "retry" | "evict" | "restart" }
  | { readonly op: "discard"; readonly letter: number; readonly behind: boolean };

const value = fc.constantFrom("1", "2", "bad");
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant("set" as const),
      pairs: fc.uniqueArray(fc.tuple(fc.constantFrom(...strings), value), {
        minLength: 1,
        maxLength: 2,
        selector: ([key]) => key,
      }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("field" as const),
      key: fc.constantFrom(...hashes),
      field: fc.constantFrom("a", "b", "c"),
      value,
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("delete" as const), key: fc.constantFrom(...keys) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom(...(["flush", "flush", "mend", "spoil", "retry", "evict", "restart"] as const)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("discard" as const), letter: fc.nat(2), behind: fc.boolean() }),
  },
);

const isBad = (content: Content): boolean =>
  typeof content === "string" ? content === "bad" : [...content.values()].some((each) => each === "bad");

/** A database that refuses rows with `bad` in them while it is strict, and whose reads arrive late. */
function pickyStore() {
  const inner = memoryStore();
  const picky = {
    strict: true,
    rows: () => inner.rows(),
    connect(): Store {
      const connection = inner.connect();
      return {
        kind: connection.kind,
        place: connection.place,
        limits: connection.limits,
        open: (claim) => connection.open(claim),
        scan: (after, limit, nowMs) => connection.scan(after, limit, nowMs),
        close: () => connection.close(),
        async read(records) {
          const rows = await connection.read(records);
          for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
          return rows;
        },
        commit: async (batch: Batch) => {
          for (const [record, change] of picky.strict ? batch.rows : []) {
            const row = apply(inner.rows().get(record) ?? null, change);
            if (row !== null && isBad(row.content)) throw new StoreError("refused", `${record} is bad`);
          }
          await connection.commit(batch);
        },
      };
    },
  };
  return picky;
}

function shownRow(row: RecordValue | undefined): Shown {
  if (row === undefined) return null;
  if (typeof row.content === "string") return textOfBytes(row.content);
  return Object.fromEntries([...row.content].map(([field, each]) => [textOfBytes(field), textOfBytes(each)]));
}

class World {
  readonly #db = pickyStore();
  readonly #data = folder();
  readonly #newest = new Map<string, Shown>();
  #wb!: WriteBehind;

  async open(): Promise<this> {
    const options = { data: this.#data, durability: "memory", cacheBytes: 1024 * 1024, retryMinMs: 1, retryMaxMs: 1 };
    this.#wb = await start(this.#db.connect(), options);
    return this;
  }

  async do(each: Operation): Promise<void> {
    // Begun before, and perhaps still on its way when it happens.
    const reads = each.op === "restart" ? [] : keys.map((key) => this.#read(key));
    const before = keys.map((key) => this.#newest.get(key) ?? null);
    await this.#perform(each);
    const seen = await Promise.all(reads);
    seen.forEach((one, index) => {
      const after = this.#newest.get(keys[index] as string) ?? null;
      expect([before[index], after], `${keys[index]} while ${JSON.stringify(each)}`).toContainEqual(one);
    });
    await this.check();
  }

  async check(): Promise<void> {
    for (const key of keys) expect([key, await this.#read(key)]).toEqual([key, this.#newest.get(key) ?? null]);
  }

  /** In the end nothing is refused any more, and the database has everything. */
  async end(): Promise<void> {
    this.#db.strict = false;
    await this.#wb.flush();
    await this.#wb.retryDeadLetters("all");
    expect(this.#wb.status().deadLetters).toMatchObject({ count: 0, bytes: 0, waitingBehind: 0, behindBytes: 0 });
    for (const key of keys) expect([key, this.#row(key)]).toEqual([key, this.#newest.get(key) ?? null]);
    await this.check();
    await this.#wb.close();
  }

  async #perform(each: Operation): Promise<void> {
    switch (each.op) {
      case "set":
        await this.#wb.setMany(each.pairs);
        for (const [key, one] of each.pairs) this.#newest.set(key, one);
        return;
      case "field": {
        await this.#wb.hash(each.key).set(each.field, each.value);
        const fields = (this.#newest.get(each.key) ?? {}) as Record<string, string>;
        this.#newest.set(each.key, { ...fields, [each.field]: each.value });
        return;
      }
      case "delete":
        await this.#wb.delete(each.key);
        this.#newest.delete(each.key);
        return;
      case "flush":
        await this.#wb.flush();
        return;
      case "mend":
      case "spoil":
        this.#db.strict = each.op === "spoil";
        return;
      case "retry":
        await this.#wb.retryDeadLetters("all");
        return;
      case "evict":
        return this.#evict();
      case "restart":
        await this.#wb.close();
        await this.open();
        return;
      case "discard":
        return this.#discard(each.letter, each.behind);
    }
  }

  async #evict(): Promise<void> {
    for (let n = 0; n < 14; n++) {
      await this.#wb.set(`large${n}`, "x".repeat(100_000));
      for (let use = 0; use < 3; use++) await this.#wb.get(`large${n}`);
    }
  }

  async #discard(place: number, behind: boolean): Promise<void> {
    // While changes of the record are pending, what is read is right only when those are stored.
    await this.#wb.flush();
    // And nothing heals by itself between the look and the deed.
    await this.#wb.pause();
    const letter = (await this.#wb.deadLetters()).items[place];
    const discarded = letter === undefined ? [] : (await this.#wb.discardDeadLetters([letter.id], { behind })).items;
    await this.#wb.resume();
    if (discarded[0]?.became !== "discarded") return;
    const given = new Set(discarded.map(({ id }) => id));
    for (const key of keys) {
      const { deadLetters } = await this.#wb.inspect(key);
      if (deadLetters.length === 0) this.#newest.set(key, this.#row(key));
      else expect(given.has(deadLetters[0] as string)).toBe(false);
    }
  }

  #row(key: string): Shown {
    return shownRow(this.#db.rows().get(bytesOfText(key)));
  }

  async #read(key: string): Promise<Shown> {
    return this.#wb.read((workspace) => {
      const content = workspace.get(key as Bytes);
      return content === null ? null : shownRow({ content, expiresAt: null });
    });
  }
}

test(
  "reads see the newest value, whatever is refused, mended, retried and discarded",
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40, size: "max" }), async (operations) => {
        const world = await new World().open();
        for (const each of operations) await world.do(each);
        await world.end();
      }),
      // Shrinking a failure ends in time to say what it was.
      { numRuns: 30, interruptAfterTimeLimit: 40_000 },
    );
  },
);
