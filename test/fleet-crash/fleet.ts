/**
 * A fleet of real processes: applications and workers, each behind proxies of its own, a Redis and a PostgreSQL; and
 * what may happen to them. Dice decide whom it hits and for how long. What is written and what must come of it is not
 * known here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../simulator/host/random.js";
import { AppProcess, WorkerProcess, type FleetProcess, type Places } from "./child.js";
import type { FleetDatabase } from "./database.js";
import type { RedisProcess } from "./redis-process.js";

/** What may happen. */
export type Fault =
  | "join"
  | "term"
  | "killWorker"
  | "stopWorker"
  | "killApp"
  | "killRedis"
  | "killDatabase"
  | "network";

/** How often each happens beside the others. */
const weights: Readonly<Record<Fault, number>> = {
  join: 16,
  term: 6,
  killWorker: 6,
  stopWorker: 6,
  killApp: 4,
  killRedis: 4,
  killDatabase: 2,
  network: 12,
};

/** All that may happen. */
export const allFaults = Object.keys(weights) as readonly Fault[];

/** Between whom something happens on the way. */
export type Way = "application-redis" | "application-database" | "worker-redis" | "worker-database";

/** What happens there. */
export type Disturbance = "cut" | "halfClose" | "delay" | "blackHole" | "refuse";

const ways: readonly Way[] = ["application-redis", "application-database", "worker-redis", "worker-database"];
const disturbances: readonly Disturbance[] = ["cut", "cut", "halfClose", "delay", "blackHole", "refuse"];

/** Partitions of its queue. */
export const partitions = 8;

/** How long a worker may take to stop, in milliseconds. */
const closeMs = 3000;

/** How long an application waits for Redis, in milliseconds. */
export const waitMs = 1500;

/** What it is made of. */
interface FleetParts {
  readonly dice: Dice;
  readonly redis: RedisProcess;
  readonly database: FleetDatabase;
  readonly workersMax: number;
  /** A new application process serves. */
  readonly began: (app: AppProcess) => void;
}

/** The processes. */
export class ProcessFleet {
  readonly redis: RedisProcess;
  readonly database: FleetDatabase;
  readonly leaseMs: number;
  /** How often each has happened. */
  readonly counts: Record<Fault, number>;
  apps: AppProcess[] = [];
  workers: WorkerProcess[] = [];
  readonly #dice: Dice;
  readonly #workersMax: number;
  readonly #began: (app: AppProcess) => void;
  readonly #background = new Set<Promise<void>>();
  #failure: Error | null = null;

  constructor({ dice, redis, database, workersMax, began }: FleetParts) {
    this.redis = redis;
    this.database = database;
    this.#dice = dice;
    this.#workersMax = workersMax;
    this.#began = began;
    this.leaseMs = dice.between(500, 1000);
    this.counts = Object.fromEntries(allFaults.map((fault) => [fault, 0])) as Record<Fault, number>;
  }

