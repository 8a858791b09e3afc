/**
 * The keeper of a fleet as one process reaches it: the twin in memory behind an unreliable road. A call takes time on
 * its way there and back, in order; it may fail before anything was done (CACHE_DOWN), or be done and nobody hears of
 * it (UNKNOWN), also because the process ends. What a process that is stopped or dead has sent still arrives.
 */
import type { Bytes } from "../../src/bytes.js";
import { WriteBehindError } from "../../src/errors.js";
import type { Claim, News } from "../../src/redis/keeper.js";
import type { Moment } from "../crash-points.js";
import type { Machine, Process } from "../machine.js";
import { MemoryKeeper, type KeeperVerb } from "../redis/memory-keeper.js";
import type { MemoryKeeperState } from "../redis/keeper-state.js";
import type { KeeperTemper } from "./fleet-swarm.js";

/** The place where the keeper is, and what all who reach it have in common. */
export interface KeeperPlace {
  readonly machine: Machine;
  readonly state: MemoryKeeperState;
  readonly temper: KeeperTemper;
  readonly absentMs: number;
  /** Whether nobody can reach it. */
  down: boolean;
  /** Grows when it is started anew: what was under way to it is lost. */
  life: number;
  /** Calls that failed. */
  faults: number;
  /** A verb's step was done for this process. */
  stepped(process: Process, verb: KeeperVerb): void;
  /** A process has heard that a claim of its own holds. */
  holds(process: Process, partition: number): void;
}

/** The road of one process to it. */
export interface Road {
  cut: boolean;
  /** So many times as slow as usual. */
  slowness: number;
}

/** A keeper. */
export class SimulatedKeeper extends MemoryKeeper {
  readonly #place: KeeperPlace;
  readonly #process: Process;
  readonly #road: Road;

  constructor(place: KeeperPlace, process: Process, road: Road) {
    const way = new Way(place, process, road);
    super(place.state, {
      absentMs: place.absentMs,
      hooks: { before: (verb) => way.there(verb), after: (verb) => way.back(verb) },
    });
    this.#place = place;
    this.#process = process;
    this.#road = road;
  }

  override async claim(worker: string, partition: number, leaseMs: number): Promise<Claim | null> {
    const claim = await super.claim(worker, partition, leaseMs);
    if (claim !== null) this.#place.holds(this.#process, partition);
    return claim;
  }

  override async holds(claim: Claim, leaseMs: number): Promise<boolean> {
    const holds = await super.holds(claim, leaseMs);
    if (holds) this.#place.holds(this.#process, claim.partition);
    return holds;
  }

  override listen(hear: (news: News | null) => void): Promise<() => void> {
    const { machine, temper } = this.#place;
    return super.listen((news) => {
      if (this.#road.cut && news !== null) return;
      machine.loop.after(machine.dice.number() * temper.latencyMs, "news", this.#process, () => hear(news));
    });
  }
}

/** There and back, in order. */
class Way {
  readonly #place: KeeperPlace;
  readonly #process: Process;
  readonly #road: Road;
  #there = 0;
  #back = 0;
  #moment: Moment | null = null;

  constructor(place: KeeperPlace, process: Process, road: Road) {
    this.#place = place;
    this.#process = process;
    this.#road = road;
  }

  async there(verb: KeeperVerb): Promise<void> {
    const { machine, temper, life } = this.#place;
    const { loop, dice, crashes } = machine;
    if (this.#cut || dice.chance(temper.failsBefore)) return this.#fail("CACHE_DOWN", verb);
    this.#there = Math.max(this.#there, loop.nowMs + this.#latency());
    await loop.arrive(this.#there - loop.nowMs, `keeper ${verb}`, null, () => undefined);
    // It was started anew, or went away, while this was under way.
    if (this.#place.life !== life || this.#place.down) return this.#fail("UNKNOWN", verb);
    // What a dead process has sent may still arrive.
    if (!this.#process.alive && dice.chance(0.5)) await never;
    const moment = crashes.draw(this.#process);
    if (moment === "before") {
      crashes.crash(this.#process, `keeper ${verb}`, moment);
      await never;
    }
    this.#moment = moment;
    return undefined;
  }

  async back(verb: KeeperVerb): Promise<void> {
    const { machine, temper } = this.#place;
    const { loop, dice, crashes } = machine;
    const moment = this.#moment;
    this.#moment = null;
    this.#place.stepped(this.#process, verb);
    if (moment !== null) {
      crashes.crash(this.#process, `keeper ${verb}`, moment);
      await never;
    }
    if (this.#road.cut || dice.chance(temper.failsAfter)) return this.#fail("UNKNOWN", verb);
    this.#back = Math.max(this.#back, loop.nowMs + this.#latency());
    return loop.arrive(this.#back - loop.nowMs, "keeper answers", this.#process, () => undefined);
  }

  get #cut(): boolean {
    return this.#road.cut || this.#place.down;
  }

  #fail(code: "CACHE_DOWN" | "UNKNOWN", verb: KeeperVerb): Promise<void> {
    const { machine } = this.#place;
    this.#place.faults++;
    machine.tell(() => `${this.#process.name}: ${verb} fails: ${code}`);
    const ms = this.#latency() * (machine.dice.chance(0.2) ? 20 : 1);
    return machine.loop.arrive(ms, "keeper fails", this.#process, () => {
      throw new WriteBehindError(code, `the simulated keeper: ${verb}`);
    });
  }

  #latency(): number {
    const { dice } = this.#place.machine;
    return dice.number() * this.#place.temper.latencyMs * this.#road.slowness * (dice.chance(0.02) ? 20 : 1);
  }
}

const never = new Promise<never>(() => {});

/** The record that a key of a client is in a fleet: keys with the same tag are in one partition. */
export function taggedKey(key: Bytes, tags: number): Bytes {
  return `{t${Number(key.slice(1)) % tags}}${key}` as Bytes;
}
