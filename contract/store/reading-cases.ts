/** Reading: many records, pages in byte order, beside a writer that commits. */
import assert from "node:assert/strict";
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import { remove } from "../../src/change.js";
import type { StoreCaseBody } from "./world.js";
import {
  bytes,
  everyKey,
  hash,
  logA,
  logB,
  rejectsAs,
  replace,
  trickyBytes,
  value,
  WriterLike,
} from "./writer-like.js";

const text = bytesOfText;

/** Reads and scans. */
export const readingCases: readonly StoreCaseBody[] = [
  {
    name: "read answers in the order asked, with null for what is not there, and the same record twice",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit([
        [text("a"), replace(text("1"))],
        [text("b"), replace(hash({ x: "2" }))],
      ]);
      const values = await writer.store.read([text("b"), text("?"), text("a"), text("b")]);
      assert.deepEqual(values, [value(hash({ x: "2" })), null, value(text("1")), value(hash({ x: "2" }))]);
      assert.deepEqual(await writer.store.read([]), []);
      await writer.store.close();
    },
  },
  {
    name: "read: a position that the store is not at any more, or another queue's, is `moved` and not answered",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const first = await writer.commit([[text("a"), replace(text("1"))]]);
      const second = await writer.commit([[text("a"), replace(text("2"))]]);
      for (const reached of [null, first.to, second.to]) {
        assert.deepEqual(await writer.store.read([text("a")], reached), [value(text("2"))]);
      }
      const later = { ...second.to, sequence: second.to.sequence + 1 };
      const foreign = { ...first.to, logId: logB };
      for (const reached of [later, foreign]) await rejectsAs("moved", writer.store.read([text("a")], reached));
      // Parked and unparked again the position is the same: only the generation tells a store that went back.
      const { generation } = writer;
      assert.deepEqual(await writer.store.read([text("a")], { ...second.to, generation }), [value(text("2"))]);
      await rejectsAs("moved", writer.store.read([text("a")], { ...second.to, generation: generation + 1 }));
      await writer.store.close();
    },
  },
  {
    name: "read gives an expired row as it is, scan leaves it out",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit([
        [text("a"), replace(text("1"), 1000)],
        [text("b"), replace(hash({}), 1001)],
        [text("c"), replace(text("3"))],
      ]);
      assert.deepEqual(await writer.value(text("a")), value(text("1"), 1000));
      assert.deepEqual(await everyKey(writer.store, 10, 999), ["a", "b", "c"]);
      assert.deepEqual(await everyKey(writer.store, 10, 1000), ["b", "c"]);
      assert.deepEqual(await everyKey(writer.store, 1, 1001), ["c"]);
      await writer.store.close();
    },
  },
  {
    name: "a scan goes through all keys in the order of their bytes, whatever the page size and whatever they look like",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit(trickyBytes.map((record) => [record, replace(text("x"))]));
      const sorted = [...trickyBytes].toSorted();
      for (const limit of [1, 2, 7, trickyBytes.length - 1, trickyBytes.length, trickyBytes.length + 1]) {
        assert.deepEqual(await everyKey(writer.store, limit, 0), sorted, `pages of ${limit}`);
      }
      await writer.store.close();
    },
  },
  {
    name: "a scan starts after any bytes, also such as are no key",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const keys = [text("a"), text("b"), text("é"), bytes(0x62, 0xff), bytes(0xff)].toSorted();
      await writer.commit(keys.map((record) => [record, replace(text("x"))]));
      const starts = [
        text(""),
        text("aa"),
        bytes(0x61, 0),
        bytes(0x62, 0xfe),
        bytes(0x62, 0xff),
        bytes(0xc3),
        bytes(0xc3, 0xff),
        bytes(0xfe),
        bytes(0xff),
        bytes(0xff, 0),
      ];
      for (const after of starts) {
        const { records, next } = await writer.store.scan(after, 100, 0);
        assert.deepEqual(
          records,
          keys.filter((record) => record > after),
          JSON.stringify(after),
        );
        assert.equal(next, null);
      }
      await writer.store.close();
    },
  },
  {
    name: "no read transaction outlives a page: rows may come and go between two",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit(["a", "c", "e"].map((name) => [text(name), replace(text("x"))]));
      const first = await writer.store.scan(null, 1, 0);
      assert.deepEqual(first, { records: ["a"], next: "a" });
      await writer.commit([
        [text("a"), remove],
        [text("b"), replace(text("x"))],
        [text("c"), remove],
      ]);
      assert.deepEqual(await writer.store.scan(first.next, 10, 0), { records: ["b", "e"], next: null });
      await writer.store.close();
    },
  },
  {
    name: "a connection that only reads is not opened, takes no claim, and sees every commit",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const reader = world.connect();
      await writer.commit([[text("a"), replace(text("1"))]]);
      assert.deepEqual(await reader.read([text("a")]), [value(text("1"))]);
      await writer.commit([[text("a"), replace(text("2"))]]);
      assert.deepEqual(await reader.read([text("a")]), [value(text("2"))]);
      assert.deepEqual(await reader.scan(null, 10, 0), { records: ["a"], next: null });
      await reader.close();
      await writer.commit([[text("a"), remove]]);
      await writer.store.close();
    },
  },
  {
    name: "a read beside a commit sees all of a batch or nothing of it",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const reader = world.connect();
      const both: readonly Bytes[] = [text("left"), text("right")];
      const fields = (n: number) => hash({ a: `${n}`, b: `${n}` });
      const write = (n: number) =>
        writer.commit(both.map((record) => [record, replace(n % 3 === 0 ? text(`${n}`) : fields(n))]));
      await write(0);
      const writes = (async () => {
        for (let n = 1; n <= 40; n++) await write(n);
      })();
      for (let n = 0; n < 40; n++) {
        const [left, right] = await reader.read(both);
        assert.deepEqual(left, right);
        const content = left?.content ?? "";
        if (typeof content !== "string") assert.equal(new Set(content.values()).size, 1);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writes;
      await reader.close();
      await writer.store.close();
    },
  },
  {
    name: "closing twice, or without ever opening, does no harm",
    run: async (world) => {
      const store = world.connect();
      await store.close();
      const { generation } = await store.open({ logId: logA });
      await store.close();
      await store.close();
      const to = { logId: logA, sequence: 1, tag: 1 };
      await rejectsAs(
        "moved",
        store.commit({ expected: null, generation, to, clear: false, rows: new Map(), sweepUpTo: null, parking: null }),
      );
      await store.close();
    },
  },
];
