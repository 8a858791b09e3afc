/** Looking at everything: through the server, and in the SQLite file itself. */
import { DatabaseSync } from "@photostructure/sqlite";
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

/** What a database file holds: its records, and the position that it has reached. */
export interface FileSight extends Sight {
  /** Log id, sequence and tag as status writes them; null where no queue ever wrote here. */
  readonly position: string | null;
}

/** Everything in the SQLite file, read in one transaction without changing it. Null where there is no table yet. */
export function inFile(file: string): FileSight | null {
  let database: InstanceType<typeof DatabaseSync>;
  try {
    database = new DatabaseSync(file, { readOnly: true });
  } catch {
    return null;
  }
  try {
    database.exec("BEGIN");
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE name LIKE 'write_behind_%'").all();
    return tables.length < 3 ? null : readFile(database);
  } finally {
    database.close();
  }
}

function readFile(database: InstanceType<typeof DatabaseSync>): FileSight {
  const readFrom = Date.now();
  const records = new Map<string, Found>();
  const fields = new Map<string, Map<string, string>>();
  for (const row of database.prepare("SELECT key, field, value FROM write_behind_field").all() as Record<
    string,
    string
  >[]) {
    const key = row["key"] as string;
    const known = fields.get(key) ?? new Map<string, string>();
    fields.set(key, known.set(row["field"] as string, row["value"] as string));
  }
  const rows = database.prepare("SELECT key, type, value, expires_at FROM write_behind_kv").all() as Record<
    string,
    unknown
  >[];
  for (const row of rows) {
    const expiresAt = row["expires_at"] as number | null;
    const key = row["key"] as string;
    // A row whose time has come is no record any more; the sweep takes it away later.
    if (expiresAt !== null && expiresAt <= readFrom) continue;
    if (row["type"] === "string") records.set(key, { type: "string", value: row["value"] as string, expiresAt });
    else records.set(key, { type: "hash", fields: fields.get(key) ?? new Map(), expiresAt });
    fields.delete(key);
  }
  const at = database.prepare("SELECT log_id, sequence, tag FROM write_behind_position").get() as
    | Record<string, unknown>
    | undefined;
  const position =
    typeof at?.["log_id"] === "string"
      ? `${at["log_id"]}:${String(at["sequence"])}:${Number(at["tag"]).toString(16).padStart(8, "0")}`
      : null;
  return { records, readFrom, readTo: Date.now(), position };
}
