import { expect, test } from "vitest";
import { runProgram, startRedis } from "./servers.js";
import { describeWith } from "./with-programs.js";

describeWith(["redis-server", "redis-cli"], "real servers", () => {
  test("redis-server starts on a free port, answers redis-cli and stops", async () => {
    const server = await startRedis(["--appendonly", "yes", "--appendfsync", "always"]);
    try {
      expect(runProgram("redis-cli", ["-p", String(server.port), "set", "a", "1"])).toBe("OK\n");
      expect(runProgram("redis-cli", ["-p", String(server.port), "config", "get", "appendfsync"])).toContain("always");
    } finally {
      await server.stop();
    }
    expect(() => runProgram("redis-cli", ["-p", String(server.port), "ping"])).toThrow(/refused/);
  });
});
