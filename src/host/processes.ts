/**
 * Processes of one's own, from node:child_process: for what is to be killed at any moment. The module that one runs
 * exports `main(channel, data)` as a thread's does; process-entry.ts, inside it, imports it and calls that. It is not
 * a way to run programs.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Process, Processes } from "./host.js";

/** What process-entry.ts is sent first. */
export interface ProcessStart {
  readonly moduleUrl: string;
  readonly data: unknown;
}

/** What a program may need of its surroundings to run at all. Secrets are not among it. */
const inherited = ["LANG", "LD_LIBRARY_PATH", "SystemRoot", "TMPDIR", "TZ"];

/** So much of what a process says on its standard error is kept, to tell why it ended. */
const keptCharacters = 2000;

/** The system's processes. */
export function systemProcesses(): Processes {
  return {
    start: <Out, In>(moduleUrl: string, data: unknown) => {
      const entry = fileURLToPath(new URL("./process-entry.js", import.meta.url));
      const child = fork(entry, [], {
        env: Object.fromEntries(inherited.map((name) => [name, process.env[name]])),
        // None of this program's own flags: an inspector's port would be taken.
        execArgv: [],
        serialization: "advanced",
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      });
      const start: ProcessStart = { moduleUrl, data };
      send(child, start);
      return processOf<Out, In>(child);
    },
  };
}

function processOf<Out, In>(child: ChildProcess): Process<Out, In> {
  let said = "";
  let failure: Error | null = null;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-keptCharacters)));
  // "exit" does not follow where it could not be started at all.
  const ended = new Promise<string>((resolve) => {
    child.on("error", (error) => {
      failure = error;
      if (child.pid === undefined) resolve(error.message);
    });
    child.once("close", (code, signal) => {
      const how = signal === null ? `it ended with code ${code}` : `it was killed by ${signal}`;
      const why = said.trim() === "" ? (failure?.message ?? "") : said.trim();
      resolve(why === "" ? how : `${how}: ${why}`);
    });
  });
  return {
    pid: child.pid ?? null,
    post: (message) => send(child, message),
    receive: (call) => void child.on("message", call),
    ended,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A process that has just died hears nothing more: its end is told by `ended`. */
function send(child: ChildProcess, message: unknown): void {
  if (child.connected) child.send(message as object, () => {});
}
