/**
 * The place of a simulated fleet's keeper: what befalls it, and what is seen there. Every step is looked at as it is
 * done: new frames go into the model, and checkers are told.
 */
import type { Bytes } from "../../src/bytes.js";
import type { RecordChange } from "../../src/change.js";
import { partitionOf } from "../../src/redis/partition.js";
import { Violation, type Invocation } from "../checkers/checker.js";
import type { FleetChecker, PartitionLook } from "../checkers/fleet/fleet-checker.js";
import type { Linearizable } from "../checkers/linearizable.js";
import type { SimulatedDatabase } from "../database.js";
import type { Machine, Process } from "../machine.js";
import { recordsOf } from "../operation.js";
import { MemoryKeeperState, type KeeperSnapshot } from "../redis/keeper-state.js";
import type { KeeperVerb } from "../redis/memory-keeper.js";
import type { FleetFrame, FleetModel } from "./fleet-model.js";
import type { FleetOptions } from "./fleet-swarm.js";
import { taggedKey, type KeeperPlace } from "./simulated-keeper.js";

/** What a keeper was at a moment, and what the model was. */
export interface Saved {
  readonly snapshot: KeeperSnapshot;
  readonly heads: readonly (FleetFrame | null)[];
}

/** What it needs of its world. */
export interface PlaceSurroundings {
  readonly machine: Machine;
  readonly options: FleetOptions;
  readonly database: SimulatedDatabase;
  readonly model: FleetModel;
  readonly makers: WeakMap<RecordChange, Invocation>;
  readonly isBroken: boolean;
  observe(look: (checker: FleetChecker) => void): void;
  tell(words: () => string): void;
  fail(error: unknown): void;
}

/** The keeper of a world. */
export class WatchedPlace implements KeeperPlace {
  readonly machine: Machine;
  readonly state: MemoryKeeperState;
  readonly temper: KeeperPlace["temper"];
  readonly absentMs: number;
  readonly saved: Saved[] = [];
  /** What is asked and not answered. */
  readonly open = new Set<Invocation>();
  down = false;
  life = 0;
  faults = 0;
  /** It has lost something. */
  mayMismatch = false;
  /** It was emptied: the fleet that was is no more. */
  wiped = false;
  readonly #world: PlaceSurroundings;
  readonly #outside: Linearizable;
  #looks: PartitionLook[] = [];
  /** The one that is to take its place, and how many steps it is behind by then. */
  #follower: { readonly at: Saved; behind: number } | null = null;

  constructor(world: PlaceSurroundings, outside: Linearizable) {
    const { machine, options } = world;
    this.#world = world;
    this.#outside = outside;
    this.machine = machine;
    this.temper = { ...options.keeper };
    this.absentMs = options.engine.absentMs;
    this.state = new MemoryKeeperState({ now: () => machine.loop.wallMs });
  }

  /** How its partitions are. */
  looks(): readonly PartitionLook[] {
    return this.state.partitions.map(lookAt);
  }

