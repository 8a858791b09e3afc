/** Groups of tests that need a real Redis: one server for each group. */
import { afterAll, beforeAll } from "vitest";
import { startRedis, type RunningServer } from "./servers.js";
import { describeWith } from "./with-programs.js";

/**
 * A group of tests with a redis-server of its own, started with these flags; `server` may be called in tests and
 * hooks. It is skipped where there is none, and says how to get one; with CI=true it fails instead.
 */
export function describeRedis(
  name: string,
  body: (server: () => RunningServer) => void,
  args: readonly string[] = [],
): void {
  describeWith(["redis-server"], name, () => {
    let server: RunningServer | null = null;
    beforeAll(async () => {
      server = await startRedis(args);
    });
    afterAll(() => server?.stop());
    body(() => server as RunningServer);
  });
}
