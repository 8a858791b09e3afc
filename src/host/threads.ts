/**
 * Threads, from node:worker_threads. Its twin is simulator/host/threads.ts. The module that a thread runs exports
 * `main(channel, data)`; thread-entry.ts, inside the thread, imports it and calls that.
 */
import { MessageChannel, Worker, type MessagePort } from "node:worker_threads";
import type { Thread, Threads } from "./host.js";

/** What thread-entry.ts is handed. */
export interface ThreadStart {
  readonly moduleUrl: string;
  readonly data: unknown;
  /** What comes here ends the thread. */
  readonly end: MessagePort;
}

/** The system's threads. */
export function systemThreads(): Threads {
  return {
    start: <Out, In>(moduleUrl: string, data: unknown) => {
      const { port1: end, port2 } = new MessageChannel();
      const start: ThreadStart = { moduleUrl, data, end: port2 };
      const worker = new Worker(new URL("./thread-entry.js", import.meta.url), {
        workerData: start,
        transferList: [port2],
      });
      return threadOf<Out, In>(worker, end);
    },
  };
}

function threadOf<Out, In>(worker: Worker, end: MessagePort): Thread<Out, In> {
  let failure: Error | null = null;
  let asked = false;
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
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
    // A thread that is cut off inside a driver's native code would take the whole process with it: it ends itself.
    terminate: () => {
      asked = true;
      end.postMessage(null);
      return exited;
    },
  };
}
