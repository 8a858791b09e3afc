/** Position: compared and set with the rows, or nothing happens. */
import assert from "node:assert/strict";
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import { remove, type Change } from "../../src/change.js";
import type { StoreCaseBody } from "./world.js";
import { logA, logB, rejectsAs, replace, value, WriterLike } from "./writer-like.js";

const key = bytesOfText("user:1:name");
const alice = replace(bytesOfText("Alice"));
const bob = replace(bytesOfText("Bob"));

/** Opening, committing, and the ways in which a commit must not happen. */
export const positionCases: readonly StoreCaseBody[] = [
  {
    name: "an empty database opens without a position",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      assert.equal(writer.position, null);
      assert.equal(await writer.value(key), null);
      assert.deepEqual(await writer.store.scan(null, 10, 0), { records: [], next: null });
      assert.ok(writer.store.kind.length > 0 && writer.store.place.length > 0);
      await writer.store.close();
    },
  },
  {
    name: "rows and position survive close and open",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const { to } = await writer.commit([[key, alice]]);
      await writer.store.close();
      const again = await WriterLike.open(world);
      assert.deepEqual(again.position, to);
      assert.deepEqual(await again.value(key), value(bytesOfText("Alice")));
      await again.commit([[key, bob]]);
      assert.deepEqual(await again.value(key), value(bytesOfText("Bob")));
      await again.store.close();
    },
  },
  {
    name: "the same store opens again after close, and while it is open",
    run: async (world) => {
      const { store, generation } = await WriterLike.open(world);
      const second = await store.open({ logId: logA });
      assert.ok(second.generation > generation);
      await store.close();
      const third = await store.open({ logId: logA });
      assert.ok(third.generation > second.generation);
      await store.close();
      await store.close();
    },
  },
  {
    name: "a sequence and a tag of the largest size are kept",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const to = { logId: logA, sequence: Number.MAX_SAFE_INTEGER, tag: 0xffffffff };
      await writer.commit([], { to });
      await writer.commit([], { to: { ...to, tag: 0 } });
      const { position } = await writer.store.open({ logId: logA });
      assert.deepEqual(position, { ...to, tag: 0 });
      await writer.store.close();
    },
  },
  {
    name: "a commit that expects another position is `moved` and changes nothing",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const { to } = await writer.commit([[key, alice]]);
      const wrong = [
        null,
        { ...to, sequence: to.sequence + 1 },
        { ...to, sequence: to.sequence - 1 },
        { ...to, tag: to.tag ^ 1 },
        { ...to, logId: logB },
      ];
      for (const expected of wrong) {
        await rejectsAs("moved", writer.store.commit(writer.batch([[key, bob]], { expected, clear: true })));
      }
      assert.deepEqual(await writer.value(key), value(bytesOfText("Alice")));
      await writer.commit([[key, bob]]);
      assert.deepEqual(await writer.value(key), value(bytesOfText("Bob")));
      await writer.store.close();
    },
  },
  {
    name: "a first commit that expects a position is `moved`",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const expected = { logId: logA, sequence: 0, tag: 0 };
      await rejectsAs("moved", writer.store.commit(writer.batch([[key, alice]], { expected })));
      assert.equal(await writer.value(key), null);
      await writer.store.close();
    },
  },
  {
    name: "a commit whose answer was lost is `moved` when it is sent again, and opening tells that it had happened",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const batch = await writer.commit([[key, alice]]);
      await rejectsAs("moved", writer.store.commit(batch));
      const opened = await writer.store.open({ logId: logA });
      assert.deepEqual(opened.position, batch.to);
      await writer.store.close();
    },
  },
  {
    name: "a writer back from the dead changes nothing: its generation is an old one",
    run: async (world) => {
      const old = await WriterLike.open(world);
      await old.commit([[key, alice]]);
      const young = await WriterLike.open(world);
      assert.ok(young.generation > old.generation);
      await rejectsAs("moved", old.store.commit(old.batch([[key, bob]])));
      assert.deepEqual(await young.value(key), value(bytesOfText("Alice")));
      await young.commit([[key, remove]]);
      await rejectsAs("moved", old.store.commit(old.batch([[key, bob]], { expected: young.position })));
      assert.equal(await young.value(key), null);
      await old.store.close();
      await young.commit([[key, bob]]);
      await young.store.close();
    },
  },
  {
    name: "a batch that stays where it is passes, and may pass again",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const { to } = await writer.commit([[key, alice]]);
      await writer.commit([], { to });
      await writer.commit([], { to });
      assert.deepEqual((await writer.store.open({ logId: logA })).position, to);
      await writer.store.close();
    },
  },
  {
    name: "a batch that fails in the middle leaves rows and position as they were",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit([[key, alice]]);
      const failing: Change = {
        kind: "replace",
        get content(): Bytes {
          throw new RangeError("planted");
        },
        expiresAt: null,
        afterRemove: false,
      };
      const other = (n: number): [Bytes, Change] => [bytesOfText(`other:${n}`), bob];
      const numbers = Array.from({ length: 50 }, (_, n) => n);
      const rows = [
        [key, bob] as const,
        ...numbers.map(other),
        [bytesOfText("failing"), failing] as const,
        ...numbers.map((n) => other(n + 50)),
      ];
      await assert.rejects(writer.store.commit(writer.batch(rows)), RangeError);
      await assert.rejects(writer.store.commit(writer.batch(rows, { clear: true })), RangeError);
      assert.deepEqual(await writer.value(key), value(bytesOfText("Alice")));
      assert.deepEqual((await writer.store.scan(null, 1000, 0)).records, [key]);
      await writer.commit([[key, bob]]);
      assert.deepEqual(await writer.value(key), value(bytesOfText("Bob")));
      await writer.store.close();
    },
  },
];
