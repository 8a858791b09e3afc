/** What every thread runs first: it imports the module that was asked for and hands it its end of the channel. */
import { parentPort, workerData } from "node:worker_threads";
import type { Channel, ThreadMain } from "./host.js";
import type { ThreadStart } from "./threads.js";

const port = parentPort;
if (port === null) throw new Error("thread-entry.js runs in a thread only");
const { moduleUrl, data, end } = workerData as ThreadStart;
end.on("message", () => process.exit());
// Waiting for that keeps no thread alive.
end.unref();
const channel: Channel<unknown, unknown> = {
  post: (message) => port.postMessage(message),
  // The port keeps what arrives until there is a receiver.
  receive: (call) => void port.on("message", call),
};
const { main } = (await import(moduleUrl)) as { readonly main: ThreadMain };
main(channel, data);