  save(): void {
    if (this.wiped || this.state.fleet === null) return;
    this.saved.push(this.#now());
    if (this.saved.length > 3) this.saved.shift();
  }

  /** It is started anew from an older file. */
  goBack({ snapshot, heads }: Saved): void {
    if (this.wiped) return;
    this.#world.tell(() => `the keeper goes back to ${heads.map((head) => head?.position.sequence ?? 0).join(" ")}`);
    this.state.restore(snapshot);
    this.#world.model.heads = [...heads];
    this.#lost();
  }

  wipe(): void {
    if (this.wiped || this.state.fleet === null) return;
    this.#world.tell(() => "the keeper is emptied");
    this.wiped = true;
    this.state.wipe();
    this.#world.model.heads = [];
    this.#lost();
  }

  restart(): void {
    this.life++;
    this.state.publish({ kind: "fleet" });
  }

  #lost(): void {
    this.mayMismatch = true;
    if (this.#world.options.refused > 0) this.#world.model.doubtful = true;
    this.restart();
    this.#looks = this.state.partitions.map(lookAt);
    this.#world.observe((checker) => checker.keeperWentBack?.());
    // What was answered may be lost: what comes after it is another history.
    this.#outside.opened(0, "rot");
    for (const invocation of this.open) {
      invocation.inDoubt = true;
      // It may have read what is lost, and write it yet.
      if (invocation.frame === 0) this.#outside.givenUp(recordsOf(invocation.operation));
    }
    for (const partition of this.state.partitions.keys()) this.lookApart(partition);
  }

  stepped(process: Process, verb: KeeperVerb): void {
    for (const [partition, data] of this.state.partitions.entries()) {
      const before = this.#looks[partition] ?? nothingYet;
      const after = lookAt(data);
      const frames = this.#frames(partition);
      this.#looks[partition] = after;
      if (verb === "release" && before.owner !== null && after.owner === null)
        this.#world.observe((checker) => checker.released?.(process, partition));
      this.#world.observe((checker) => checker.stepped?.(partition, before, after, frames));
    }
    this.#failOver();
  }

  #now(): Saved {
    return { snapshot: this.state.snapshot(), heads: [...this.#world.model.heads] };
  }

  #failOver(): void {
    const { dice } = this.machine;
    const follower = this.#follower;
    if (this.temper.failsOver === 0) {
      this.#follower = null;
    } else if (follower === null) {
      if (!dice.chance(this.temper.failsOver) || this.state.fleet === null) return;
      this.#follower = { at: this.#now(), behind: dice.between(1, 6) };
    } else if (--follower.behind === 0) {
      this.#follower = null;
      this.goBack(follower.at);
    }
  }

  holds(process: Process, partition: number): void {
    this.#world.observe((checker) => checker.holds?.(process, partition));
  }

  /** Takes the frames into the model that a step has written. Says how many. */
  #frames(partition: number): number {
    const data = this.state.partitions[partition] as MemoryKeeperState["partitions"][number];
    const last = this.#world.model.heads[partition]?.position ?? { sequence: 0, tag: 0 };
    if (data.sequence === last.sequence && data.tag === last.tag) return 0;
    const fresh = data.log.flatMap(({ frames }) => frames).slice(-(data.sequence - last.sequence));
    let next = last.sequence;
    for (const { frame } of fresh) {
      const { position, at, body } = frame;
      if (position.sequence !== ++next)
        this.#world.fail(
          new Violation(
            "3 order per record",
            `frame ${position.sequence} of partition ${partition} is after ${next - 1}`,
          ),
        );
      if (body.kind === "clear" || this.#world.isBroken) break;
      const accepted = this.#world.model.accept(partition, position, at, body.changes);
      const maker = this.#world.makers.get(body.changes[0] as RecordChange);
      this.#world.tell(() => `frame ${position.sequence} of partition ${partition}, of ${maker?.client}`);
      this.machine.trace.number(position.sequence);
      if (maker === undefined) this.#world.fail(new Error(`frame ${position.sequence} is nobody's`));
      else {
        this.#world.observe((checker) => checker.framed?.(accepted, maker));
        maker.frame = position.sequence;
      }
    }
    return fresh.length;
  }

  /** Where the database has what the keeper has lost, readers see some of it until that is found out. */
  lookApart(partition: number): void {
    const { model, database } = this.#world;
    const { keys, tags, partitions } = this.#world.options;
    const isApart = this.mayMismatch && !model.isPresent(partition, database.position(partition));
    if (!isApart && !model.doubtful) return;
    const records = Array.from({ length: keys }, (_, key) => taggedKey(`k${key}` as Bytes, tags));
    this.#outside.givenUp(records.filter((record) => partitionOf(record, partitions) === partition));
  }
}

const nothingYet: PartitionLook = { stored: 0, settled: 0, bytes: 0, pendingRecords: 0, owner: null };

function lookAt(data: MemoryKeeperState["partitions"][number]): PartitionLook {
  const { stored, settled, bytes, pending, owner } = data;
  return { stored, settled, bytes, pendingRecords: pending.size, owner: owner?.worker ?? null };
}
