/** A machine for tests of the real `serve`: its processes, its data folder, and its database looked into beside them. */
import { copyFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { RespClient } from "../src/cli/resp-client.js";
import type { Status } from "../src/heart.js";
import { inFolder } from "./cli-process.js";
import { ServerProcess } from "./crash/server-process.js";

/** How long a real process may take for what it does at once. */
export const eventually = { timeout: 15_000, interval: 20 };

/** The user who owns nothing, on every Linux. */
export const nobody = 65_534;

/** Servers and connections to databases that are gone when the work is done. */
export class Machine {
  readonly data: string;
  readonly #servers: ServerProcess[] = [];
  readonly #databases: DatabaseSyncInstance[] = [];

  constructor(data: string) {
    this.data = data;
  }

  get file(): string {
    return join(this.data, "write-behind.db");
  }

  /** A server's first moment; it may not be ready yet. */
  spawn(...flags: string[]): ServerProcess {
    return this.#add(new ServerProcess(["--data", this.data, ...flags]));
  }

  /** The same as a user to whom the rights of files mean something: to root no file is read-only. */
  spawnAsNobody(...flags: string[]): ServerProcess {
    const args = ["--data", this.data, ...flags];
    if (process.getuid?.() !== 0) return this.#add(new ServerProcess(args));
    // A Node that npx has brought lies in root's own folder.
    const node = join(dirname(this.data), "node");
    if (!existsSync(node)) copyFileSync(process.execPath, node);
    return this.#add(new ServerProcess(args, { uid: nobody, node }));
  }

  #add(server: ServerProcess): ServerProcess {
    this.#servers.push(server);
    return server;
  }

  async serve(...flags: string[]): Promise<ServerProcess> {
    const server = this.spawn(...flags);
    if (!(await server.ready())) throw new Error(`it ended: ${server.ended}: ${server.errors}`);
    return server;
  }

  open(): DatabaseSyncInstance {
    // A server that writes without pause lets go of its lock between two commits.
    const database = new DatabaseSync(this.file, { timeout: eventually.timeout });
    this.#databases.push(database);
    return database;
  }

  /** Locks the database as another program does; gives what unlocks it. */
  lock(): () => void {
    const database = this.open();
    database.exec("BEGIN IMMEDIATE");
    return () => database.exec("ROLLBACK");
  }

  async end(): Promise<void> {
    for (const database of this.#databases) database.close();
    await Promise.all(this.#servers.map((server) => server.end("SIGKILL")));
  }
}

/** A test's body: work on a machine of its own. */
export function onMachine(work: (machine: Machine) => Promise<void>): () => Promise<void> {
  return () =>
    inFolder(async (folder) => {
      const machine = new Machine(join(folder, "data"));
      try {
        await work(machine);
      } finally {
        await machine.end();
      }
    });
}

/** Sends commands on one connection and gives their replies as text. */
export async function send(server: ServerProcess, ...commands: string[][]): Promise<string[]> {
  const client = await RespClient.open("127.0.0.1", server.port);
  try {
    const replies = await Promise.all(commands.map((command) => client.send(command)));
    return replies.map((reply) => (reply.type === "bulk" ? reply.bytes.toString() : "text" in reply ? reply.text : ""));
  } finally {
    client.close();
  }
}

/** How the database is, by the server's status. */
export async function storeState(server: ServerProcess): Promise<string> {
  return ((await server.ask("GET", "/api/status")) as Status).store.state;
}
