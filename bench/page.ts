/** Question: what does it cost a server that somebody watches its page? The same server, watched and not, in turn. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { freePort } from "../test/servers.js";
import { commandRate, startServe } from "./serve.js";
import { perSecond, root, sideBySide, type Question } from "./question.js";

/** Watches a server as an open page does, while work is done. */
async function watched<T>(url: string, work: () => T): Promise<T> {
  const args = [join(root, "dist", "bench", "page-watcher.js"), url];
  const watcher = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(watcher, "exit");
  try {
    await once(watcher.stdout, "data");
    return work();
  } finally {
    watcher.kill("SIGKILL");
    await ended;
  }
}

export const page: Question = {
  name: "page",
  ask: async (setting) => {
    const adminPort = await freePort();
    const server = await startServe(setting.folder, ["--admin-port", String(adminPort)]);
    const count = setting.quick ? 50_000 : 500_000;
    const measure = (): number => commandRate(server.port, "SET", 16, count);
    try {
      measure();
      const pair = await sideBySide(
        9,
        () => watched(`http://127.0.0.1:${adminPort}`, measure),
        async () => measure(),
      );
      return [
        {
          what: "serve SET, pipeline 16, while a page watches",
          rival: "the same server, unwatched",
          ours: perSecond(pair.ours),
          theirs: perSecond(pair.theirs),
          ratio: pair.ratio,
          goal: { atLeast: 0.97 },
        },
      ];
    } finally {
      await server.stop();
    }
  },
};
