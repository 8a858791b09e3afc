import fc from "fast-check";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { KeeperWorld } from "../contract/keeper.js";
import type { Bytes } from "../src/bytes.js";
import type { RecordValue } from "../src/change.js";
import { nameOf, recordValue } from "./arbitraries.js";
import { memoryKeeperWorld, redisKeeperWorld } from "./keeper-kit.js";
import { KeeperModel, steps } from "./keeper-model.js";
import { describeRedis } from "./with-redis.js";

const rows = fc
  .array(fc.tuple(nameOf(3), recordValue), { maxLength: 3 })
  .map((pairs) => new Map<Bytes, RecordValue>(pairs.map(([name, value]) => [name, { ...value, expiresAt: null }])));

describe("any steps, in memory", () => {
  test("what is read is the model's value", async () => {
    const property = fc.asyncProperty(steps, rows, (script, found) =>
      KeeperModel.run(memoryKeeperWorld(), script, found),
    );
    await fc.assert(property, { numRuns: 1000 });
  });
});

describeRedis("any steps, in a Redis", (server) => {
  let world: KeeperWorld;
  beforeAll(async () => {
    world = await redisKeeperWorld(server().port);
  });
  afterAll(() => world.end());

  test("what is read is the model's value", async () => {
    const property = fc.asyncProperty(steps, rows, async (script, found) => {
      await world.wipe();
      await KeeperModel.run(world, script, found);
    });
    await fc.assert(property, { numRuns: 300 });
  });
});
