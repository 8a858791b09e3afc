/** Partitions: each has a position, a claim and dead letters of its own in the one database. */
import assert from "node:assert/strict";
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import { remove } from "../../src/change.js";
import { WriteBehindError } from "../../src/errors.js";
import { claimStaleMs, type ParkedGroup, type Store, type StoreClaim } from "../../src/store/store.js";
import type { StoreCaseBody } from "./world.js";
import { fleetLog, logA, logB, rejectsAs, replace, value, WriterLike } from "./writer-like.js";

const alice = replace(bytesOfText("Alice"));
const bob = replace(bytesOfText("Bob"));
const [a, b] = ["user:a", "user:b"].map(bytesOfText) as [Bytes, Bytes];

async function isRefused(store: Store, claim: StoreClaim): Promise<void> {
  const isInUse = (error: unknown): boolean => error instanceof WriteBehindError && error.code === "TABLES_IN_USE";
  await assert.rejects(store.open(claim), isInUse);
}

/** Gives a claim back; whoever keeps partitions can. */
async function release(store: Store, partition: number): Promise<void> {
  assert.ok(store.release !== undefined, "a store gives back one claim");
  await store.release(partition);
}

/** What is parked of a record, as the group with the id 1. */
function groupOf(record: Bytes, logId: string): ParkedGroup {
  const position = { logId, sequence: 1, tag: 7 };
  const letter = { position, changes: [{ record, change: alice }], reason: "no", refusedAt: 5, tries: 1 };
  const behind = { position: { ...position, sequence: 2 }, change: remove, frames: 1 };
  return { id: 1, letters: [letter], behind: new Map([[record, behind]]) };
}

const positions: readonly StoreCaseBody[] = [
  {
    name: "partitions of one store have positions and generations of their own",
    run: async (world) => {
      const store = world.connect();
      const first = await WriterLike.onPartition(store, 0);
      const last = await WriterLike.onPartition(store, 65_535);
      assert.deepEqual([first.position, last.position], [null, null]);
      await first.commit([[a, alice]]);
      const { to } = await last.commit([[b, bob]]);
      await first.commit([[a, bob]]);
      const again = await WriterLike.onPartition(store, 65_535);
      assert.deepEqual(again.position, to);
      assert.ok(again.generation > last.generation);
      // The claim of the one is not the claim of the other.
      await first.commit([[a, alice]]);
      await rejectsAs("moved", store.commit(last.batch([[b, alice]])));
      assert.equal(first.position?.sequence, 3);
      assert.deepEqual(await store.read([a, b]), [value(bytesOfText("Alice")), value(bytesOfText("Bob"))]);
      await store.close();
      assert.deepEqual((await store.open({ logId: fleetLog(0), partition: 0 })).position, first.position);
      await store.close();
    },
  },
  {
    name: "a partition that is left out is 0, and one that is no number of a partition is an error",
    run: async (world) => {
      const writer = await WriterLike.on(world.connect(), { logId: fleetLog(0) });
      const { to } = await writer.commit([[a, alice]]);
      assert.deepEqual((await WriterLike.onPartition(writer.store, 0)).position, to);
      for (const partition of [-1, 0.5, 65_536])
        await assert.rejects(writer.store.open({ logId: logA, partition }), RangeError);
      await writer.store.close();
    },
  },
  {
    name: "two stores drain different partitions of one database at the same time",
    run: async (world) => {
      const stores = [world.connect(), world.connect()] as const;
      const writers: WriterLike[] = [];
      for (const n of [0, 1, 2, 3]) writers.push(await WriterLike.onPartition(stores[n % 2 === 0 ? 0 : 1], n));
      for (let round = 0; round < 5; round++) {
        const commits = writers.map((writer, n) => writer.commit([[bytesOfText(`user:${n}`), alice]]));
        await Promise.all(commits);
      }
      assert.deepEqual(
        writers.map(({ position }) => position?.sequence),
        [5, 5, 5, 5],
      );
      assert.equal((await stores[0].scan(null, 10, 0)).records.length, 4);
      await Promise.all(stores.map((store) => store.close()));
    },
  },
  {
    name: "partitions of one store may be opened and committed at the same time",
    run: async (world) => {
      const store = world.connect();
      const numbers = [0, 1, 2, 3, 4, 5];
      const writers = await Promise.all(numbers.map((n) => WriterLike.onPartition(store, n)));
      const again = Promise.all(numbers.slice(3).map((n) => WriterLike.onPartition(store, n)));
      await Promise.all(writers.slice(0, 3).map((writer) => writer.commit([[a, alice]])));
      await Promise.all((await again).map((writer) => writer.commit([[b, bob]])));
      for (const writer of writers.slice(3)) await rejectsAs("moved", store.commit(writer.batch([[a, bob]])));
      await store.close();
    },
  },
  {
    name: "the position of one partition is compared and no other's",
    run: async (world) => {
      const store = world.connect();
      const [first, second] = [await WriterLike.onPartition(store, 1), await WriterLike.onPartition(store, 2)];
      await first.commit([[a, alice]]);
      // Where the other one is, this one is not; and a partition that was never opened is nowhere.
      await rejectsAs("moved", store.commit(second.batch([[a, bob]], { expected: first.position })));
      await rejectsAs("moved", store.commit(first.batch([[a, bob]], { partition: 2 })));
      await rejectsAs("moved", store.commit(first.batch([[a, bob]], { partition: 3 })));
      await rejectsAs("moved", store.commit({ ...second.batch([[a, bob]]), partition: undefined }));
      assert.deepEqual(await first.value(a), value(bytesOfText("Alice")));
      await store.close();
    },
  },
  {
    name: "a read looks at the partition of its mark, or of each of several",
    run: async (world) => {
      const store = world.connect();
      const [first, second] = [await WriterLike.onPartition(store, 1), await WriterLike.onPartition(store, 2)];
      const one = { ...(await first.commit([[a, alice]])).to, partition: 1 };
      const two = { ...(await second.commit([[b, bob]])).to, partition: 2 };
      const values = [value(bytesOfText("Alice")), value(bytesOfText("Bob"))];
      assert.deepEqual(await store.read([a, b], { ...one, generation: first.generation }), values);
      assert.deepEqual(await store.read([a, b], [one, two]), values);
      assert.deepEqual(await store.read([a, b], []), values);
      const ahead = { ...two, sequence: two.sequence + 1 };
      for (const mark of [ahead, { ...one, partition: 2 }, { ...one, partition: 3 }, { ...one, partition: undefined }])
        await rejectsAs("moved", store.read([a], mark));
      await rejectsAs("moved", store.read([a], [one, ahead]));
      await rejectsAs("moved", store.read([a], { ...two, generation: second.generation + 1 }));
      await store.close();
    },
  },
];

