/** Dead letters: kept with the position or not at all, and given back as they were. */
import assert from "node:assert/strict";
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import { remove, type Change } from "../../src/change.js";
import type { Behind, Letter, ParkedGroup } from "../../src/store/store.js";
import { randomChange, seeded } from "./random-changes.js";
import type { StoreCaseBody } from "./world.js";
import { hash, logA, merge, rejectsAs, replace, trickyBytes, value, WriterLike } from "./writer-like.js";

const alice = replace(bytesOfText("Alice"));
const [a, b, c] = ["user:a", "user:b", "user:c"].map(bytesOfText) as [Bytes, Bytes, Bytes];

function letter(sequence: number, changes: Iterable<readonly [Bytes, Change]>, more: Partial<Letter> = {}): Letter {
  const position = { logId: logA, sequence, tag: sequence * 7 };
  const list = [...changes].map(([record, change]) => ({ record, change }));
  return {
    position,
    changes: list,
    reason: "CHECK constraint failed: é",
    refusedAt: 1_700_000_000_000,
    tries: 1,
    ...more,
  };
}

function behind(sequence: number, change: Change, frames = 1): Behind {
  return { position: { logId: logA, sequence, tag: sequence * 7 }, change, frames };
}

function group(letters: readonly Letter[], waiting: Iterable<readonly [Bytes, Behind]> = []): ParkedGroup {
  return { id: (letters[0] as Letter).position.sequence, letters, behind: new Map(waiting) };
}

const groupOfA = group([letter(1, [[a, alice]])]);

/** Opens once more, as after a crash; the writer goes on with the new claim. */
async function parked(writer: WriterLike): Promise<readonly ParkedGroup[]> {
  const opened = await writer.store.open({ logId: writer.logId });
  writer.generation = opened.generation;
  return opened.parked ?? assert.fail("the store keeps no dead letters");
}

const keeping: readonly StoreCaseBody[] = [
  {
    name: "nothing is parked in an empty database, and a commit without parking changes nothing of it",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      assert.deepEqual(await parked(writer), []);
      await writer.commit([[b, alice]], { parking: { drop: [], put: [groupOfA] } });
      await writer.commit([[c, alice]]);
      await writer.commit([], { parking: { drop: [], put: [] } });
      assert.deepEqual(await parked(writer), [groupOfA]);
      await writer.store.close();
    },
  },
  {
    name: "groups survive close and open as they were: bytes, every kind of change, the largest numbers",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const sequence = Number.MAX_SAFE_INTEGER;
      const hard: Letter = {
        position: { logId: logA, sequence, tag: 0xffffffff },
        changes: [{ record: text("last"), change: remove }],
        reason: "",
        refusedAt: 8_640_000_000_000_000,
        tries: 1_000_000,
      };
      const groups = [
        group(
          [
            letter(
              3,
              trickyBytes.map((record) => [record, replace(record)] as const),
            ),
            letter(9, [[text("user:z"), alice]]),
          ],
          [
            [text("user:z"), behind(12, remove, 1_000_000)],
            [trickyBytes[3] as Bytes, behind(11, replace(new Map(trickyBytes.map((each) => [each, each])), 17, true))],
            [text("joined"), behind(10, merge({ a: "1" }, ["b", ""], null))],
          ],
        ),
        group([
          letter(4, [
            [a, merge({ "": "é" }, ["ü"], 5)],
            [b, merge({})],
            [c, { kind: "merge", fields: null, expiresAt: undefined }],
          ]),
        ]),
        group([hard]),
      ];
      await writer.commit([], { parking: { drop: [], put: groups } });
      await writer.store.close();
      const again = await WriterLike.open(world);
      assert.deepEqual(await parked(again), groups);
      await again.store.close();
    },
  },
  {
    name: "a hundred random changes come back as they were",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const dice = seeded(5);
      const changes = Array.from({ length: 100 }, (_, n) => [text(`r${n}`), randomChange(dice)] as const);
      const groups = [
        group(
          [letter(1, changes)],
          changes.map(([record], n) => [record, behind(n + 2, randomChange(dice))]),
        ),
      ];
      await writer.commit([], { parking: { drop: [], put: groups } });
      assert.deepEqual(await parked(writer), groups);
      await writer.store.close();
    },
  },
  {
    name: "nothing of what is parked is read or scanned",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit([[b, alice]], {
        parking: { drop: [], put: [group(groupOfA.letters, [[b, behind(2, remove)]])] },
      });
      assert.equal(await writer.value(a), null);
      assert.deepEqual(await writer.value(b), value(bytesOfText("Alice")));
      assert.deepEqual((await writer.store.scan(null, 10, 0)).records, [b]);
      await writer.store.close();
    },
  },
];

