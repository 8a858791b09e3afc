import { describe, test } from "vitest";
import { keeperContract } from "../contract/keeper.js";
import { memoryKeeperWorld, redisKeeperWorld } from "./keeper-kit.js";
import { describeRedis } from "./with-redis.js";

describe("the keeper in memory", () => {
  for (const { name, run } of keeperContract(async () => memoryKeeperWorld())) test(name, run);
});

describeRedis("the keeper in a Redis", (server) => {
  for (const { name, run } of keeperContract(() => redisKeeperWorld(server().port))) test(name, run);
});
