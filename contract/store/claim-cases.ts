/** The claim: one live queue on the tables, and what becomes of them when another one comes. */
import assert from "node:assert/strict";
import { bytesOfText } from "../../src/bytes.js";
import { WriteBehindError } from "../../src/errors.js";
import { claimStaleMs } from "../../src/store/store.js";
import type { StoreCaseBody, StoreWorld } from "./world.js";
import { logA, logB, rejectsAs, replace, value, WriterLike } from "./writer-like.js";

const key = bytesOfText("user:1:name");
const alice = replace(bytesOfText("Alice"));
const bob = replace(bytesOfText("Bob"));

async function refusesQueueB(world: StoreWorld, adopt?: boolean): Promise<void> {
  const store = world.connect();
  const position = { logId: logB, sequence: 0, tag: 0 };
  await assert.rejects(
    store.open({ logId: logB, ...(adopt === true && { adopt: position }) }),
    (error) => error instanceof WriteBehindError && error.code === "TABLES_IN_USE",
  );
  await store.close();
}

/** Claims, and giving them back. */
export const claimCases: readonly StoreCaseBody[] = [
  {
    name: "a second live queue is refused, and the first does not notice",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      await refusesQueueB(world);
      await writer.commit([[key, alice]]);
      await refusesQueueB(world);
      await refusesQueueB(world, true);
      await writer.commit([[key, bob]]);
      assert.deepEqual(await writer.value(key), value(bytesOfText("Bob")));
      await writer.store.close();
    },
  },
  {
    name: "the same queue claims again at once, with a higher generation",
    run: async (world) => {
      const first = await WriterLike.open(world);
      const second = await WriterLike.open(world);
      assert.ok(second.generation > first.generation);
      await second.commit([[key, alice]]);
      // The first is closed late: it must not give back what is not its own any more.
      await first.store.close();
      await refusesQueueB(world);
      await second.commit([[key, bob]]);
      await second.store.close();
    },
  },
  {
    name: "a claim that was given back is free at once",
    run: async (world) => {
      const first = await WriterLike.open(world, logA);
      await first.store.close();
      const second = await WriterLike.open(world, logB);
      assert.equal(second.position, null);
      assert.ok(second.generation > first.generation);
      await second.commit([[key, alice]]);
      await second.store.close();
    },
  },
  {
    name: "a claim whose owner is silent goes stale, and what the owner still sends is `moved`",
    run: async (world) => {
      const silent = await WriterLike.open(world, logA);
      await world.age(claimStaleMs - 5000);
      await refusesQueueB(world);
      await world.age(6000);
      const other = await WriterLike.open(world, logB);
      await rejectsAs("moved", silent.store.commit(silent.batch([[key, alice]])));
      await other.commit([[key, bob]]);
      assert.deepEqual(await other.value(key), value(bytesOfText("Bob")));
      await silent.store.close();
      await other.store.close();
    },
  },
  {
    name: "every commit keeps the claim fresh, also one without rows that stays where it is",
    run: async (world) => {
      const writer = await WriterLike.open(world);
      const { to } = await writer.commit([[key, alice]]);
      for (let n = 0; n < 3; n++) {
        await world.age(claimStaleMs - 5000);
        await writer.commit([], { to });
      }
      await world.age(claimStaleMs - 5000);
      await refusesQueueB(world);
      await writer.store.close();
    },
  },
  {
    name: "another queue's position is shown, not claimed and not overwritten",
    run: async (world) => {
      const first = await WriterLike.open(world, logA);
      const { to } = await first.commit([[key, alice]]);
      await first.store.close();
      const other = await WriterLike.open(world, logB);
      assert.deepEqual(other.position, to);
      await rejectsAs("moved", other.store.commit(other.batch([[key, bob]])));
      await other.store.close();
      const back = await WriterLike.open(world, logA);
      assert.deepEqual(back.position, to);
      await back.commit([[key, bob]]);
      await back.store.close();
    },
  },
  {
    name: "a queue that adopts the tables goes on from the position that it sets",
    run: async (world) => {
      const first = await WriterLike.open(world, logA);
      await first.commit([[key, alice]]);
      await first.store.close();
      const store = world.connect();
      const adopt = { logId: logB, sequence: 7, tag: 0xfffffffe };
      const opened = await store.open({ logId: logB, adopt });
      assert.deepEqual(opened.position, adopt);
      assert.ok(opened.generation > first.generation);
      await store.close();
      const other = await WriterLike.open(world, logB);
      assert.deepEqual(other.position, adopt);
      assert.deepEqual(await other.value(key), value(bytesOfText("Alice")));
      await other.commit([[key, bob]]);
      const late = await WriterLike.open(world, logB);
      await rejectsAs("moved", first.store.commit(first.batch([[key, alice]])));
      assert.deepEqual(late.position, other.position);
      await first.store.close();
      await other.store.close();
      await late.store.close();
    },
  },
];
