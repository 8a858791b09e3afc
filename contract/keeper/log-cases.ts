/** The log of a partition: frames in order and whole, positions, trimming. */
import assert from "node:assert/strict";
import type { Bytes } from "../../src/bytes.js";
import type { Change } from "../../src/change.js";
import type { Frame, FrameOnDisk } from "../../src/queue/queue.js";
import {
  b,
  changesOf,
  fields,
  frame,
  merge,
  remove,
  replace,
  Shop,
  telling,
  value,
  type KeeperCaseBody,
} from "./world.js";

const sequenceOf = ({ frame: each }: FrameOnDisk): number => each.position.sequence;

/** Six frames in three calls: 1; 2, 3, 4; 5, 6. */
async function threeCalls(shop: Shop): Promise<void> {
  const set = (record: string) => frame([[record, replace(b("x".repeat(100)))]]);
  const mixed = (record: string) => frame([[record, merge({ x: "x".repeat(100) })]]);
  assert.deepEqual(await shop.writeAll([set("a")]), [1]);
  assert.deepEqual(await shop.writeAll([set("c"), set("a"), set("d")]), [2, 3, 4]);
  assert.deepEqual(await shop.writeAll([mixed("e"), frame([["a", remove]])]), [5, 6]);
}

/** Frames and positions. */
export const logCases: readonly KeeperCaseBody[] = [
  {
    name: "frames come back as they were written, in order, at the keeper's time",
    run: async (world) => {
      const shop = await Shop.open(world);
      const before = await shop.now();
      const written = [
        frame([["a", replace(b("1"))]]),
        frame([
          ["a", merge({ x: "1", "": "" }, ["y"], null)],
          ["c", { kind: "replace", content: b(""), expiresAt: 7, afterRemove: true }],
          ["d", remove],
          ["e", replace(fields({ x: "1" }))],
          ["f", { kind: "replace", content: b("1"), expiresAt: null, afterRemove: true }],
        ]),
        frame([]),
      ];
      await shop.writeAll([written[0] as never]);
      await shop.writeAll(written.slice(1));
      const found = await shop.frames();
      assert.deepEqual(
        found.map(changesOf),
        written.map(({ changes }) => changes),
      );
      const after = await shop.now();
      for (const { at } of found) assert.ok(at >= before && at <= after);
      assert.deepEqual(
        found.map(({ position }) => position.sequence),
        [1, 2, 3],
      );
      assert.deepEqual((await shop.state()).head, found.at(-1)?.position);
      assert.deepEqual(await shop.keeper.write(0, [], { bytes: 1, records: 1, ageMs: 0 }), []);
    },
  },
  {
    name: "frames after a sequence, also one in the midst of a call",
    run: async (world) => {
      const shop = await Shop.open(world);
      await threeCalls(shop);
      for (let after = 0; after <= 7; after++) {
        const sequences = (await shop.keeper.frames(0, after, 1e9)).map(sequenceOf);
        assert.deepEqual(sequences, [1, 2, 3, 4, 5, 6].slice(after));
      }
    },
  },
  {
    name: "frames are limited by bytes, and at least what one call wrote",
    run: async (world) => {
      const shop = await Shop.open(world);
      await threeCalls(shop);
      const upTo = async (after: number, bytesMax: number) =>
        (await shop.keeper.frames(0, after, bytesMax)).map(sequenceOf);
      assert.deepEqual(await upTo(0, 1), [1]);
      assert.deepEqual(await upTo(1, 1), [2, 3, 4]);
      assert.deepEqual(await upTo(2, 1), [3, 4]);
      assert.deepEqual(await upTo(4, 0), [5, 6]);
      const all = await shop.keeper.frames(0, 0, 1e9);
      assert.deepEqual(await upTo(0, 500), [1, 2, 3, 4]);
      assert.deepEqual(await upTo(0, 300), [1]);
      const bytes = all.reduce((sum, each) => sum + each.bytes, 0);
      assert.deepEqual(bytes, (await shop.state()).pendingBytes);
      for (let number = 0; number < 40; number++) await shop.write([`n${number}`, replace(b("1"))]);
      assert.equal((await upTo(6, 1e9)).length, 40);
      assert.deepEqual((await upTo(6, 150)).slice(0, 2), [7, 8]);
    },
  },
  {
    name: "the position of every frame can be asked for; frames that are not there have none",
    run: async (world) => {
      const shop = await Shop.open(world);
      assert.equal(await shop.keeper.positionAt(0, 1), null);
      await threeCalls(shop);
      for (const { position } of await shop.frames()) {
        assert.deepEqual(await shop.keeper.positionAt(0, position.sequence), position);
      }
      assert.equal(await shop.keeper.positionAt(0, 0), null);
      assert.equal(await shop.keeper.positionAt(0, 7), null);
    },
  },
  {
    name: "frames of equal content have different tags, in one call, in two, and by two processes",
    run: async (world) => {
      const shop = await Shop.open(world);
      const other = await Shop.open(world);
      const plain = frame([["a", replace(b("1"))]]);
      const mixed = frame([["a", merge({ x: "1" })]]);
      await shop.writeAll([plain, plain]);
      await shop.writeAll([plain]);
      await other.writeAll([plain]);
      await shop.writeAll([mixed, mixed]);
      await other.writeAll([mixed]);
      const tags = new Set((await shop.frames()).map(({ position }) => position.tag));
      assert.equal(tags.size, 7);
    },
  },
  {
    name: "a frame of thousands of changes is one frame, and they are all there",
    run: async (world) => {
      const shop = await Shop.open(world);
      const numbers = Array.from({ length: 2500 }, (_, number) => number);
      const changes = numbers.map((number) => {
        if (number % 3 === 0) return [`r${number}`, replace(b(`${number}`))] as const;
        return [`r${number}`, number % 3 === 1 ? merge({ x: `${number}` }) : replace(fields({ y: "1" }))] as const;
      });
      const big = frame(changes);
      assert.equal(await shop.write(["first", replace(b("1"))]), 1);
      assert.deepEqual(await shop.writeAll([big, frame([["last", remove]])]), [2, 3]);
      const [found] = (await shop.frames(1)) as [Frame];
      assert.deepEqual(changesOf(found), big.changes);
      await shop.is("r2499", value(b("2499")));
      await shop.is("r2498", value(fields({ y: "1" })));
      const { pendingRecords, pendingBytes } = await shop.state();
      assert.equal(pendingRecords, 2502);
      const all = await shop.keeper.frames(0, 0, 1e9);
      assert.equal(
        pendingBytes,
        all.reduce((sum, each) => sum + each.bytes, 0),
      );
      const { records } = await shop.keeper.read(
        changes.map(([record]) => ({ partition: 0, record: b(record) })),
        "l",
      );
      assert.equal(records.filter(({ state }) => state === "unknown").length, 833);
    },
  },
  {
    name: "a hash of 20,000 fields, known and laid over, and a value of 1 MB",
    run: async (world) => {
      const shop = await Shop.open(world);
      const many = new Map(Array.from({ length: 20_000 }, (_, n) => [b(`field ${n}`), b(`${n}`)] as const));
      const laid: Change = { kind: "merge", fields: { set: many, unset: new Set() }, expiresAt: null };
      await shop.write(["hash", replace(many)], ["over", laid]);
      await shop.is("hash", value(many));
      const over = await shop.known("over", "mine");
      assert.deepEqual(over.state === "unknown" && over.overlay?.set, many);
      const loaded = { content: many, expiresAt: null };
      assert.deepEqual(await shop.keeper.fill(0, "mine", [{ record: b("over"), value: loaded, freshMs: 1000 }]), [
        true,
      ]);
      await shop.is("over", value(many));
      await shop.write([
        "hash",
        { kind: "merge", fields: { set: new Map(), unset: new Set(many.keys()) }, expiresAt: null },
      ]);
      await shop.is("hash", value(fields({})));
      const large = "\xff".repeat(1024 * 1024) as Bytes;
      await shop.write(["large", replace(large)]);
      await shop.write(["large", replace(large, 9_000_000_000_000)]);
      await shop.is("large", value(large, 9_000_000_000_000));
      const [first, second] = (await shop.frames(2)).map((each) => changesOf(each)[0]?.change);
      assert.deepEqual(first, replace(large));
      assert.deepEqual(second, replace(large, 9_000_000_000_000));
    },
  },
  {
    name: "trimming keeps the frame that it trims to, and the frames written with it",
    run: async (world) => {
      const shop = await Shop.open(world);
      await threeCalls(shop);
      const frames = await shop.frames();
      const claim = await shop.claim();
      const trim = async (trimTo: number) => {
        const last = frames[5] as Frame;
        const stored = { position: last.position, at: last.at, generation: 1, trimTo, bytes: 0, settled: null };
        await shop.keeper.stored(claim, stored, telling());
        return (await shop.frames()).map(({ position }) => position.sequence);
      };
      assert.deepEqual(await trim(0), [1, 2, 3, 4, 5, 6]);
      assert.deepEqual(await trim(1), [1, 2, 3, 4, 5, 6]);
      assert.deepEqual(await trim(3), [2, 3, 4, 5, 6]);
      assert.deepEqual(await shop.keeper.positionAt(0, 3), frames[2]?.position);
      assert.equal(await shop.keeper.positionAt(0, 1), null);
      assert.deepEqual(await trim(6), [5, 6]);
      assert.equal(await shop.write(["a", replace(b("1"))]), 7);
    },
  },
];
