/** Closing a library whose commit is stuck in the driver's native code: its thread cannot be reached, nor cut off. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { nodeHost } from "../src/host/node-host.js";
import type { Host, Thread } from "../src/host/host.js";
import { memoryStore } from "../src/index.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();
const index = new URL("../src/index.js", import.meta.url).href;

/** A store whose commits are one call that does not come back to JavaScript until a pipe is closed. */
const source = `
  import { readFileSync } from "node:fs";
  import { memoryStore } from ${JSON.stringify(index)};
  export function createStore(pipe) {
    const store = memoryStore();
    const commit = store.commit.bind(store);
    store.commit = (batch) => {
      if (batch.rows.size > 0) readFileSync(pipe);
      return commit(batch);
    };
    return store;
  }
`;

/** Resolves once somebody reads the pipe, who waits then until it is closed. */
async function whenRead(pipe: string): Promise<number> {
  for (;;) {
    try {
      return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

test("close ends, says what is left and that the process cannot exit; the folder is free", async () => {
  const [data, files] = [folder(), folder()];
  const [module, pipe] = [join(files, "store.mjs"), join(files, "pipe")];
  writeFileSync(module, source);
  execFileSync("mkfifo", [pipe]);
  const threads: Thread<unknown, unknown>[] = [];
  const { threads: real, ...host } = nodeHost();
  const watched: Host["threads"] = {
    start: (url, given) => {
      const thread = real.start<never, never>(url, given);
      threads.push(thread);
      return thread;
    },
  };
  const store = { module: pathToFileURL(module).href, options: pipe, reads: "caller" } as const;
  const wb = await start(store, { data }, { ...host, threads: watched });
  await wb.set("k", "v");
  const held = await whenRead(pipe);
  const ended = new Promise((resolve) => threads[0]?.ended(resolve));
  try {
    expect(await wb.close({ deadlineMs: 0 })).toEqual({
      drained: false,
      pendingChanges: 1,
      leftIn:
        `1 change is in the journal in ${data} and goes on at the next start; ` +
        "a call into the database's driver does not return, so this process cannot exit: killing it is safe",
      deadLetters: 0,
      hangs: true,
    });
    const next = await start(memoryStore(), { data });
    await next.flush();
    expect(await next.get("k")).toBe("v");
  } finally {
    closeSync(held);
  }
  // The commit has returned: its thread ends by itself, and takes nothing with it.
  expect(await ended).toBeNull();
});