  /** Starts so many of each. */
  async begin(apps: number, workers: number): Promise<void> {
    await Promise.all(Array.from({ length: workers }, () => this.#join()));
    await Promise.all(Array.from({ length: apps }, () => this.#startApp()));
  }

  /** Everything runs, nothing is on its way to happen. */
  async mend(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
    await Promise.all([this.redis.start(), this.database.start()]);
    if (this.workers.length === 0) await this.#join();
  }

  /** What was held up on the ways passes, or is lost. */
  heal(): void {
    for (const process of [...this.apps, ...this.workers]) for (const proxy of process.proxies) proxy.heal();
  }

  /** Throws where something has happened that nobody has done. */
  assertWell(): void {
    if (this.#failure !== null) throw this.#failure;
    for (const { ended, errors } of [...this.workers, ...this.apps])
      if (ended !== null) throw new Error(`a process ended by itself: ${ended}\n${errors}`);
  }

  /** What the processes say. */
  said(): string {
    const talking = [...this.apps, ...this.workers].filter(({ errors, ended }) => errors !== "" || ended !== null);
    return talking.map(({ errors, ended }) => `${ended ?? "runs"}: ${errors.slice(-1000)}`).join("\n");
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.#background);
    await Promise.all([...this.apps, ...this.workers].map((each) => each.end("SIGKILL")));
    await this.redis.end();
    await this.database.end();
  }

  /** One of these happens. */
  happen(faults: readonly Fault[]): Promise<void> {
    return this.#fault(faults[this.#dice.weighted(faults.map((each) => weights[each]))] as Fault);
  }

  get #places(): Places {
    return { redisPort: this.redis.port, postgresPort: this.database.server.port };
  }

  async #join(): Promise<void> {
    const options = {
      "--partitions": partitions,
      "--lease-ms": this.leaseMs,
      "--delay-ms": this.#dice.pick([0, 20, 100]),
      "--retry-min-ms": 20,
      "--retry-max-ms": 400,
      "--cache-ttl-ms": this.#dice.pick([1000, 60_000]),
      "--close-ms": closeMs,
    };
    const flags = Object.entries(options).flatMap(([flag, value]) => [flag, String(value)]);
    this.workers.push(await WorkerProcess.start(this.#places, flags));
  }

  async #startApp(): Promise<void> {
    const options = {
      waitMs,
      partitions,
      leaseMs: this.leaseMs,
      durability: "disk",
      absentMs: this.#dice.pick([0, 1000, 60_000]),
      cacheTtlMs: this.#dice.pick([1000, 60_000]),
    };
    // Where a fault hits it while it starts, it may end, and is started again as a supervisor would.
    for (let left = 20; left > 0; left--) {
      const app = await AppProcess.start(this.#places, options);
      if (await app.ready()) {
        this.apps.push(app);
        return;
      }
      await app.end("SIGKILL");
      if (left === 1) throw new Error(`an application process does not start:\n${app.errors}`);
      await sleep(100);
    }
  }

  #later(work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => {
        this.#failure ??= error as Error;
      })
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }

  async #fault(fault: Fault): Promise<void> {
    const dice = this.#dice;
    const workersMax = this.#workersMax;
    this.counts[fault]++;
    switch (fault) {
      case "join":
        if (this.workers.length < workersMax) return this.#join();
        return this.#killWorker();
      case "term":
        return this.#term();
      case "killWorker":
        return this.#killWorker();
      case "stopWorker":
        return this.#stopWorker();
      case "killApp":
        return this.#killApp();
      case "killRedis":
        if (!this.redis.runs) return undefined;
        await this.redis.kill();
        return this.#later(async () => {
          await sleep(dice.below(400));
          await this.redis.start();
        });
      case "killDatabase":
        if (!this.database.runs) return undefined;
        await this.database.kill();
        return this.#later(async () => {
          await sleep(dice.below(1500));
          await this.database.start();
        });
      case "network":
        return this.disturb(dice.pick(ways), dice.pick(disturbances));
    }
  }

  #takeWorker(): WorkerProcess | null {
    const worker = this.workers[this.#dice.below(this.workers.length)];
    if (worker === undefined) return null;
    this.workers = this.workers.filter((each) => each !== worker);
    return worker;
  }

  async #killWorker(): Promise<void> {
    await this.#takeWorker()?.end("SIGKILL");
  }

  async #term(): Promise<void> {
    const worker = this.#takeWorker();
    if (worker === null) return;
    if (worker.stands) worker.go();
    this.#later(async () => {
      const began = performance.now();
      await worker.end("SIGTERM");
      const tookMs = Math.round(performance.now() - began);
      // Before its program listens SIGTERM ends it at once; at its deadline it ends itself where something hangs.
      const isEnd = worker.ended === "code 0, signal null" || worker.ended === "code null, signal SIGTERM";
      const isDeadline = worker.ended === "code null, signal SIGKILL" && tookMs > closeMs;
      if ((!isEnd && !isDeadline) || tookMs > closeMs + 10_000)
        throw new Error(`SIGTERM ended a worker after ${tookMs} ms with ${worker.ended}:\n${worker.errors}`);
    });
  }

  async #stopWorker(): Promise<void> {
    const worker = this.#dice.pick(this.workers.length > 0 ? this.workers : [null]);
    if (worker === null || worker.stands) return;
    worker.stop();
    const forMs = this.leaseMs * this.#dice.between(1, 4);
    this.#later(async () => {
      await sleep(forMs);
      worker.go();
    });
  }

  async #killApp(): Promise<void> {
    const app = this.apps[this.#dice.below(this.apps.length)];
    if (app === undefined) return;
    this.apps = this.apps.filter((each) => each !== app);
    await app.end("SIGKILL");
    this.#later(async () => {
      await this.#startApp();
      this.#began(this.apps.at(-1) as AppProcess);
    });
  }

  /** Something happens on the way between a process and Redis or the database. */
  async disturb(way: Way, what: Disturbance): Promise<void> {
    const dice = this.#dice;
    const [who, where] = way.split("-");
    const process = dice.pick<FleetProcess | null>([...(who === "worker" ? this.workers : this.apps), null]);
    if (process === null) return;
    const proxy = process.proxies[where === "redis" ? 0 : 1];
    if (what === "cut") return proxy.cut();
    if (what === "halfClose") return proxy.halfClose();
    if (what === "delay") proxy.delayMs = dice.between(1, 300);
    else if (what === "blackHole") proxy.blackHole();
    else proxy.refuse();
    const forMs = dice.between(50, 1500);
    this.#later(async () => {
      await sleep(forMs);
      proxy.heal();
    });
  }
}
