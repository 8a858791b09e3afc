/**
 * Who may import whom, as ARCHITECTURE.md tells it. tidy.test.ts checks every import of the project against this list;
 * type imports count.
 */
import type { IForbiddenRuleType } from "dependency-cruiser";

/** Modules of Node that are the outside world: files, threads, time, dice, the process. */
const outsideWorld = [
  "^(node:)?(child_process|cluster|dgram|fs|fs/promises|inspector|os|perf_hooks|process|readline|repl)$",
  "^(node:)?(timers|timers/promises|tty|v8|vm|worker_threads)$",
];

const network = "^(node:)?(dns|http|http2|https|net|tls)$";

/** What does the work: the insides of the stations, the writer, the real host, the servers. No interfaces. */
const concrete = [
  "^src/(cache|writer|server)/",
  "^src/queue/journal/",
  "^src/store/(?!store\\.ts$)",
  "^src/host/(?!(host|sockets)\\.ts$)",
  "^src/dashboard/admin\\.ts$",
];

/**
 * Who puts concrete parts together: the heart, the program, the front door of the library (it makes the real host and
 * names the stores), the lesson (it makes a store fail), and what a thread or a process of ours runs first.
 */
const puttingTogether = [
  "^src/redis/open-fleet\\.ts$",
  "^src/write-behind\\.ts$",
  "^src/cli/",
  "^src/(index|library/open)\\.ts$",
  "^src/lesson/(sandbox-)?engine\\.ts$",
  "-thread\\.ts$",
];

/** Each rule: nothing that matches `from` may import what matches `to`. */
export const importRules: IForbiddenRuleType[] = [
  {
    name: "the cache imports neither queue nor store",
    severity: "error",
    from: { path: "^src/cache/" },
    to: { path: "^src/(queue|store)/", pathNot: "^src/(queue/queue|store/store)\\.ts$" },
  },
  {
    name: "the queue imports neither cache nor store",
    severity: "error",
    from: { path: "^src/queue/" },
    to: { path: "^src/(cache|store)/", pathNot: "^src/store/store\\.ts$" },
  },
  {
    name: "a store imports neither cache nor queue",
    severity: "error",
    from: { path: "^src/store/" },
    to: { path: "^src/(cache|queue)/", pathNot: "^src/queue/queue\\.ts$" },
  },
  {
    name: "a store imports no other database's folder",
    severity: "error",
    from: { path: "^src/store/([^/]+)/" },
    to: { path: "^src/store/[^/]+/", pathNot: "^src/store/$1/" },
  },
  {
    name: "the writer sees interfaces only; its thread's entry file puts concrete parts together",
    severity: "error",
    from: { path: "^src/writer/", pathNot: "-thread\\.ts$" },
    to: {
      path: "^src/[^/]+/|^src/(write-behind|heart|index|open)\\.ts$",
      pathNot: "^src/(writer/|host/host\\.ts|queue/queue\\.ts|store/store\\.ts)",
    },
  },
  {
    name: "only write-behind.ts, cli/ and a few entry files put concrete parts together",
    severity: "error",
    // The pieces of the heart are given concrete parts: tidy.test.ts sees to it that they make none.
    // A fleet's worker runs writers, one for each partition that it owns.
    from: { path: "^src/([^/]+)", pathNot: [...puttingTogether, "^src/(heart|redis/worker)/"] },
    to: { path: concrete, pathNot: "^src/$1/" },
  },
  {
    name: "cache, queue, writer, store and commands know nothing of those who use them",
    severity: "error",
    from: { path: "^src/(cache|queue|writer|store|commands|host)/" },
    to: { path: "^src/(heart|library|server|dashboard|lesson|cli)/|^src/(write-behind|index|open)\\.ts$" },
  },
  {
    name: "nothing imports the command line",
    severity: "error",
    from: { pathNot: "^src/cli/|^test/" },
    to: { path: "^src/cli/" },
  },
  {
    name: "the product imports nothing that tests it",
    severity: "error",
    from: { path: "^src/" },
    to: { path: "^(test|simulator|contract|bench|examples|scripts)/" },
  },
  {
    name: "the exported suites import only the product",
    severity: "error",
    from: { path: "^contract/" },
    to: { path: "^(test|simulator|bench|examples|scripts)/" },
  },
  {
    name: "files, threads, timers, dice and the process belong to host/, to the adapters and to the command line",
    severity: "error",
    from: { path: "^src/", pathNot: "^src/(host|store/[^/]+|cli)/" },
    to: { path: outsideWorld },
  },
  {
    name: "sockets belong to host/, to the adapters, to the command line, and HTTP to dashboard/",
    severity: "error",
    from: { path: "^src/", pathNot: "^src/(host|dashboard|store/[^/]+|cli)/" },
    to: { path: network },
  },
  {
    name: "the SQLite driver belongs to its adapter and to the folder's lock",
    severity: "error",
    from: { path: "^src/", pathNot: "^src/(store/sqlite|host)/" },
    to: { path: "photostructure" },
  },
  {
    name: "the PostgreSQL driver belongs to its adapter",
    severity: "error",
    from: { path: "^src/", pathNot: "^src/store/postgres/" },
    to: { path: "(^|/)(@types/)?pg(/|$)" },
  },
  {
    name: "the Redis driver belongs to redis/",
    severity: "error",
    from: { path: "^src/", pathNot: "^src/redis/" },
    to: { path: "(^|/)ioredis(/|$)" },
  },
  {
    name: "OpenTelemetry belongs to telemetry/",
    severity: "error",
    from: { path: "^src/", pathNot: "^src/telemetry/" },
    to: { path: "(^|/)@opentelemetry(/|$)" },
  },
  {
    name: "telemetry is loaded by whoever wants it",
    severity: "error",
    from: { path: "^src/", pathNot: "^src/(telemetry/|cli/with-telemetry\\.ts$)" },
    to: { path: "^src/telemetry/" },
  },
  { name: "no cycles", severity: "error", from: {}, to: { circular: true } },
  { name: "every import leads somewhere", severity: "error", from: {}, to: { couldNotResolve: true } },
];
