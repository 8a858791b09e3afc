/** The lines that `serve` starts with: where it listens, where the data is, what survives what, what to do next. */
import type { FleetStatus } from "../heart.js";
import { optionTable, type Options } from "../options.js";
import { counted } from "./output.js";
import { storeJson, type NamedStore } from "./store-url.js";

/** What the lines are about. */
export interface Started {
  readonly host: string;
  readonly port: number;
  readonly adminUrl: string;
  /** The data folder, absolute. */
  readonly data: string;
  /** Where cache and queue are shared; null: they are this process's own. */
  readonly fleet: FleetStatus | null;
  /** Whether this process writes to the database, too. */
  readonly worker: boolean;
  readonly store: NamedStore;
  readonly durability: Options["durability"];
  readonly delayMs: number;
  readonly hasPassword: boolean;
  /** Whether clients must show certificates; null: no TLS. */
  readonly tls: { readonly clients: boolean } | null;
}

const survives: Readonly<Record<Options["durability"], string>> = {
  memory: "an answered write survives nothing: it is lost when the process ends before the database has it",
  os: "an answered write survives the end of the process (kill -9), but not a loss of power",
  disk: "an answered write survives the end of the process (kill -9) and a loss of power",
  replicas: "an answered write survives the loss of the Redis that took it: a replica has it, too",
};

/** The lines. */
export function startLines(started: Started): string {
  const { host, port, adminUrl, fleet, durability, hasPassword, tls } = started;
  const send = ["npx write-behind send"];
  if (port !== optionTable.port.default) send.push(`--port ${port}`);
  if (tls !== null) send.push("--tls --tls-ca FILE");
  if (tls?.clients === true) send.push("--tls-cert FILE --tls-key FILE");
  if (hasPassword) send.push("--password …");
  const status = new URL(adminUrl).port === String(optionTable.adminPort.default) ? "" : ` --admin ${adminUrl}`;
  const lines = [
    `Redis protocol  ${tls === null ? "redis" : "rediss"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
    `Page, admin API ${adminUrl}  (or npx write-behind status${status})`,
    ...(fleet === null ? ownLines(started) : fleetLines(started, fleet)),
    `Durability      ${durability}: ${fleet === null ? survives[durability] : fleet.keeps}`,
    `Try             ${send.join(" ")} SET user:1:name Alice`,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function ownLines({ store, data, delayMs }: Started): string[] {
  return [
    `Data            queue in ${data}, tables write_behind_kv and write_behind_field in ${placeShown(store, data)}, ${delayMs} ms behind`,
  ];
}

function fleetLines({ store, worker, delayMs, data }: Started, { place, partitions }: FleetStatus): string[] {
  const who = worker
    ? "this process writes, with the other workers of the fleet"
    : "other processes write: this one has no worker";
  return [
    `Cache, queue    ${place}, ${counted(partitions.length, "partition")}, shared by all processes that name it`,
    `Data            tables write_behind_kv and write_behind_field in ${placeShown(store, data)}, ${delayMs} ms behind; ${who}`,
  ];
}

/** Where the database is; a file the short way where it is in the data folder. */
function placeShown({ kind, place }: NamedStore, data: string): string {
  if (kind === "postgres") return place;
  return `${place.startsWith(`${data}/`) ? `${place.slice(data.length + 1)} there` : place} (SQLite)`;
}

/** The same as one line of JSON, for programs that start a server. */
export function startJson(started: Started): string {
  const { host, port, adminUrl, data, fleet, worker, store, durability } = started;
  const where = fleet === null ? { data, cache: null } : { data: null, cache: cacheJson(fleet, worker) };
  return `${JSON.stringify({ redis: { host, port }, admin: adminUrl, ...where, store: storeJson(store), durability, pid: process.pid })}\n`;
}

function cacheJson({ place, partitions, keeps }: FleetStatus, worker: boolean): unknown {
  return { kind: "redis", place, partitions: partitions.length, keeps, worker };
}
