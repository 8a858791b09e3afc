/** A worker process of a fleet. SIGTERM: it finishes what is in hand, gives its partitions back and ends. */
import { once } from "node:events";
import { nodeHost } from "../../src/host/node-host.js";
import { resolveEngineOptions } from "../../src/options-resolve.js";
import { identity } from "../../src/host/identity.js";
import { workerOptions } from "../../src/redis/open-fleet.js";
import { startWorker } from "../../src/redis/worker/start-worker.js";
import { postgres } from "../../src/store/postgres/index.js";
import type { WorkerProcessSetup } from "./messages.js";

const { cache, store, partitions, options } = JSON.parse(process.argv[2] as string) as WorkerProcessSetup;
const setup = { cache, partitions, options: workerOptions(resolveEngineOptions(options)), identity: identity() };
let isReady = false;
const worker = startWorker(nodeHost(), setup, postgres(store), (told) => {
  if (told.type === "report") {
    if (!isReady) process.send?.("ready");
    isReady = true;
  } else process.stderr.write(`${JSON.stringify(told)}\n`);
});
// Whoever started it may be gone, too.
await Promise.race([once(process, "SIGTERM"), once(process, "disconnect")]);
await worker.stop(3000);
process.exit(0);
