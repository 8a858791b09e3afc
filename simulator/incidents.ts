/** What befalls a world, drawn one after the other until the faults end. */
import type { WriteBehindError } from "../src/errors.js";
import type { Fate } from "./fate.js";
import { letRivalTry } from "./rival.js";

type Incident = (world: Fate) => void;

const kill: Incident = (world) => {
  if (world.instances.length > 0) world.kill(world.dice.pick(world.instances));
};

const losePower: Incident = (world) => world.losePower();

const close: Incident = (world) => world.serving()?.close();

/** A second process on the same folder, while the first one may live. */
const newcomer: Incident = (world) => {
  if (world.instances.length < 3) world.start();
};

const databaseDown: Incident = (world) => {
  const { temper } = world.database;
  if (temper.down) return;
  temper.down = true;
  world.database.downSinceMs = world.nowMs;
  world.tell(() => "the database is down");
  world.later(world.dice.pick([1, 50, 1000, 6000]) * world.dice.number(), () => {
    temper.down = false;
    world.tell(() => "the database is up");
  });
};

const databaseGoesBack: Incident = (world) => {
  world.database.goBack(world.dice.between(1, 5)).catch((error: unknown) => world.fail(error));
};

const diskFull: Incident = (world) => {
  const { disk } = world.machine;
  disk.temper.capacityBytes = disk.usedBytes() + world.dice.below(20_000);
  world.tell(() => "the disk is full");
  world.later(world.dice.number() * 500, () => {
    disk.temper.capacityBytes = 2 ** 40;
    world.tell(() => "the disk has room");
  });
};

const clockJumps: Incident = (world) => {
  const by = world.dice.pick([-100_000, -500, 500, 100_000]) * world.dice.number();
  world.machine.loop.wallSkewMs += by;
  world.tell(() => `the clock jumps by ${by.toFixed(0)} ms`);
};

const pause: Incident = (world) => {
  const heart = world.serving()?.heart ?? null;
  if (heart === null) return;
  world.tell(() => "an operator pauses the writer");
  setPaused(world, heart.pause(), true);
  world.later(world.dice.number() * 200, () => {
    const now = world.serving()?.heart ?? null;
    if (now === null) return;
    ignore(world, now.step());
    if (world.dice.chance(0.7)) setPaused(world, now.resume(), false);
  });
};

function setPaused(world: Fate, done: Promise<void>, paused: boolean): void {
  world.observe((checker) => checker.pausing?.());
  ignore(
    world,
    done.then(() => world.observe((checker) => checker.paused?.(paused))),
  );
}

const flush: Incident = (world) => {
  const heart = world.serving()?.heart ?? null;
  if (heart === null) return;
  const upTo = heart.accepted;
  const told = (error: WriteBehindError | null, what: "toldStored" | "toldDurable"): void => {
    if (error === null) world.observe((checker) => checker[what]?.(upTo));
  };
  switch (world.dice.below(3)) {
    case 0:
      return heart.whenDurable(upTo, (error) => told(error, "toldDurable"));
    case 1:
      return void heart.whenStored(upTo, (error) => told(error, "toldStored"));
    default:
      ignore(
        world,
        heart.flush().then(() => told(null, "toldStored")),
      );
  }
};

/** An operator looks at status. */
const look: Incident = (world) => {
  const instance = world.serving();
  const status = instance?.heart?.status();
  if (instance === null || status === undefined) return;
  const { temper, downSinceMs } = world.database;
  const downMs = temper.down ? world.nowMs - downSinceMs : 0;
  world.observe((checker) => checker.looked?.({ status, downMs, servedMs: world.nowMs - instance.openedMs }));
};

/** An operator tries dead letters again; what was refused once is refused again. */
const retryLetters: Incident = (world) => {
  const heart = world.serving()?.heart ?? null;
  if (heart !== null && heart.status().deadLetters.count > 0) ignore(world, heart.deadLetters.retry("all"));
};

/** An operator gives dead letters up; now and then with the writer paused, so that much is pending then. */
const discardLetters: Incident = (world) => {
  const heart = world.serving()?.heart ?? null;
  if (heart === null || world.database.letters.length === 0) return;
  if (world.dice.chance(0.5)) return giveUp(world);
  world.tell(() => "an operator pauses the writer");
  setPaused(world, heart.pause(), true);
  world.later(world.dice.number() * 100, () => {
    giveUp(world);
    world.later(world.dice.number() * 50, () => {
      const now = world.serving()?.heart ?? null;
      if (now !== null) setPaused(world, now.resume(), false);
    });
  });
};

/** One of the letters or all, as they are at this moment. */
function giveUp(world: Fate): void {
  const { givenUp, database, dice } = world;
  const heart = world.serving()?.heart ?? null;
  const letters = database.letters;
  if (givenUp === null || heart === null || letters.length === 0) return;
  const chosen = dice.chance(0.5) ? letters : [dice.pick(letters)];
  world.tell(() => `an operator discards ${chosen.join(" ")}${givenUp.behind ? " and what waits behind" : ""}`);
  givenUp.asked(chosen);
  const { behind } = givenUp;
  const told = heart.deadLetters.discard(chosen.map(String), { behind }).then(({ items }) => {
    const discarded = items.filter(({ became }) => became === "discarded").map(({ id }) => Number(id));
    world.tell(() => `an operator is told that ${discarded.join(" ")} is discarded`);
    world.observe((checker) => checker.toldDiscarded?.(discarded));
  });
  ignore(world, told);
}

/** What an operator asks for may be refused; but only with an error of ours. */
function ignore(world: Fate, promise: Promise<unknown>): void {
  promise.catch((error: unknown) => {
    if ((error as Error).name !== "WriteBehindError" && (error as Error).name !== "DiskError") world.fail(error);
  });
}

/** By the names of their weights. */
export const incidents = {
  kill,
  losePower,
  close,
  newcomer,
  databaseDown,
  databaseGoesBack,
  clockJumps,
  diskFull,
  pause,
  flush,
  look,
  rival: letRivalTry,
  retryLetters,
  discardLetters,
};
