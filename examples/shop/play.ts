/**
 * Some clients use the shop for a while. Meanwhile its process is killed and its database fails, as dice say, and an
 * observer looks at the tables all the time. At the end the tables must be what the clients were answered.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, diceOf, productCount, productOf, type Dice } from "./client.js";
import { broken, rowsOf, type ShopDatabase } from "./database.js";
import { Model, type Rows } from "./model.js";
import type { Answer, Closed, Request } from "./requests.js";

const clientCount = 8;

/** How the database is made to fail. */
export interface Outage {
  begin(): Promise<void>;
  end(): Promise<void>;
}

export interface Setting {
  readonly database: ShopDatabase;
  /** For the shop's queue. */
  readonly data: string;
  /** The Redis that holds its cache and its queue instead. */
  readonly cache?: string | undefined;
  readonly outage: Outage;
  readonly seconds: number;
  readonly seed: number;
}

export interface Report {
  readonly done: number;
  readonly refused: number;
  readonly kills: number;
  readonly outages: number;
  readonly looks: number;
  /** What an observer saw that must never be. */
  readonly broken: readonly string[];
  readonly closed: Closed;
  readonly expected: Rows;
  readonly found: Rows;
}

/** Plays, and says how it went. */
export async function play(setting: Setting): Promise<Report> {
  const dice = diceOf(setting.seed);
  const game = new Game(setting, dice);
  await game.open();
  try {
    await game.stockUp();
    const until = performance.now() + setting.seconds * 1000;
    const players = game.clients(until);
    const watching = game.observe();
    await game.disturb(until);
    await players;
    const closed = await game.close();
    await watching;
    const { counts, model } = game;
    const seen = [...game.seen, ...(await broken(setting.database))];
    return { ...counts, broken: seen, closed, expected: model.rows(), found: await rowsOf(setting.database) };
  } finally {
    game.kill();
  }
}

class Game {
  readonly model = new Model();
  readonly counts = { done: 0, refused: 0, kills: 0, outages: 0, looks: 0 };
  readonly seen = new Set<string>();
  readonly #setting: Setting;
  readonly #dice: Dice;
  /** Where answers go to, by client. */
  readonly #waiting = new Map<string, (answer: Answer | null) => void>();
  #desk: ChildProcess | null = null;
  #opened: Promise<unknown> = Promise.resolve();
  #isDown = false;
  #isOver = false;

  constructor(setting: Setting, dice: Dice) {
    this.#setting = setting;
    this.#dice = dice;
  }

  /** Starts the shop; resolves when it is open. */
  async open(): Promise<void> {
    const { data, database, cache } = this.#setting;
    const places = [data, database.url, ...(cache === undefined ? [] : [cache])];
    const desk = fork(fileURLToPath(new URL("desk.js", import.meta.url)), places);
    this.#desk = desk;
    const ended = once(desk, "exit").then(([code]) => {
      throw new Error(`the shop ended by itself with exit code ${String(code)}`);
    });
    this.#opened = Promise.race([once(desk, "message"), ended]);
    ended.catch(() => undefined);
    desk.on("message", (answer: Answer) => this.#waiting.get(answer.client)?.(answer));
    // Nobody gets an answer from the dead.
    desk.on("exit", () => this.#waiting.forEach((answered) => answered(null)));
    await this.#opened;
  }

  /** Ends all of it; does nothing where it was closed. */
  kill(): void {
    this.#isOver = true;
    this.#desk?.kill("SIGKILL");
  }

  async close(): Promise<Closed> {
    this.#isOver = true;
    const desk = this.#desk as ChildProcess;
    const closed = once(desk, "message");
    desk.send("close");
    const [report] = (await closed) as [Closed];
    return report;
  }

  /** The first delivery of each product. */
  async stockUp(): Promise<void> {
    for (let no = 1; no <= productCount; no += 1) {
      const wish = { kind: "deliver", product: productOf(no), units: 100 } as const;
      await this.#request({ client: "supplier", no, wish });
    }
  }

  /** All clients, until the time is over; each finishes what it has begun. */
  async clients(until: number): Promise<void> {
    const dice = diceOf(this.#setting.seed + 1);
    const run = async (number: number): Promise<void> => {
      const client = new Client(number, this.model, dice);
      for (let no = 1; performance.now() < until; no += 1)
        await this.#request({ client: client.name, no, wish: client.next() });
    };
    await Promise.all(Array.from({ length: clientCount }, (_, number) => run(number)));
  }

  /** Kills the shop, and lets the database fail. */
  async disturb(until: number): Promise<void> {
    const { outage } = this.#setting;
    while (performance.now() < until) {
      await sleep(100 + this.#dice() * 700);
      const roll = this.#dice();
      if (roll < 0.5) await this.#killed();
      if (roll < 0.3 || performance.now() > until) continue;
      this.counts.outages += 1;
      this.#isDown = true;
      await outage.begin();
      await sleep(100 + this.#dice() * 500);
      // It may be killed while the database is down, and must come back by itself.
      if (roll > 0.8) await this.#killed();
      await outage.end();
      this.#isDown = false;
    }
  }

  /** Looks at the tables all the time. */
  async observe(): Promise<void> {
    while (!this.#isOver) {
      await sleep(20);
      const [wasDown, outages] = [this.#isDown, this.counts.outages];
      try {
        for (const what of await broken(this.#setting.database)) this.seen.add(what);
        this.counts.looks += 1;
      } catch (error) {
        if (!wasDown && outages === this.counts.outages) this.seen.add(`an observer: ${String(error)}`);
      }
    }
  }

  async #killed(): Promise<void> {
    const desk = this.#desk as ChildProcess;
    const ended = once(desk, "exit");
    desk.kill("SIGKILL");
    await ended;
    this.counts.kills += 1;
    await this.open();
  }

  /** Sends a request until it is done or refused: without an answer the same one again. */
  async #request(request: Request): Promise<void> {
    while (!this.#isOver) {
      const answer = await this.#ask(request);
      if (answer?.outcome.is === "done") {
        this.counts.done += 1;
        this.model.done(request, answer.outcome.order);
        return;
      }
      if (answer?.outcome.is === "refused") {
        this.counts.refused += 1;
        return;
      }
      await sleep(20);
    }
  }

  async #ask(request: Request): Promise<Answer | null> {
    await this.#opened;
    const desk = this.#desk as ChildProcess;
    if (!desk.connected) return null;
    return new Promise((resolve) => {
      this.#waiting.set(request.client, (answer) => {
        if (answer !== null && answer.no !== request.no) return;
        this.#waiting.delete(request.client);
        resolve(answer);
      });
      desk.send(request, (error) => {
        if (error !== null) this.#waiting.get(request.client)?.(null);
      });
    });
  }
}
