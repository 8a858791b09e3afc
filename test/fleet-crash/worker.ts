/** A worker process of a fleet. SIGTERM: it finishes what is in hand, gives its partitions back and ends. */
import { once } from "node:events";
import { nodeHost } from "../../src/host/node-host.js";
import { resolveEngineOptions } from "../../src/options-resolve.js";
import { openFleetWork } from "../../src/redis/open-fleet.js";
import type { WorkerTold } from "../../src/redis/worker/worker-messages.js";
import { postgres } from "../../src/store/postgres/index.js";
import type { WorkerProcessSetup } from "./messages.js";

const { cache, store, partitions, options } = JSON.parse(process.argv[2] as string) as WorkerProcessSetup;
let isReady = false;
const tell = (told: WorkerTold): void => {
  if (told.type === "report") {
    if (!isReady) process.send?.("ready");
    isReady = true;
  } else process.stderr.write(`${JSON.stringify(told)}\n`);
};
const work = await openFleetWork(cache, {
  host: nodeHost(),
  store: postgres(store),
  options: resolveEngineOptions({ ...options, partitions }),
  tell,
  waits: (why) => process.stderr.write(`${why}\n`),
});
// Whoever started it may be gone, too.
await Promise.race([once(process, "SIGTERM"), once(process, "disconnect")]);
await work.stop(3000);
process.exit(0);
