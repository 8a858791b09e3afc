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
import type { AppProcess } from "./child.js";
import { FleetDatabase, FleetWritten } from "./database.js";
import { allFaults, partitions, ProcessFleet, waitMs, type Fault } from "./fleet.js";
import type { Looked } from "./messages.js";
import { RedisProcess } from "./redis-process.js";
import { Shared } from "./shared.js";
import { foundOf, Stream, type Load } from "./stream.js";

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
export async function runFleetCampaign(setting: Setting & { readonly seconds: number }, went: Went): Promise<Report> {
  const { seconds } = setting;
  const campaign = await FleetCampaign.open(setting);
  try {
    do {
      const leftMs = (seconds - campaign.report.seconds) * 1000;
      await campaign.storm(Math.min(stormMsMax, Math.max(1000, leftMs)));
      await campaign.calm();
      went(campaign.report);
    } while (campaign.report.seconds < seconds);
    return campaign.report;
  } catch (error) {
    throw campaign.explained(error);
  } finally {
    await campaign.end();
  }
}

/** Hears how far it has come. */
type Went = (report: Report) => void;

/** A campaign, storm by storm. */
export class FleetCampaign {
  readonly #setting: Required<Setting>;
  readonly #dice: Dice;
  readonly #written = new FleetWritten();
  readonly #load: Load;
  /** The processes. */
  readonly fleet: ProcessFleet;
  #startedAt = performance.now();
  #streams: Stream[] = [];
  /** Streams that have ended well: others go on with their keys. */
  #idle: Stream[] = [];
  #observer: WriteBehind | null = null;
  #calms = 0;
  #streamNumber = 0;

  static async open(setting: Setting): Promise<FleetCampaign> {
    const programs = embeddedPostgres() ?? systemPostgres();
    if (programs === null) throw new Error("no PostgreSQL here: `npm ci` with optional packages brings one");
    const redis = await RedisProcess.start();
    const database = await FleetDatabase.start(programs);
    const campaign = new FleetCampaign(setting, redis, database);
    try {
      await campaign.#open();
      campaign.#startedAt = performance.now();
      return campaign;
    } catch (error) {
      await campaign.end();
      throw campaign.explained(error);
    }
  }

  private constructor(setting: Setting, redis: RedisProcess, database: FleetDatabase) {
    this.#setting = { apps: 4, streams: 4, workersMax: 8, faults: allFaults, ...setting };
    this.#dice = new Dice(setting.seed);
    const { workersMax } = this.#setting;
    const began = (app: AppProcess): void => this.#begin(app);
    this.fleet = new ProcessFleet({ dice: this.#dice, redis, database, workersMax, began });
    this.#load = {
      dice: this.#dice,
      shared: new Shared(),
      left: new Set(),
      answerMsMax,
      streamNumber: () => this.#streamNumber++,
      apps: () => this.fleet.apps,
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
      faults: this.fleet.counts,
      sent,
      answered,
      unknown,
      refused,
      looks,
      slowestMs,
      calms: this.#calms,
      commits: this.#written.commits,
      valuesWritten: this.#written.values,
      seconds: (performance.now() - this.#startedAt) / 1000,
    };
  }

  async #open(): Promise<void> {
    const { apps, workersMax } = this.#setting;
    const { redis, database, leaseMs } = this.fleet;
    const given = { worker: false, partitions, leaseMs, waitMs: 10_000 };
    const store = postgres(database.server.url());
    this.#observer = await writeBehind({ cache: redisCache(redis.url), store, ...given });
    await this.fleet.begin(apps, Math.min(3, workersMax));
    const deadline = performance.now() + calmMs;
    while (!(await database.begin())) {
      if (performance.now() > deadline) throw new Error(`no worker made the tables within ${calmMs} ms`);
      await sleep(50);
    }
  }

  /** Streams of an application process: with keys that others have left, or with new ones. */
  #begin(app: AppProcess): void {
    for (let i = 0; i < this.#setting.streams; i++)
      this.#streams.push(new Stream(this.#load, app, this.#idle.pop() ?? null));
  }

  /** Load, and one fault after the other: these, or those of the setting. */
  async storm(ms: number, faults: readonly (() => Promise<void>)[] | null = null): Promise<void> {
    this.#idle = [...this.#idle, ...this.#streams].filter(({ history }) => history.sent > 0);
    this.#streams = [];
    for (const app of this.fleet.apps) this.#begin(app);
    const deadline = performance.now() + ms;
    while (performance.now() < deadline) {
      await sleep(this.#dice.between(10, faults === null ? 500 : ms / 5));
      this.#assertWell();
      if (this.#dice.below(5) === 0) await this.#look();
      await (faults === null ? this.fleet.happen(this.#setting.faults) : this.#dice.pick(faults)());
    }
  }

  /** Everything runs again and nobody writes: the database comes to equal what was answered. */
  async calm(): Promise<void> {
    // Before the load ends: a process that is being started begins to write.
    await this.fleet.mend();
    for (const stream of this.#streams) stream.stop();
    await Promise.all(this.#streams.map(({ done }) => done));
    this.fleet.heal();
    this.#assertWell();
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
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const text = `seed ${this.#setting.seed}, after ${line(this.report)}:\n${what}\nstatus: ${status}\n${this.fleet.said()}`;
    return new Error(text, { cause: error });
  }

  async end(): Promise<void> {
    for (const stream of this.#streams) stream.stop();
    await this.#observer?.close({ deadlineMs: 0 });
    await this.fleet.end();
  }

  #assertWell(): void {
    if (this.#load.problem !== null) throw new Error(this.#load.problem);
    this.fleet.assertWell();
  }

  /** The database as it is now: past moments, nothing older over newer, nothing twice. */
  async #look(): Promise<Sight> {
    const { database } = this.fleet;
    if (!database.runs) return { records: new Map(), readFrom: 0, readTo: 0 };
    for (const stream of this.#streams)
      stream.history.stored = Math.max(stream.history.stored, Math.min(stream.flushed, stream.history.sent));
    const histories = this.#histories();
    const sight = await database.sight();
    for (const history of histories) history.sawDatabase(sight);
    this.#load.shared.checkMoment(sight);
    this.#written.look(await database.written());
    return sight;
  }

  #histories(): Set<History> {
    return new Set([...[...this.#streams, ...this.#idle].map(({ history }) => history), ...this.#load.left]);
  }

  /** Everything is stored: the database holds what was answered, and the cache holds what the database does. */
  async #compare(sight: Sight): Promise<void> {
    for (const history of this.#histories()) {
      history.stored = history.answered;
      history.sawDatabase(sight);
      const answer = await this.#dice.pick(this.fleet.apps).ask({ verb: "look", keys: history.keys });
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
    const deadline = performance.now() + 10 * this.fleet.leaseMs + 5000;
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
        unowned === 0 && each.length === this.fleet.workers.length && Math.max(...each) - Math.min(...each) <= 1;
      if (isEven && state === "running" && deadLetters.count === 0) return;
      if (performance.now() > deadline)
        throw new Error(
          `not in balance: ${each.length} workers seen of ${this.fleet.workers.length}, with ${each.join(", ")} partitions, ` +
            `${unowned} unowned, state ${state} (${reason}), ${deadLetters.count} dead letters`,
        );
    }
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
  const content =
    found.type === "string"
      ? found.value
      : JSON.stringify([...found.fields].map((field) => field.join("=")).toSorted());
  return `${found.type} ${content} until ${found.expiresAt}`;
}
