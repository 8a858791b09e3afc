/**
 * Every option once: its type (which is its unit), default, limits and meaning. The library's argument, the flags of
 * `serve`, the variables, the YAML file and docs/reference/options.md are all made from this table: options-parse.ts
 * reads one value, options-resolve.ts puts the places together.
 */
import type { OptionSpec } from "./options-parse.js";
import type { RouteSpec } from "./routes/route.js";

const kb = 1024;
const mb = 1024 * kb;
const gb = 1024 * mb;
const second = 1000;
const hour = 3600 * second;

/** The table. */
export const optionTable = {
  data: {
    type: "text",
    default: "./write-behind-data",
    scope: "engine",
    doc: "folder of the write queue; made where it is missing",
  },
  durability: {
    type: "choice",
    of: ["memory", "os", "disk", "replicas"],
    default: "disk",
    scope: "engine",
    doc: "what an answered write survives: nothing, the end of the process, power loss; with a cache in Redis also the loss of that Redis (`replicas`)",
  },
  delayMs: {
    type: "ms",
    default: 100,
    min: 0,
    max: hour,
    scope: "engine",
    alias: "delay",
    doc: "how long a change may wait for company before it is written to the database",
  },
  batchBytes: {
    type: "bytes",
    default: 64 * mb,
    min: 64 * kb,
    max: gb,
    scope: "engine",
    doc: "raw log that one run takes at the most",
  },
  batchRecords: {
    type: "count",
    default: 20_000,
    min: 1,
    max: 1_000_000,
    scope: "engine",
    doc: "distinct records that one run takes at the most",
  },
  cacheBytes: {
    type: "bytes",
    default: 256 * mb,
    min: mb,
    max: 1024 * gb,
    scope: "engine",
    doc: "memory for records; the keys of pending ones may exceed it, as many as `queueRecords` allows; what waits behind dead letters may take as much again",
  },
  resident: {
    type: "flag",
    default: false,
    scope: "engine",
    doc: "read all records of the own tables into memory at the start and keep them there: then no command reads the database; the start waits for it, and `cacheBytes` must hold them",
  },
  queueBytes: {
    type: "bytes",
    default: 4 * gb,
    min: 64 * mb,
    max: 1024 * gb,
    scope: "engine",
    doc: "disk for pending changes; at the limit a write waits or is refused",
  },
  queueRecords: {
    type: "count",
    default: 2_000_000,
    min: 1,
    max: 1_000_000_000,
    scope: "engine",
    doc: "distinct records that may be pending, each some 300 bytes of memory; at the limit a write waits or is refused",
  },
  waitMs: {
    type: "ms",
    default: second,
    min: 0,
    max: hour,
    scope: "engine",
    doc: "how long a write waits for room in the queue before it is refused; 0 refuses it at once",
  },
  segmentBytes: {
    type: "bytes",
    default: 16 * mb,
    min: 64 * kb,
    max: 128 * mb,
    scope: "engine",
    doc: "size of one journal file",
  },
  retainBytes: {
    type: "bytes",
    default: 64 * mb,
    min: 0,
    max: 1024 * gb,
    scope: "engine",
    doc: "committed log that is kept, to heal a database that went back",
  },
  retainMs: {
    type: "ms",
    default: hour,
    min: 0,
    max: 720 * hour,
    scope: "engine",
    doc: "how long committed log is kept; the smaller of the two counts",
  },
  diskReserve: {
    type: "bytes",
    default: 64 * mb,
    min: 0,
    max: 1024 * gb,
    scope: "engine",
    doc: "disk that the queue leaves free, because the database needs room to commit",
  },
  // Longer than the old one takes to drain (closeMs) and to end, or a rolling restart fails when the database is down.
  ownerWaitMs: {
    type: "ms",
    default: 30 * second,
    min: 0,
    max: hour,
    scope: "engine",
    doc: "how long a newcomer waits for the old owner of the folder",
  },
  retryMinMs: {
    type: "ms",
    default: 100,
    min: 1,
    max: hour,
    scope: "engine",
    doc: "longest pause before the first new try of a failed commit; it doubles with each try",
  },
  retryMaxMs: {
    type: "ms",
    default: 30 * second,
    min: 1,
    max: hour,
    scope: "engine",
    doc: "longest pause between two tries",
  },
  deadLettersMax: {
    type: "count",
    default: 1000,
    min: 0,
    max: 100_000,
    scope: "engine",
    doc: "dead letters that are kept; one more stops the writer until some are retried or discarded; 0 parks nothing",
  },
  absentMs: {
    type: "ms",
    default: 60 * second,
    min: 0,
    max: 24 * hour,
    scope: "engine",
    doc: "how long it is remembered that the database has no such record",
  },
  loadsMax: {
    type: "count",
    default: 64,
    min: 1,
    max: 10_000,
    scope: "engine",
    doc: "records that are read from the database at the same time, fewer where they are large",
  },
  routes: { type: "routes", default: [], scope: "engine", doc: "which keys go to which table (docs/guide/tables.md)" },
  unrouted: {
    type: "choice",
    of: ["store", "refuse"],
    default: "store",
    scope: "engine",
    doc: "what is done with keys that match no route: kept in the own tables, or refused",
  },
  closeMs: { type: "ms", default: 10 * second, min: 0, max: hour, scope: "engine", doc: "how long stopping may drain" },
  worker: {
    type: "flag",
    default: true,
    scope: "engine",
    doc: "with a cache in Redis: whether this process runs a worker, too; `--no-worker` leaves the writing to others",
  },
  partitions: {
    type: "count",
    default: 8,
    min: 1,
    max: 1024,
    scope: "engine",
    doc: "with a cache in Redis: logs that the queue is cut into, each written by one worker at a time; fixed when the queue is made",
  },
  leaseMs: {
    type: "ms",
    default: 5 * second,
    min: 200,
    max: hour,
    scope: "engine",
    doc: "with a cache in Redis: how long a worker that says nothing keeps its partitions",
  },
  queueAgeMs: {
    type: "ms",
    default: 0,
    min: 0,
    max: 720 * hour,
    scope: "engine",
    doc: "with a cache in Redis: age of the oldest pending change at which a write waits or is refused; 0: whatever age",
  },
  cacheTtlMs: {
    type: "ms",
    default: 24 * hour,
    min: second,
    max: 720 * hour,
    scope: "engine",
    doc: "with a cache in Redis: how long a record stays there after it was stored or loaded; Redis may evict it sooner",
  },
  cache: {
    type: "text",
    default: null,
    scope: "serve",
    doc: "a Redis or Valkey that holds cache and queue for many processes: redis://…; by default both are in this process",
  },
  store: {
    type: "text",
    default: null,
    scope: "serve",
    doc: "the database: sqlite:FILE or postgres://…; by default write-behind.db in the data folder",
  },
  port: {
    type: "count",
    default: 6380,
    min: 0,
    max: 65_535,
    scope: "serve",
    doc: "port of the Redis protocol; 0 picks a free one",
  },
  host: { type: "text", default: "127.0.0.1", scope: "serve", doc: "address to listen on" },
  adminPort: {
    type: "count",
    default: 8380,
    min: 0,
    max: 65_535,
    scope: "serve",
    doc: "port of the admin API; 0 picks a free one",
  },
  adminToken: { type: "text", default: null, scope: "serve", secret: true, doc: "token that the admin API demands" },
  password: {
    type: "text",
    default: null,
    scope: "serve",
    secret: true,
    doc: "password that clients must give (AUTH)",
  },
  tlsCert: {
    type: "text",
    default: null,
    scope: "serve",
    doc: "PEM file with the certificate of the server and what leads to its authority; with it `port` speaks TLS only",
  },
  tlsKey: { type: "text", default: null, scope: "serve", doc: "PEM file with the private key of `tlsCert`" },
  tlsClientCa: {
    type: "text",
    default: null,
    scope: "serve",
    doc: "PEM file with the authority of the clients: each of them must show a certificate then",
  },
  allowFlush: { type: "flag", default: false, scope: "serve", doc: "allow FLUSHALL and FLUSHDB" },
  maxClients: {
    type: "count",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    scope: "serve",
    doc: "connections at the same time",
  },
} as const satisfies Record<string, OptionSpec>;

type Table = typeof optionTable;
type ValueOf<Spec> = Spec extends { type: "choice"; of: readonly (infer Choice)[] }
  ? Choice
  : Spec extends { type: "text"; default: infer Default }
    ? Default extends null
      ? string | null
      : string
    : Spec extends { type: "flag" }
      ? boolean
      : Spec extends { type: "routes" }
        ? readonly RouteSpec[]
        : number;

/** A name of an option. */
export type OptionName = keyof Table;

/** Every option with its value. */
export type Options = { readonly [Name in OptionName]: ValueOf<Table[Name]> };

/** The names of the options that the library takes. */
export type EngineOptionName = {
  [Name in OptionName]: Table[Name]["scope"] extends "engine" ? Name : never;
}[OptionName];

/** The options that the library takes, resolved. */
export type EngineOptions = Pick<Options, EngineOptionName>;

/** The defaults. */
export function defaultOptions(): Options {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(optionTable)) values[name] = spec.default;
  return values as Options;
}
