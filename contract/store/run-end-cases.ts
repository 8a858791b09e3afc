/** Run ends: the last positions that commits have reached, kept with the position. */
import assert from "node:assert/strict";
import { bytesOfText } from "../../src/bytes.js";
import type { Position } from "../../src/queue/queue.js";
import type { Store } from "../../src/store/store.js";
import type { StoreCaseBody } from "./world.js";
import { fleetLog, logA, logB, rejectsAs, WriterLike } from "./writer-like.js";

async function runEnds(store: Store, logId = logA, partition = 0, adopt?: Position): Promise<readonly Position[]> {
  const opened = await store.open({ logId, partition, adopt });
  return opened.runEnds ?? assert.fail("the store keeps no run ends");
}

/** Commits so many batches, and gives the positions that were reached, newest first. */
async function commits(writer: WriterLike, count: number): Promise<Position[]> {
  const reached: Position[] = [];
  for (let n = 0; n < count; n++) reached.unshift((await writer.commit([])).to);
  return reached;
}

/** Run ends, and what becomes of them when a position is adopted. */
export const runEndCases: readonly StoreCaseBody[] = [
  {
    name: "run ends are the positions that commits have reached, newest first; a commit that stays is none",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      assert.deepEqual(await runEnds(writer.store), []);
      const again = await WriterLike.on(writer.store, { logId: logA });
      const reached = await commits(again, 2);
      await again.commit([], { to: reached[0] as Position });
      await rejectsAs("moved", again.store.commit(again.batch([], { expected: null })));
      const largest = { logId: logA, sequence: Number.MAX_SAFE_INTEGER, tag: 0xffffffff };
      await again.commit([], { to: largest });
      const other = world.connect();
      assert.deepEqual(await runEnds(other), [largest, ...reached]);
      await other.close();
      await writer.store.close();
    },
  },
  {
    name: "the last hundred run ends are kept",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const reached = await commits(writer, 103);
      assert.deepEqual(await runEnds(writer.store), reached.slice(0, 100));
      const again = await WriterLike.on(writer.store, { logId: logA });
      const [newest] = await commits(again, 1);
      assert.deepEqual(await runEnds(writer.store), [newest, ...reached.slice(0, 99)]);
      await writer.store.close();
    },
  },
  {
    name: "run ends are a partition's own",
    run: async (world) => {
      const store = world.connect();
      const [first, second] = [await WriterLike.onPartition(store, 1), await WriterLike.onPartition(store, 2)];
      const [ofFirst, ofSecond] = [await commits(first, 2), await commits(second, 3)];
      assert.deepEqual(await runEnds(store, fleetLog(1), 1), ofFirst);
      assert.deepEqual(await runEnds(store, fleetLog(2), 2), ofSecond);
      await store.close();
    },
  },
  {
    name: "where an older run end is adopted, newer ones are dropped, and what is committed then follows it",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const reached = await commits(writer, 5);
      const [adopt, ...older] = reached.slice(3) as [Position, ...Position[]];
      assert.deepEqual(await runEnds(writer.store, logA, 0, adopt), [adopt, ...older]);
      const forked = await WriterLike.on(writer.store, { logId: logA });
      assert.deepEqual(forked.position, adopt);
      const to = { ...adopt, sequence: adopt.sequence + 1, tag: 99 };
      await forked.commit([], { to });
      assert.deepEqual(await runEnds(writer.store), [to, adopt, ...older]);
      await writer.store.close();
    },
  },
  {
    name: "a position that is no run end is one when it is adopted, and those of another log are none",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const [third, second, first] = (await commits(writer, 3)) as [Position, Position, Position];
      const fork = { ...second, tag: second.tag ^ 1 };
      assert.deepEqual(await runEnds(writer.store, logA, 0, fork), [fork, first]);
      const later = { ...third, sequence: 1000 };
      assert.deepEqual(await runEnds(writer.store, logA, 0, later), [later, fork, first]);
      const foreign = { ...later, logId: logB };
      await writer.store.close();
      assert.deepEqual(await runEnds(writer.store, logB, 0, foreign), [foreign]);
      const other = await WriterLike.on(writer.store, { logId: logB });
      const { to } = await other.commit([[bytesOfText("a"), { kind: "remove" }]]);
      assert.deepEqual(await runEnds(writer.store, logB), [to, foreign]);
      await writer.store.close();
    },
  },
];
