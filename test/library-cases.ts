/** What a program may rely on of the library, wherever cache, queue and database are. */
import { describe, expect, test } from "vitest";
import type { WriteBehind, WriteBehindOptions } from "../src/index.js";

/** A row of `write_behind_kv`. */
interface KvRow {
  readonly key: string;
  readonly type: string;
  readonly value: string | null;
}

/** An open library, and its database. */
interface Opened {
  readonly wb: WriteBehind;
  /** What names its cache, its queue and its database: to open them again. */
  readonly data: string;
  readonly rows: () => Promise<readonly KvRow[]>;
}

/** Opens it: a new one, or one that was there before and is closed. It is closed after the test. */
export type Setup = (options?: Partial<WriteBehindOptions>, data?: string) => Promise<Opened>;

/** The cases; one of them is a transaction of so many records. */
export function libraryCases(setup: Setup, recordsMany: number): void {
  describe("set and get", () => {
    test("a value is there at once, and in the database after stored()", async () => {
      const { wb, rows } = await setup();
      const receipt = await wb.set("user:1:name", "Alice");
      expect(await wb.get("user:1:name")).toBe("Alice");
      await receipt.stored();
      expect(await rows()).toEqual([{ key: "user:1:name", type: "string", value: "Alice" }]);
    });

    test("values are text, numbers, big integers and bytes", async () => {
      const { wb } = await setup();
      await wb.set("n", 1.5);
      await wb.set("b", 2n ** 63n);
      await wb.set("bytes", Uint8Array.of(0, 255, 128));
      await wb.set(Uint8Array.of(1, 2, 200), "binary key");
      expect(await wb.getMany(["n", "b", "nothing"])).toEqual(["1.5", "9223372036854775808", null]);
      expect(await wb.getBytes("bytes")).toEqual(Buffer.from([0, 255, 128]));
      expect(await wb.get(Uint8Array.of(1, 2, 200))).toBe("binary key");
    });

    test("an object is a TypeError whose hint names hash and json", async () => {
      const { wb } = await setup();
      const error = await wb.set("k", { a: 1 } as never).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as { hint: string }).hint).toMatch(/hash.*json/);
    });

    test("a record that is not in memory is read from the database", async () => {
      const first = await setup();
      await first.wb.set("k", "v");
      await first.wb.hash("h").set({ a: 1, b: "two" });
      expect((await first.wb.close()).drained).toBe(true);
      const { wb } = await setup({}, first.data);
      expect(await wb.get("k")).toBe("v");
      expect(await wb.hash("h").getAll()).toEqual({ a: "1", b: "two" });
      expect(await wb.get("nothing")).toBeNull();
    });

    test("many values set together are one frame", async () => {
      const { wb } = await setup();
      await wb.pause();
      await wb.setMany([
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ]);
      const step = await wb.step();
      expect(step.batch).toMatchObject({ changes: 3, records: 3 });
      expect(await wb.step()).toEqual({ batch: null });
    });
  });

  describe("counters, hashes, json", () => {
    test("increment counts from what the database holds", async () => {
      const first = await setup();
      expect(await first.wb.increment("n")).toBe(1);
      expect(await first.wb.increment("n", 41)).toBe(42);
      await first.wb.close();
      const { wb } = await setup({}, first.data);
      expect(await wb.increment("n", -2)).toBe(40);
    });

    test("increments from many callers at once are all counted", async () => {
      const { wb } = await setup();
      await Promise.all(Array.from({ length: 500 }, () => wb.increment("n")));
      expect(await wb.get("n")).toBe("500");
    });

    test("a hash merges its fields", async () => {
      const { wb } = await setup();
      const user = wb.hash("user:1");
      await user.set("name", "Alice");
      await user.set({ age: 30, city: "Ulm" });
      expect(await user.increment("age")).toBe(31);
      await user.delete("city");
      expect(await user.getAll()).toEqual({ name: "Alice", age: "31" });
      await expect(wb.get("user:1")).rejects.toMatchObject({ code: "WRONG_TYPE" });
      await user.delete("name", "age");
      expect(await user.getAll()).toBeNull();
    });

    test("json keeps any shape", async () => {
      const { wb } = await setup();
      const cart = wb.json<{ items: number[] }>("cart:7");
      expect(await cart.get()).toBeNull();
      await cart.set({ items: [1, 2] });
      expect(await cart.get()).toEqual({ items: [1, 2] });
    });
  });

  describe("expiry", () => {
    test("an ended record is gone, and does not come back from the database", async () => {
      const { wb } = await setup();
      const receipt = await wb.set("k", "v", { ttlMs: 30 });
      await receipt.stored();
      await until(async () => (await wb.get("k")) === null);
      expect(await wb.expire("k", 1000)).toBe(false);
    });

    test("a time to live must be a whole number", async () => {
      const { wb } = await setup();
      await expect(wb.set("k", "v", { ttlMs: 0.5 })).rejects.toMatchObject({ code: "BAD_VALUE" });
    });
  });

  describe("transactions", () => {
    test("what is read and written in one is applied as one frame", async () => {
      const { wb } = await setup();
      await wb.setMany([
        ["from", 100],
        ["to", 0],
      ]);
      await wb.flush();
      await wb.pause();
      await wb.transaction(async (tx) => {
        const from = Number(await tx.get("from"));
        tx.set("from", from - 30);
        tx.set("to", Number(await tx.get("to")) + 30);
        expect(await tx.get("from")).toBe("70");
      });
      expect((await wb.step()).batch).toMatchObject({ changes: 2 });
      expect(await wb.getMany(["from", "to"])).toEqual(["70", "30"]);
    });

    test("a conflict runs it again", async () => {
      const { wb } = await setup();
      await wb.set("n", 1);
      let runs = 0;
      await wb.transaction(async (tx) => {
        runs++;
        const n = Number(await tx.get("n"));
        if (runs === 1) await wb.set("n", 10);
        tx.set("n", n + 1);
      });
      expect([runs, await wb.get("n")]).toEqual([2, "11"]);
    });

    test("a conflict on what it counts up runs it again", async () => {
      const { wb } = await setup();
      await wb.increment("n");
      let runs = 0;
      const seen = await wb.transaction(async (tx) => {
        runs++;
        const n = await tx.increment("n");
        if (runs === 1) await wb.increment("n");
        return n;
      });
      expect([runs, seen, await wb.get("n")]).toEqual([2, 3, "3"]);
    });

    test("counting up in transactions from many callers gives each a number of its own", async () => {
      const { wb } = await setup();
      const numbers = await Promise.all(Array.from({ length: 20 }, () => wb.transaction((tx) => tx.increment("next"))));
      expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    });

    test("what the body throws ends it with nothing written", async () => {
      const { wb } = await setup();
      const failed = wb.transaction(async (tx) => {
        tx.set("k", "v");
        throw new Error("no");
      });
      await expect(failed).rejects.toThrow("no");
      expect(await wb.get("k")).toBeNull();
    });
  });

  describe("the writer", () => {
    test("put and delete in one window leave nothing", async () => {
      const { wb, rows } = await setup();
      await wb.pause();
      await wb.set("k", "v");
      await wb.delete("k");
      expect(await wb.get("k")).toBeNull();
      await wb.step();
      expect(await rows()).toEqual([]);
    });

    test("delete, then put: the new value is there", async () => {
      const { wb, rows } = await setup();
      await wb.set("k", "old");
      await wb.flush();
      await wb.pause();
      await wb.delete("k");
      await wb.set("k", "new");
      await wb.step();
      expect(await rows()).toEqual([{ key: "k", type: "string", value: "new" }]);
    });

    test("a flush while paused is refused with the hint resume, also one that waits already", async () => {
      const { wb } = await setup({ delayMs: 60_000 });
      await wb.pause();
      await wb.set("k", "v");
      await expect(wb.flush()).rejects.toMatchObject({ hint: "resume" });
      await wb.resume();
      await wb.flush();
      expect(wb.status().queue.pendingChanges).toBe(0);
    });

    test("pause outlives a restart", async () => {
      const first = await setup();
      await first.wb.pause();
      await first.wb.set("k", "v");
      expect(await first.wb.close()).toMatchObject({ drained: false, pendingChanges: 1 });
      const { wb, rows } = await setup({}, first.data);
      expect(wb.status()).toMatchObject({ state: "paused", queue: { pendingChanges: 1, pendingRecords: 1 } });
      expect(await wb.get("k")).toBe("v");
      expect(await rows()).toEqual([]);
      await wb.resume();
      await wb.flush();
      expect(await rows()).toHaveLength(1);
    });

    test("a record updated without pause is still stored within the delay", async () => {
      const { wb, rows } = await setup({ delayMs: 20 });
      const first = await wb.set("k", 0);
      let going = true;
      const updates = (async () => {
        for (let n = 1; going; n++) await wb.set("k", n);
      })();
      await until(async () => (await rows()).length > 0);
      await first.stored();
      expect(await rows()).toHaveLength(1);
      going = false;
      await updates;
    });

    test("inspect shows cache, queue and database side by side", async () => {
      const { wb } = await setup();
      await wb.set("k", "one");
      await wb.flush();
      await wb.pause();
      await wb.set("k", "two");
      expect(await wb.inspect("k")).toMatchObject({
        key: "k",
        cache: { state: "present", value: { type: "string", value: "two" } },
        queue: [{ kind: "replace", value: { value: "two" } }],
        database: { value: { type: "string", value: "one" }, error: null },
      });
    });
  });

  describe("opening and closing", () => {
    test("after close every write is refused", async () => {
      const { wb } = await setup();
      await wb.close();
      await expect(wb.set("k", "v")).rejects.toMatchObject({ code: "CLOSED" });
      await expect(wb.get("k")).rejects.toMatchObject({ code: "CLOSED" });
    });
  });

  test("a transaction of very many records can be flushed by its keys, and looked at", async () => {
    const { wb } = await setup();
    await wb.pause();
    const keys = Array.from({ length: recordsMany }, (_, n) => `k${n}`);
    await wb.setMany(keys.map((key) => [key, "v"] as const));
    expect((await wb.heart.pending(10, null)).items).toHaveLength(keys.length);
    expect((await wb.inspect("k7")).queue).toHaveLength(1);
    await wb.resume();
    await wb.flush({ keys });
    expect(wb.status().queue.pendingChanges).toBe(0);
  });

  test("a hash shows its fields in one order, from memory and from the database", async () => {
    const first = await setup();
    await first.wb.hash("h").set({ g: 1, f: 2, "\u00e9": 3, "10": 4 });
    const inMemory = Object.keys((await first.wb.hash("h").getAll()) ?? {});
    await first.wb.close();
    const { wb } = await setup({}, first.data);
    expect(Object.keys((await wb.hash("h").getAll()) ?? {})).toEqual(inMemory);
  });
}

async function until(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setImmediate(resolve));
}
