/** What runs in the writer's thread: the concrete parts, put together. It starts nothing but the writer. */
import type { Channel } from "../host/host.js";
import { nodeHost } from "../host/node-host.js";
import { JournalReader } from "../queue/journal/reader.js";
import { loadStore } from "../store/load-store.js";
import { LazyStore } from "./lazy-store.js";
import type { FromWriter, ToWriter, WriterThreadData } from "./messages.js";
import { serveWriter } from "./writer-service.js";

/** The thread's entry. `data` is a WriterThreadData. A fault of the writer's own ends the thread, which starts anew. */
export function main(channel: Channel<unknown, unknown>, data: unknown): void {
  const { store, folder, logId, paused, options } = data as WriterThreadData;
  const { clock, random, disk } = nodeHost();
  void serveWriter(channel as Channel<FromWriter, ToWriter>, {
    store: new LazyStore(store.module, () => loadStore(store)),
    frames: () => JournalReader.open(disk, folder, logId),
    logId,
    paused,
    options,
    clock,
    random,
  });
}