const changing: readonly StoreCaseBody[] = [
  {
    name: "what is put is added to its group or takes the place of what was there; the rest of it stays",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const many = Array.from({ length: 2000 }, (_, n) => [text(`r${n}`), behind(10, alice)] as const);
      const other = group([letter(5, [[text("other"), alice]])]);
      await writer.commit([], { parking: { drop: [], put: [group(groupOfA.letters, many), other] } });
      const later = letter(3, [[c, remove]]);
      const again = letter(1, [[a, alice]], { reason: "something else", tries: 2 });
      await writer.commit([], {
        parking: {
          drop: [],
          put: [
            group(
              [again, later],
              [
                [text("r7"), behind(11, remove, 2)],
                [a, behind(12, alice)],
              ],
            ),
          ],
        },
      });
      const whole = group([again, later], [...many, [text("r7"), behind(11, remove, 2)], [a, behind(12, alice)]]);
      assert.deepEqual(await parked(writer), [whole, other]);
      await writer.store.close();
    },
  },
  {
    name: "a group that is dropped goes whole; groups become one by dropping and putting",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const second = group([letter(2, [[b, alice]])], [[b, behind(3, remove)]]);
      const third = group([letter(4, [[c, alice]])]);
      await writer.commit([], { parking: { drop: [], put: [groupOfA, second, third] } });
      await writer.commit([], {
        parking: { drop: [2, 77], put: [{ ...second, id: 1 }] },
      });
      const joined = group([...groupOfA.letters, ...second.letters], second.behind);
      assert.deepEqual(await parked(writer), [joined, third]);
      await writer.commit([[a, alice]], { parking: { drop: [1], put: [] } });
      assert.deepEqual(await parked(writer), [third]);
      assert.deepEqual(await writer.value(a), value(bytesOfText("Alice")));
      await writer.store.close();
    },
  },
  {
    name: "a group is written and dropped at the position where the store is",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const { to } = await writer.commit([], { parking: { drop: [], put: [groupOfA] } });
      const before = writer.batch([[a, alice]], { to, parking: { drop: [], put: [groupOfA] } });
      await writer.commit([[a, replace(hash({ n: "1" }))]], { to, parking: { drop: [1], put: [] } });
      // The position is the same: only the generation keeps an older commit from passing.
      await rejectsAs("moved", writer.store.commit(before));
      await writer.commit([], { to });
      assert.deepEqual(await parked(writer), []);
      assert.deepEqual(await writer.value(a), value(hash({ n: "1" })));
      await writer.store.close();
    },
  },
  {
    name: "a sweep leaves the rows of parked records, also of those that its own batch parks, until they are no longer so",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const ended = replace(bytesOfText("x"), 1000);
      const records = [a, b, c, text("free")];
      await writer.commit(records.map((record) => [record, ended]));
      const prolonged = group([letter(1, [[a, merge({}, [], null)]])], [[b, behind(2, merge({}, [], null))]]);
      await writer.commit([], {
        sweepUpTo: 2000,
        parking: { drop: [], put: [prolonged, group([letter(3, [[c, remove]])])] },
      });
      assert.deepEqual((await writer.store.scan(null, 10, 0)).records, [a, b, c]);
      await writer.commit([], { sweepUpTo: 2000, parking: { drop: [3], put: [] } });
      assert.deepEqual((await writer.store.scan(null, 10, 0)).records, [a, b]);
      await writer.store.close();
    },
  },
  {
    name: "clear drops every group",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const other = group([letter(5, [[b, alice]])], [[c, behind(6, alice)]]);
      await writer.commit([], { parking: { drop: [], put: [groupOfA, other] } });
      await writer.commit([], { clear: true });
      assert.deepEqual(await parked(writer), []);
      await writer.store.close();
    },
  },
];

const together: readonly StoreCaseBody[] = [
  {
    name: "a commit that is `moved` parks nothing and drops nothing",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await writer.commit([], { parking: { drop: [], put: [groupOfA] } });
      const other = group([letter(2, [[b, alice]])]);
      const parking = { drop: [1], put: [other] };
      await rejectsAs("moved", writer.store.commit(writer.batch([], { expected: null, parking })));
      await rejectsAs("moved", writer.store.commit(writer.batch([], { generation: writer.generation - 1, parking })));
      await rejectsAs("moved", writer.store.commit(writer.batch([], { expected: null, clear: true })));
      assert.deepEqual(await parked(writer), [groupOfA]);
      await writer.store.close();
    },
  },
  {
    name: "a batch that fails in the middle parks nothing and drops nothing, and moves nothing where parking fails",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const { to } = await writer.commit([], { parking: { drop: [], put: [groupOfA] } });
      const failing: Change = {
        kind: "replace",
        get content(): Bytes {
          throw new RangeError("planted");
        },
        expiresAt: null,
        afterRemove: false,
      };
      const other = group([letter(2, [[b, alice]])]);
      const parking = { drop: [1], put: [other] };
      await assert.rejects(writer.store.commit(writer.batch([[c, failing]], { parking })), RangeError);
      const bad: Parameters<WriterLike["batch"]>[1] = {
        parking: {
          get drop(): readonly number[] {
            throw new RangeError("planted");
          },
          put: [other],
        },
      };
      await assert.rejects(writer.store.commit(writer.batch([[c, alice]], bad)), RangeError);
      assert.deepEqual(await parked(writer), [groupOfA]);
      assert.equal(await writer.value(c), null);
      assert.deepEqual((await writer.store.open({ logId: logA })).position, to);
      await writer.store.close();
    },
  },
];

function text(name: string): Bytes {
  return bytesOfText(name);
}

/** Parking, with and without what can go wrong. */
export const parkingCases: readonly StoreCaseBody[] = [...keeping, ...changing, ...together];
