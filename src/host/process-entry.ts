/** What every process of processes.ts runs first: it imports the module that was asked for and hands it its channel. */
import type { Channel, ThreadMain } from "./host.js";
import type { ProcessStart } from "./processes.js";

if (process.send === undefined) throw new Error("process-entry.js runs in a process of another one only");
// It never outlives whoever started it, however that one ended.
process.on("disconnect", () => process.exit());
// Ctrl-C in a terminal goes to every process there: the one that started this one decides about its end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
process.once("message", (start: ProcessStart) => void run(start));

async function run({ moduleUrl, data }: ProcessStart): Promise<void> {
  const early: unknown[] = [];
  const keep = (message: unknown): void => void early.push(message);
  process.on("message", keep);
  const { main } = (await import(moduleUrl)) as { readonly main: ThreadMain };
  const channel: Channel<unknown, unknown> = {
    post: (message) => void process.send?.(message, undefined, undefined, () => {}),
    receive: (call) => {
      process.off("message", keep);
      process.on("message", call);
      for (const message of early.splice(0)) call(message);
    },
  };
  main(channel, data);
}
