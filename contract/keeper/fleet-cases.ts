/** The fleet's birth, and a keeper that is not the one that it was. */
import assert from "node:assert/strict";
import { b, fleetId, frame, rejectsWith, replace, Shop, telling, wide, type KeeperCaseBody } from "./world.js";

const born = { id: fleetId, partitions: 2 };

/** Birth and loss. */
export const fleetCases: readonly KeeperCaseBody[] = [
  {
    name: "there is no fleet until somebody makes one",
    run: async (world) => {
      const keeper = await world.connect();
      assert.equal(await keeper.fleet(null), null);
      assert.deepEqual(await keeper.fleet(born), born);
      assert.deepEqual(await keeper.fleet(null), born);
    },
  },
  {
    name: "a fleet is born once: a second birth gives the first",
    run: async (world) => {
      const first = await world.connect();
      const second = await world.connect();
      const other = { id: "f".repeat(24), partitions: 5 };
      const [a, c] = await Promise.all([first.fleet(born), second.fleet(other)]);
      assert.deepEqual(a, c);
      assert.deepEqual(await (await world.connect()).fleet(other), a);
    },
  },
  {
    name: "partitions begin empty, each with a log of its own, and are apart",
    run: async (world) => {
      const one = await Shop.open(world, 0);
      const two = await Shop.open(world, 1);
      await one.write(["a", replace(b("1"))]);
      assert.equal((await two.state()).head.sequence, 0);
      await two.write(["c", replace(b("1"))]);
      await two.write(["d", replace(b("1"))]);
      const { states } = await one.keeper.states([1, 0]);
      assert.deepEqual(
        states.map(({ partition, head }) => [partition, head.logId, head.sequence]),
        [
          [1, `${fleetId}00000001`, 2],
          [0, `${fleetId}00000000`, 1],
        ],
      );
    },
  },
  {
    name: "one read sees records of several partitions, in the order asked",
    run: async (world) => {
      const one = await Shop.open(world, 0);
      const two = await Shop.open(world, 1);
      await one.write(["a", replace(b("1"))]);
      await two.write(["c", replace(b("2"))]);
      await two.write(["c", replace(b("3"))]);
      const asked = [
        { partition: 1, record: b("c") },
        { partition: 0, record: b("a") },
        { partition: 1, record: b("none") },
        { partition: 0, record: b("a") },
      ];
      const { partitions, records } = await one.keeper.read(asked, null);
      assert.deepEqual(
        records.map((known) => (known.state === "value" ? known.value.content : known.state)),
        ["3", "1", "unknown", "1"],
      );
      assert.deepEqual(
        partitions.map(({ partition, sequence, thrown, reached }) => [partition, sequence, thrown, reached]),
        [
          [1, 2, 0, null],
          [0, 1, 0, null],
        ],
      );
    },
  },
  {
    name: "a keeper that was emptied is found by every verb, and none makes anything in it",
    run: async (world) => {
      const shop = await Shop.open(world);
      const { keeper } = shop;
      await shop.write(["a", replace(b("1"))]);
      const claim = await shop.claim();
      const position = (await shop.state()).head;
      await world.wipe();
      const mark = new Map([[b("a"), { sequence: 1, thrown: 0 }]]);
      const totals = { letters: 0, waitingBehind: 0 };
      const nothing = { put: new Map(), drop: [], frames: new Map(), totals, throwAway: [], anew: true };
      const stored = { position, at: 1, generation: 1, trimTo: 0, bytes: 1, settled: null };
      const verbs: readonly (() => Promise<unknown>)[] = [
        () => keeper.read([{ partition: 0, record: b("a") }], null),
        () => keeper.read([{ partition: 0, record: b("a") }], "lease"),
        () => keeper.unchanged(0, mark),
        () => keeper.write(0, [frame([["a", replace(b("2"))]])], wide),
        () => keeper.write(0, [frame([["a", replace(b("2"))]], mark)], wide),
        () => keeper.fill(0, "lease", [{ record: b("a"), value: null, freshMs: 1000 }]),
        () => keeper.states([0]),
        () => keeper.frames(0, 0, 1000),
        () => keeper.positionAt(0, 1),
        () => keeper.beat("worker-1", 1000, "{}"),
        () => keeper.claim("worker-1", 0, 1000),
        () => keeper.holds(claim, 1000),
        () => keeper.release(claim),
        () => keeper.leave("worker-1"),
        () => keeper.settle(claim, 1, [b("a")], 1000, telling()),
        () => keeper.stored(claim, stored, telling()),
        () => keeper.parked(claim, nothing, telling()),
        () => keeper.parkedBetween(0, 1, 1),
        () => keeper.break(0, "why"),
        () => keeper.fleet(null),
        () => keeper.fleet(born),
      ];
      for (const verb of verbs) await rejectsWith("QUEUE_MISMATCH", verb());
      assert.equal(await (await world.connect()).fleet(null), null);
      const other = { id: "f".repeat(24), partitions: 2 };
      assert.deepEqual(await (await world.connect()).fleet(other), other);
      for (const verb of verbs) await rejectsWith("QUEUE_MISMATCH", verb());
    },
  },
  {
    name: "a broken partition takes no writes until it is mended; it is read, and says why",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["a", replace(b("1"))]);
      await shop.keeper.break(0, "the log forked");
      await rejectsWith("QUEUE_MISMATCH", shop.write(["a", replace(b("2"))]));
      await rejectsWith("QUEUE_MISMATCH", shop.keeper.write(0, [frame([["a", replace(b("2"), 5)]])], wide));
      assert.equal((await shop.state()).broken, "the log forked");
      assert.equal((await shop.known("a")).state, "value");
      const asked = [{ partition: 0, record: b("a") }];
      assert.equal((await shop.keeper.read(asked, null)).partitions[0]?.broken, "the log forked");
      assert.equal((await shop.frames()).length, 1);
      await (await Shop.open(world, 1)).write(["c", replace(b("1"))]);
      await shop.keeper.break(0, null);
      assert.equal((await shop.state()).broken, null);
      await shop.write(["a", replace(b("2"))]);
    },
  },
];