const claims: readonly StoreCaseBody[] = [
  {
    name: "a partition that was given back is another worker's at once; the others stay",
    run: async (world) => {
      const [old, young] = [world.connect(), world.connect()];
      const first = await WriterLike.onPartition(old, 1);
      const second = await WriterLike.onPartition(old, 2);
      await first.commit([[a, alice]]);
      await release(old, 1);
      await rejectsAs("moved", old.commit(first.batch([[a, bob]])));
      await second.commit([[b, bob]]);
      // Nobody holds partition 1, but the queue is alive.
      await isRefused(young, { logId: logB });
      const taken = await WriterLike.onPartition(young, 1);
      assert.deepEqual(taken.position, first.position);
      await release(old, 1);
      await taken.commit([[a, bob]]);
      await release(old, 2);
      await release(young, 1);
      // Given back are now all of them.
      await (await WriterLike.onPartition(young, 9, "e")).commit([[b, alice]]);
      await old.close();
      await young.close();
    },
  },
  {
    name: "closing gives back every claim, and none that another worker has taken",
    run: async (world) => {
      const [old, young] = [world.connect(), world.connect()];
      for (const n of [1, 2, 3]) await WriterLike.onPartition(old, n);
      const taken = await WriterLike.onPartition(young, 2);
      await old.close();
      await isRefused(old, { logId: logB });
      await taken.commit([[a, alice]]);
      await young.close();
      const other = await WriterLike.on(old, { logId: logB });
      await other.commit([[a, bob]]);
      await old.close();
    },
  },
  {
    name: "a queue that is alive with any partition keeps every other queue out, cut into partitions or not",
    run: async (world) => {
      const [store, other] = [world.connect(), world.connect()];
      await WriterLike.onPartition(store, 3);
      await isRefused(other, { logId: logA });
      await isRefused(other, { logId: logA, adopt: { logId: logA, sequence: 1, tag: 1 } });
      await isRefused(other, { logId: fleetLog(4, "e"), partition: 4 });
      await store.close();
      const single = await WriterLike.on(other, { logId: logA });
      await isRefused(store, { logId: fleetLog(3), partition: 3 });
      await isRefused(store, { logId: fleetLog(0), partition: 0 });
      await single.commit([[a, alice]]);
      await other.close();
      await store.close();
    },
  },
  {
    name: "of two queues that come at the same moment with different partitions one is let in",
    run: async (world) => {
      const stores = [world.connect(), world.connect()] as const;
      // Once alone: the tables are there then.
      await stores[0].open({ logId: logA });
      await stores[0].close();
      for (let round = 0; round < 10; round++) {
        const opened = await Promise.allSettled([
          stores[0].open({ logId: fleetLog(3), partition: 3 }),
          stores[1].open({ logId: logA }),
        ]);
        const inTime = opened.filter(({ status }) => status === "fulfilled");
        assert.equal(inTime.length, 1);
        await Promise.all(stores.map((store) => store.close()));
      }
    },
  },
  {
    name: "claims of another queue that went stale are taken from all partitions: what their owners still send is `moved`",
    run: async (world) => {
      const [silent, other] = [world.connect(), world.connect()];
      const writers = [await WriterLike.onPartition(silent, 1), await WriterLike.onPartition(silent, 2)];
      await world.age(claimStaleMs + 1000);
      const single = await WriterLike.on(other, { logId: logA });
      for (const writer of writers) await rejectsAs("moved", silent.commit(writer.batch([[a, bob]])));
      await isRefused(silent, { logId: fleetLog(1), partition: 1 });
      await single.commit([[a, alice]]);
      await silent.close();
      await other.close();
    },
  },
  {
    name: "one partition is adopted, and the others stay where they are",
    run: async (world) => {
      const store = world.connect();
      const [first, second] = [await WriterLike.onPartition(store, 1), await WriterLike.onPartition(store, 2)];
      await first.commit([[a, alice]]);
      await second.commit([[b, bob]]);
      const adopt = { logId: fleetLog(1), sequence: 40, tag: 9 };
      const adopted = await store.open({ logId: fleetLog(1), partition: 1, adopt });
      assert.deepEqual(adopted.position, adopt);
      await rejectsAs("moved", store.commit(first.batch([[a, bob]])));
      await second.commit([[b, alice]]);
      assert.equal(second.position?.sequence, 2);
      await store.close();
    },
  },
];

