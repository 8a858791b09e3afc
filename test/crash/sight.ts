/** Looking at everything through the server. */
import { RespClient } from "../../src/cli/resp-client.js";
import type { RespReply } from "../../src/cli/resp-reply.js";
import type { Found, Sight } from "./history.js";

/** The records of these keys as the server has them. */
export async function throughServer(port: number, keys: readonly string[]): Promise<Sight> {
  const client = await RespClient.open("127.0.0.1", port);
  const readFrom = Date.now();
  const records = new Map<string, Found>();
  try {
    await Promise.all(keys.map(async (key) => void records.set(key, await recordOf(client, key))));
  } finally {
    client.close();
  }
  return { records, readFrom, readTo: Date.now() };
}

async function recordOf(client: RespClient, key: string): Promise<Found> {
  // One transaction: the three answers are of one moment.
  const replies = await Promise.all(
    [["MULTI"], ["GET", key], ["HGETALL", key], ["PTTL", key], ["EXEC"]].map((args) => client.send(args)),
  );
  const exec = replies[4] as RespReply;
  if (exec.type !== "array") throw new Error(`reading ${key} was answered ${JSON.stringify(exec)}`);
  const [string, hash, pttl] = exec.items as [RespReply, RespReply, RespReply];
  const leftMs = pttl.type === "integer" ? Number(pttl.text) : Number.NaN;
  const expiresAt = leftMs < 0 ? null : Date.now() + leftMs;
  if (string.type === "bulk") return { type: "string", value: string.bytes.toString(), expiresAt };
  if (string.type === "null") return null;
  if (hash.type !== "array") throw new Error(`reading ${key} was answered ${JSON.stringify(replies)}`);
  const texts = hash.items.map((item) => (item.type === "bulk" ? item.bytes.toString() : ""));
  const fields = new Map<string, string>();
  for (let i = 0; i < texts.length; i += 2) fields.set(texts[i] as string, texts[i + 1] as string);
  return { type: "hash", fields, expiresAt };
}
