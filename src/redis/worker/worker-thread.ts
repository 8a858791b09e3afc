/** What runs in a worker's thread: the concrete parts, put together. It starts nothing but the worker. */
import type { Channel } from "../../host/host.js";
import { nodeHost } from "../../host/node-host.js";
import { loadStore } from "../../store/load-store.js";
import { LazyStore } from "../../writer/lazy-store.js";
import { WorkerHere } from "./worker-here.js";
import type { FromWorker, ToWorker, WorkerThreadData } from "./worker-messages.js";

/** The thread's entry. `data` is a WorkerThreadData. */
export function main(channel: Channel<unknown, unknown>, data: unknown): void {
  const { store, ...setup } = data as WorkerThreadData;
  const holder = channel as Channel<FromWorker, ToWorker>;
  const lazy = new LazyStore(store.module, () => loadStore(store));
  const worker = new WorkerHere(nodeHost(), setup, lazy, (told) => holder.post(told));
  holder.receive(({ deadlineMs }) => void worker.stop(deadlineMs).then(() => holder.post({ type: "stopped" })));
}
