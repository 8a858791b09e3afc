/** Finding what is pending or parked, for walks over all keys. */
import assert from "node:assert/strict";
import { b, merge, remove, replace, Shop, telling, type KeeperCaseBody } from "./world.js";

/** The cases. */
export const unsettledCases: readonly KeeperCaseBody[] = [
  {
    name: "all records that are pending or parked are found, and which of them are removed",
    run: async (world) => {
      const shop = await Shop.open(world);
      await shop.write(["clean", replace(b("1"))]);
      const claim = await shop.claim();
      await shop.store(claim, ["clean"]);
      const names = Array.from({ length: 1500 }, (_, number) => `r${number}`);
      await shop.write(...names.map((name) => [name, replace(b("1"))] as const));
      await shop.write(["over", merge({ x: "1" })], ["gone", remove]);
      const put = new Map([[b("parked"), b("what is parked of it")]]);
      const change = { put, drop: [], frames: new Map(), throwAway: [], anew: false };
      const totals = { letters: 1, waitingBehind: 0 };
      await shop.keeper.parked(claim, { ...change, totals }, telling());
      const found = new Map<string, string>();
      for (let cursor: string | null = null; ;) {
        const { records, next } = await shop.keeper.unsettled(shop.partition, cursor, 100);
        for (const [record, what] of records) found.set(record, what);
        if (next === null) break;
        cursor = next;
      }
      assert.deepEqual([...found.keys()].toSorted(), [...names, "over", "gone", "parked"].toSorted());
      assert.deepEqual(
        [...found].filter(([, what]) => what === "removed"),
        [["gone", "removed"]],
      );
      assert.equal((await shop.keeper.unsettled(shop.partition + 1, null, 100)).records.size, 0);
    },
  },
];
