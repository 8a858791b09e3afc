/** One simulated machine: time, a disk, and processes that come and go on it. */
import type { Host, ThreadMain } from "../src/host/host.js";
import { CrashPoints } from "./crash-points.js";
import { EventLoop, processClock, type Happened, type Owner } from "./host/clock.js";
import { SimulatedDisk } from "./host/disk.js";
import type { Dice } from "./host/random.js";
import { SimulatedThreads } from "./host/threads.js";
import type { Trace } from "./trace.js";

/** A process. Once dead nothing of it runs: its timers, its disk calls and its messages never come back to it. */
export interface Process extends Owner {
  readonly name: string;
  opening: boolean;
  readonly host: Host;
}

/** A process whose life the machine ends. */
class Life implements Process {
  readonly name: string;
  readonly host: Host;
  alive = true;
  opening = true;
  stopped: Happened[] | null = null;

  constructor(name: string, machine: Machine) {
    this.name = name;
    this.host = {
      clock: processClock(machine.loop, this),
      random: machine.dice,
      disk: machine.disk.of(this),
      threads: new SimulatedThreads(machine.loop, this, machine.threadMains),
    };
  }
}

/** The machine. */
export class Machine {
  readonly dice: Dice;
  readonly trace: Trace;
  readonly loop: EventLoop;
  readonly crashes: CrashPoints;
  readonly disk: SimulatedDisk;
  /** What runs in threads, by the URL of the module. */
  readonly threadMains = new Map<string, ThreadMain>();
  /** Processes that were killed, and how often the power went. */
  kills = 0;
  powerLosses = 0;
  readonly #processes = new Set<Life>();
  #started = 0;

  constructor(dice: Dice, trace: Trace) {
    this.dice = dice;
    this.trace = trace;
    this.loop = new EventLoop(dice, trace);
    this.crashes = new CrashPoints(dice);
    this.disk = new SimulatedDisk(this.loop, dice, this.crashes);
  }

  /** Starts a process. */
  start(): Process {
    const life = new Life(`p${++this.#started}`, this);
    this.#processes.add(life);
    this.tell(() => `${life.name} starts`);
    return life;
  }

  /** SIGKILL. */
  kill(process: Process): void {
    const life = process as Life;
    if (!life.alive) return;
    life.alive = false;
    this.#processes.delete(life);
    this.disk.killed(life);
    this.kills++;
    this.tell(() => `${life.name} is killed`);
  }

  /** SIGSTOP: its timers and what it is sent wait. What it has sent is under way. */
  stop(process: Process): void {
    (process as Life).stopped ??= [];
    this.tell(() => `${process.name} is stopped`);
  }

  /** SIGCONT. */
  goOn(process: Process): void {
    const life = process as Life;
    const events = life.stopped;
    if (events === null) return;
    life.stopped = null;
    this.loop.goOn(events);
    this.tell(() => `${process.name} goes on`);
  }

  /** The power goes, and comes back: no process is left, and the disk holds what it holds. */
  losePower(): void {
    for (const life of this.#processes) this.kill(life);
    this.disk.losePower();
    this.powerLosses++;
    this.tell(() => "power is lost");
  }

  tell(words: () => string): void {
    this.trace.tell(this.loop.nowMs, words);
  }
}
