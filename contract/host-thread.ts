/** The module that the host's contract runs in a thread: it answers each message with what it got and its data. */
import type { ThreadMain } from "../src/host/host.js";

/** Answers until it is told to fail. */
export const main: ThreadMain = (channel, data) => {
  channel.receive((message) => {
    if (message === "fail") throw new Error("asked to fail");
    channel.post({ message, data });
  });
};
