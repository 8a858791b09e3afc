/**
 * Question: what does the script that writes value and log cost Redis itself? Both sides send bytes that were prepared
 * before, by the same bare client, and only count the answers: so the server is all that is measured.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createHash } from "node:crypto";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { plainArguments } from "../src/redis/keep-arguments.js";
import type { Fleet, FrameToWrite } from "../src/redis/keeper.js";
import { partitionPrefix } from "../src/redis/keys.js";
import { logIdOf, partitionOf } from "../src/redis/partition.js";
import { wireOf } from "../src/redis/redis-driver.js";
import { setScript } from "../src/redis/scripts/write.js";
import { uniformWrites, type Write } from "./load.js";
import { perSecond, secondsOf, sideBySide, type Question } from "./question.js";
import { bearFleet, withRedis, type BenchRedis } from "./redis-server.js";

const writesInGroup = 16;
/** Each with one group on its way. */
const connections = 16;
const rounds = 7;

/** Writes in groups of 16, each of one partition. */
function groupsOf(count: number, partitions: number): { readonly partition: number; readonly writes: Write[] }[] {
  const next = uniformWrites(1);
  const gathering = Array.from({ length: partitions }, (): Write[] => []);
  const groups = [];
  while (groups.length < count) {
    const write = next();
    const partition = partitionOf(write.key as Bytes, partitions);
    const gathered = gathering[partition] as Write[];
    gathered.push(write);
    if (gathered.length < writesInGroup) continue;
    groups.push({ partition, writes: gathered });
    gathering[partition] = [];
  }
  return groups;
}

function plainGroup(writes: readonly Write[]): Buffer {
  return Buffer.from(writes.map(({ key, value }) => wireOf("SET", [key, value])).join(""), "latin1");
}

function scriptGroup(log: string, partition: number, writes: readonly Write[], call: number): Buffer {
  const sha = createHash("sha1").update(setScript.text).digest("hex");
  const frames = writes.map(({ key, value }): FrameToWrite => ({
    changes: [
      {
        record: key as Bytes,
        change: { kind: "replace", content: value as Bytes, expiresAt: null, afterRemove: false },
      },
    ],
    from: new Map(),
  }));
  const nonce = call.toString(36).padStart(16, "0") as Bytes;
  const room = [1e12, 1e9, 0];
  const args = [log, ...room, ...plainArguments(frames, nonce)];
  return Buffer.from(wireOf("EVALSHA", [sha, 1], [partitionPrefix(partition)], args), "latin1");
}

/** Sends groups by several connections, each one group at a time; `mark` is the byte with which each answer begins. */
async function sendAll(port: number, groups: readonly Buffer[], answersEach: number, mark: string): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    const socket: Socket = connect(port, "127.0.0.1").setNoDelay(true);
    await once(socket, "connect");
    let answers = 0;
    await new Promise<void>((resolve, reject) => {
      const send = (): void => {
        answers = 0;
        const group = groups[next++];
        if (group === undefined) resolve();
        else socket.write(group);
      };
      socket.on("error", reject);
      socket.on("data", (chunk: Buffer) => {
        if (chunk.includes("-")) reject(new Error(chunk.toString("latin1").slice(0, 200)));
        answers += countOf(chunk, mark.charCodeAt(0));
        if (answers === answersEach) send();
      });
      send();
    });
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }, one));
}

function countOf(chunk: Buffer, byte: number): number {
  let count = 0;
  for (let at = chunk.indexOf(byte); at !== -1; at = chunk.indexOf(byte, at + 1)) count++;
  return count;
}

/** Makes a fleet in an empty Redis, and brings the script there. */
async function prepared(server: BenchRedis): Promise<Fleet> {
  await server.empty();
  const load = Buffer.from(wireOf("SCRIPT", ["LOAD", bytesOfText(setScript.text)]), "latin1");
  await sendAll(server.port, [load], 1, "$");
  return bearFleet(server);
}

export const redisRaw: Question = {
  name: "redis-raw",
  ask: (setting) =>
    withRedis(async (server) => {
      const { partitions } = await bearFleet(server);
      const groups = groupsOf(setting.quick ? 2000 : 20_000, partitions);
      const plain = groups.map(({ writes }) => plainGroup(writes));
      const total = groups.length * writesInGroup;
      const pair = await sideBySide(
        setting.quick ? 3 : rounds,
        async () => {
          const { id } = await prepared(server);
          const calls = groups.map(({ partition, writes }, call) =>
            scriptGroup(logIdOf(id, partition), partition, writes, call),
          );
          return total / (await secondsOf(() => sendAll(server.port, calls, 1, "*")));
        },
        async () => {
          await server.empty();
          return total / (await secondsOf(() => sendAll(server.port, plain, writesInGroup, "+")));
        },
      );
      return [
        {
          what: "writes by a script that carries 16 of them, bare client, bytes prepared",
          rival: "SET, pipeline 16, the same client",
          ours: perSecond(pair.ours),
          theirs: perSecond(pair.theirs),
          ratio: pair.ratio,
          goal: { atLeast: 0.7 },
        },
      ];
    }),
};