const letters: readonly StoreCaseBody[] = [
  {
    name: "groups with the same id are parked by two partitions, and neither sees or drops the other's",
    run: async (world) => {
      const store = world.connect();
      const [first, second] = [await WriterLike.onPartition(store, 1), await WriterLike.onPartition(store, 2)];
      const parked = async (writer: WriterLike): Promise<unknown> => {
        const opened = await store.open({ logId: writer.logId, partition: writer.partition });
        writer.generation = opened.generation;
        return opened.parked;
      };
      const [ofFirst, ofSecond] = [groupOf(a, first.logId), groupOf(b, second.logId)];
      // The same record, too: where it belongs may have changed.
      const sameRecord = { ...groupOf(a, second.logId), id: 3 };
      await first.commit([], { parking: { drop: [], put: [ofFirst] } });
      await second.commit([], { parking: { drop: [1], put: [ofSecond, sameRecord] } });
      assert.deepEqual(await parked(first), [ofFirst]);
      assert.deepEqual(await parked(second), [ofSecond, sameRecord]);
      assert.deepEqual((await store.open({ logId: fleetLog(0) })).parked, []);
      await first.commit([], { parking: { drop: [], put: [{ ...ofFirst, behind: new Map() }] } });
      await first.commit([], { parking: { drop: [1], put: [] } });
      assert.deepEqual(await parked(first), []);
      assert.deepEqual(await parked(second), [ofSecond, sameRecord]);
      await store.close();
    },
  },
  {
    name: "a sweep leaves the rows of records that any partition has parked",
    run: async (world) => {
      const store = world.connect();
      const [first, second] = [await WriterLike.onPartition(store, 1), await WriterLike.onPartition(store, 2)];
      const ended = replace(bytesOfText("x"), 1000);
      await first.commit([
        [a, ended],
        [b, ended],
        [bytesOfText("free"), ended],
      ]);
      await second.commit([], { parking: { drop: [], put: [groupOf(b, second.logId)] } });
      await first.commit([], { sweepUpTo: 2000, parking: { drop: [], put: [groupOf(a, first.logId)] } });
      assert.deepEqual((await store.scan(null, 10, 0)).records, [a, b]);
      await second.commit([], { sweepUpTo: 2000, parking: { drop: [1], put: [] } });
      assert.deepEqual((await store.scan(null, 10, 0)).records, [a]);
      await store.close();
    },
  },
];

/** Partitions beside each other: positions, claims, dead letters. */
export const partitionCases: readonly StoreCaseBody[] = [...positions, ...claims, ...letters];
