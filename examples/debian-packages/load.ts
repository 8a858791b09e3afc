/**
 * Writes every record through an ordinary Redis client, kills the server in the middle, starts it again and goes on
 * from the first write that was not answered. What was answered is never written twice: if it were lost, nobody would
 * write it again, and the comparison would find it.
 */
import { Redis } from "ioredis";
import type { PackageRecord } from "./records.js";
import { Server } from "./server.js";

/** How it went. */
export interface LoadReport {
  /** Answered by the server that was killed. */
  readonly answeredBefore: number;
  /** Sent to it, not answered, and written again. */
  readonly writtenAgain: number;
  readonly seconds: number;
  readonly exitCode: number | null;
}

/** Commands on their way at the same time. */
const inFlight = 256;

/** Writes the records to a server on `folder`, which is killed after half of them. */
export async function load(records: readonly PackageRecord[], folder: string): Promise<LoadReport> {
  const start = performance.now();
  const server = await Server.start(folder);
  try {
    const half = Math.floor(records.length / 2);
    const first = await writeAll(server, records, half);
    await server.start();
    const left = records.filter((_, i) => !first.answered.has(i));
    const second = await writeAll(server, left, null);
    if (second.answered.size !== left.length) throw new Error("the second server did not answer every write");
    return {
      answeredBefore: first.answered.size,
      writtenAgain: first.sent - first.answered.size,
      seconds: (performance.now() - start) / 1000,
      exitCode: await server.stop(),
    };
  } finally {
    await server.kill();
  }
}

/** Writes records until all are answered, or kills the server once `killAfter` are. Resending is ours, not the client's. */
async function writeAll(server: Server, records: readonly PackageRecord[], killAfter: number | null) {
  const client = new Redis({
    host: "127.0.0.1",
    port: server.port,
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
  client.on("error", () => undefined);
  const answered = new Set<number>();
  let next = 0;
  const killing: Promise<void>[] = [];

  const writer = async (): Promise<void> => {
    while (next < records.length && killing.length === 0) {
      const index = next;
      next += 1;
      const { key, fields } = records[index] as PackageRecord;
      try {
        await client.hset(bytes(key), ...[...fields].flat().map(bytes));
      } catch (error) {
        if (killing.length === 0) throw new Error(`HSET ${key} failed`, { cause: error });
        return;
      }
      answered.add(index);
      if (answered.size === killAfter) killing.push(server.kill());
    }
  };
  try {
    await Promise.all(Array.from({ length: inFlight }, writer));
    if (killing.length === 0) await untilStored(client);
  } finally {
    client.disconnect();
    await Promise.all(killing);
  }
  return { answered, sent: next };
}

/** The database counts as one replica: WAIT answers 1 once it has everything that this connection wrote. */
async function untilStored(client: Redis): Promise<void> {
  const replicas = await client.wait(1, 0);
  if (replicas !== 1) throw new Error(`WAIT answered ${replicas}`);
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
