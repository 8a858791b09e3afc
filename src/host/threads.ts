/**
 * Threads, from node:worker_threads. Its twin is simulator/host/threads.ts. The module that a thread runs exports
 * `main(channel, data)`; thread-entry.ts, inside the thread, imports it and calls that.
 */
import { Worker } from "node:worker_threads";
import type { Thread, Threads } from "./host.js";

/** What thread-entry.ts is handed. */
export interface ThreadStart {
  readonly moduleUrl: string;
  readonly data: unknown;
}

/** The system's threads. */
export function systemThreads(): Threads {
  return {
    start: <Out, In>(moduleUrl: string, data: unknown) => {
      const start: ThreadStart = { moduleUrl, data };
      return threadOf<Out, In>(new Worker(new URL("./thread-entry.js", import.meta.url), { workerData: start }));
    },
  };
}

function threadOf<Out, In>(worker: Worker): Thread<Out, In> {
  let failure: Error | null = null;
  let asked = false;
  worker.on("error", (error) => (failure = error instanceof Error ? error : new Error(String(error))));
  return {
    post: (message) => worker.postMessage(message),
    receive: (call) => void worker.on("message", call),
    ended: (call) => {
      worker.once("exit", (code) => {
        const unasked = asked || code === 0 ? null : new Error(`the thread ended with code ${code}`);
        call(asked ? null : (failure ?? unasked));
      });
    },
    terminate: async () => {
      asked = true;
      await worker.terminate();
    },
  };
}
