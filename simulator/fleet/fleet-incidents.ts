/** What befalls a fleet, drawn one after the other until the faults end. */
import { WriteBehindError } from "../../src/errors.js";
import type { MemoryKeeperState } from "../redis/keeper-state.js";
import type { SimulatedDatabase } from "../database.js";
import type { Dice } from "../host/random.js";
import type { Machine } from "../machine.js";
import type { FleetOptions, FleetWeights } from "./fleet-swarm.js";
import type { Member } from "./member.js";
import type { WatchedPlace } from "./watched-place.js";

/** The world as incidents see it. */
export interface FleetFate {
  readonly dice: Dice;
  readonly options: FleetOptions;
  readonly machine: Machine;
  readonly database: SimulatedDatabase;
  readonly place: WatchedPlace;
  readonly state: MemoryKeeperState;
  readonly members: readonly Member[];
  readonly isCalm: boolean;
  kill(member: Member): void;
  start(): void;
  leave(member: Member): void;
  flush(member: Member): void;
  later(delayMs: number, call: () => void): void;
  tell(words: () => string): void;
  fail(error: unknown): void;
}

type Incident = (world: FleetFate) => void;

/** A while, in relation to leases: mostly shorter, sometimes much longer. */
function aWhile({ dice, options }: FleetFate): number {
  return dice.number() * options.engine.leaseMs * dice.pick([0.5, 2, 6]);
}

function someone(world: FleetFate): Member | null {
  return world.members.length === 0 ? null : world.dice.pick(world.members);
}

/** Something that befalls one process for a while. */
function forAWhile(name: string, begin: (world: FleetFate, one: Member) => () => void): Incident {
  return (world) => {
    const one = someone(world);
    if (one === null) return;
    world.tell(() => `${one.process.name}: ${name}`);
    const end = begin(world, one);
    world.later(aWhile(world), () => {
      world.tell(() => `${one.process.name}: no more ${name}`);
      end();
    });
  };
}

const stop: Incident = (world) => {
  const one = someone(world);
  if (one === null) return;
  world.machine.stop(one.process);
  world.later(aWhile(world), () => world.machine.goOn(one.process));
};

const cutFromKeeper = forAWhile("cut off from the keeper", (_, { road }) => {
  road.cut = true;
  return () => (road.cut = false);
});

const cutFromDatabase = forAWhile("cut off from the database", ({ database }, { process }) => {
  database.cutOff.add(process);
  return () => database.cutOff.delete(process);
});

const slow = forAWhile("slow", ({ dice }, { road }) => {
  road.slowness = dice.pick([10, 100]);
  return () => (road.slowness = 1);
});

const databaseDown: Incident = (world) => {
  world.database.temper.down = true;
  world.tell(() => "the database is down");
  world.later(aWhile(world), () => {
    world.database.temper.down = false;
    world.tell(() => "the database is up");
  });
};

const keeperDown: Incident = (world) => {
  world.place.down = true;
  world.tell(() => "the keeper is down");
  world.later(aWhile(world), () => {
    if (world.isCalm) return;
    world.place.down = false;
    world.place.restart();
  });
};

const keeperGoesBack: Incident = (world) => {
  const { place, dice } = world;
  if (place.saved.length > 0) place.goBack(dice.pick(place.saved));
};

const keeperFull: Incident = (world) => {
  world.state.onAppend = () => {
    if (world.dice.chance(0.3)) throw new WriteBehindError("CACHE_DOWN", "the simulated keeper is out of memory");
  };
  world.later(aWhile(world), () => (world.state.onAppend = () => {}));
};

const evict: Incident = ({ state, dice }) => {
  if (dice.chance(0.5)) return state.evictAll();
  for (const { pending } of state.partitions) for (const record of pending.keys()) state.evict(record);
};

const lose: Incident = (world) => {
  const pending = world.state.partitions.flatMap((each) => [...each.pending.keys()]);
  if (pending.length === 0) return;
  const record = world.dice.pick(pending);
  world.tell(() => `the keeper loses the key ${record}`);
  world.state.lose(record);
};

const clockJumps: Incident = (world) => {
  const by = world.dice.pick([-100_000, -500, 500, 100_000]) * world.dice.number();
  world.machine.loop.wallSkewMs += by;
  world.tell(() => `the clock jumps by ${by.toFixed(0)} ms`);
};

const pause: Incident = (world) => {
  world.state.paused = true;
  world.tell(() => "the fleet is paused");
  world.later(aWhile(world), () => (world.state.paused = false));
};

const retryLetters: Incident = ({ members }) => {
  const front = members.find(({ serves }) => serves);
  front?.heart?.deadLetters.retry("all").catch(() => {});
};

const withOne = (act: (world: FleetFate, one: Member) => void): Incident => {
  return (world) => {
    const one = someone(world);
    if (one !== null) act(world, one);
  };
};

/** All of them. */
export const fleetIncidents: Record<keyof FleetWeights, Incident> = {
  kill: withOne((world, one) => world.kill(one)),
  leave: withOne((world, one) => world.leave(one)),
  join: (world) => world.start(),
  stop,
  cutFromKeeper,
  cutFromDatabase,
  slow,
  databaseDown,
  databaseGoesBack: (world) =>
    void world.database.goBack(world.dice.between(1, 5)).catch((error: unknown) => world.fail(error)),
  keeperDown,
  keeperSaves: (world) => world.place.save(),
  keeperGoesBack,
  keeperWiped: (world) => world.place.wipe(),
  keeperFull,
  evict,
  lose,
  clockJumps,
  pause,
  flush: withOne((world, one) => world.flush(one)),
  retryLetters,
};
