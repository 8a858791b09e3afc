/**
 * Rounds of: start the server, look at everything, write from several connections, kill it at a random instant, look at
 * the database. What was answered must be there, whatever the instant.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../../src/heart.js";
import { Dice } from "../../simulator/host/random.js";
import { History } from "./history.js";
import { ServerProcess } from "./server-process.js";
import { inFile, throughServer } from "./sight.js";
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

/** Runs a campaign. Rejects with what is wrong; the folder is kept then. */
export async function runCampaign(seed: number, length: Length, say: (line: string) => void): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "write-behind-crash-"));
  const campaign = new Campaign(folder, new Dice(seed));
  const started = performance.now();
  try {
    while (campaign.report.kills < length.kills && performance.now() - started < length.seconds * 1000) {
      await campaign.round();
      campaign.report.seconds = (performance.now() - started) / 1000;
      if (campaign.report.kills % 20 === 0) say(line(campaign.report));
    }
    await campaign.finish();
  } catch (error) {
    await campaign.abandon();
    throw new Error(
      `after ${campaign.report.kills} kills: ${error instanceof Error ? error.message : String(error)}\nthe folder is kept: ${folder}`,
      { cause: error },
    );
  }
  await rm(folder, { recursive: true, force: true });
  campaign.report.seconds = (performance.now() - started) / 1000;
  return campaign.report;
}

/** What a campaign has reached, in a line. */
export function line(report: Report): string {
  const { kills, startKills, stops, sent, answered, unansweredKept, commits, valuesWritten, seconds } = report;
  const perMinute = Math.round((60 * kills) / seconds);
  return `${kills} kills (${startKills} during the start), ${stops} stops, ${sent} commands, ${answered} answered, ${unansweredKept} kept unanswered, ${valuesWritten} values in ${commits} commits written once, ${Math.round(seconds)} s, ${perMinute} kills/min`;
}

class Campaign {
  readonly report: Report = {
    kills: 0,
    startKills: 0,
    stops: 0,
    sent: 0,
    answered: 0,
    unansweredKept: 0,
    commits: 0,
    valuesWritten: 0,
    seconds: 0,
  };
  readonly #data: string;
  readonly #dice: Dice;
  readonly #written: Written;
  readonly #histories = Array.from({ length: connections }, (_, i) => new History(keysOf(i)));
  #server: ServerProcess | null = null;
  /** The shared counter: the highest answer, and how many were sent since it was last read. */
  #shared = 0;

  constructor(folder: string, dice: Dice) {
    this.#data = join(folder, "data");
    this.#dice = dice;
    this.#written = new Written(join(this.#data, "write-behind.db"));
  }

  async round(): Promise<void> {
    const server = this.#start();
    if (this.#dice.below(8) === 0) {
      await sleep(this.#dice.below(600));
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
      ...small,
    ]);
    return this.#server;
  }

  async #ready(server: ServerProcess): Promise<void> {
    if (!(await server.ready()))
      throw new Error(`the server ended while it started (${server.ended}):\n${server.errors}`);
    // Pause outlives a restart.
    const status = (await server.ask("GET", "/api/status")) as Status;
    this.#written.begin();
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
    const sight = inFile(join(this.#data, "write-behind.db"));
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
    const round: Round = { stopped: false, problem: null, sent: 0, answered: 0, shared: [] };
    const writers = this.#histories.map((history, i) => write(server.port, i, history, this.#dice, round));
    await sleep(this.#dice.between(20, roundMs));
    if (server.ended !== null) throw new Error(`the server ended by itself (${server.ended}):\n${server.errors}`);
    const stop = this.#dice.below(8) === 0;
    await (stop ? this.#stop(server) : this.#kill(server, false));
    round.stopped = true;
    await Promise.all(writers);
    this.report.sent += round.sent;
    this.report.answered += round.answered;
    if (round.problem !== null) throw new Error(round.problem);
    this.#checkShared(round.shared);
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
    this.#lookAfterEnd();
  }

  async #stop(server: ServerProcess): Promise<void> {
    const code = await server.end("SIGTERM");
    if (code !== 0 && code !== 4) throw new Error(`SIGTERM ended the server with ${server.ended}:\n${server.errors}`);
    this.report.stops++;
    this.#lookAfterEnd();
  }

  /** The database of a dead server is a past moment of every connection, with whole transactions. */
  #lookAfterEnd(): void {
    const now = Date.now();
    for (const history of this.#histories) history.died(now);
    const sight = inFile(join(this.#data, "write-behind.db"));
    if (sight === null) return;
    for (const history of this.#histories) history.sawDatabase(sight);
    this.#written.look();
    this.report.commits = this.#written.commits;
    this.report.valuesWritten = this.#written.values;
  }
}
