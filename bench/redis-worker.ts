/** A process of a fleet that runs a worker and nothing else: `node redis-worker.js SETUP`. */
import { writeBehind } from "../src/index.js";
import { redis } from "../src/redis/index.js";
import { postgres } from "../src/store/postgres/index.js";
import type { WorkerSetup } from "./redis-server.js";

const { cache, store, options } = JSON.parse(process.argv[2] as string) as WorkerSetup;
await writeBehind({ cache: redis(cache), store: postgres(store), durability: "memory", ...options });
process.send?.("open");
