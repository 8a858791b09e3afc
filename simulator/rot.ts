/**
 * Bit rot at rest: while nobody runs, one bit in a file of the journal changes. Recovery must then refuse, or have lost
 * nothing but the last frame (of which nobody can say whether it was torn or damaged); it must never apply a frame that
 * nobody wrote. After a refusal the bit is turned back, as a restored copy would, and everything must be there.
 *
 * So that every frame but the last has a witness, frames are written here one by one, each durable before the next.
 */
import type { Bytes } from "../src/bytes.js";
import { ask, heartOf, type Stage } from "./stage.js";
import type { Instance } from "./instance.js";

const folder = "data/journal";

/** Writes some frames, ends the process, turns a bit over, and sees what the next process makes of it. */
export async function rot(stage: Stage): Promise<void> {
  const { machine, options } = stage;
  const { dice, disk } = machine;
  // Some of the frames are in the database, some are not.
  const frames = dice.between(2, 6);
  const pauseAt = dice.below(frames);
  for (let i = 0; i < frames; i++) {
    if (i === pauseAt) await pause(stage);
    const key = `k${dice.below(options.keys)}` as Bytes;
    await ask(stage, "rot", [{ kind: "set", key, value: `rot-${i}` as Bytes, ttlMs: null }]);
    const heart = heartOf(stage);
    let durable = false;
    heart.whenDurable(heart.accepted, () => (durable = true));
    await stage.until(() => durable, "a frame is durable");
  }
  stage.kill(stage.serving() as Instance);
  const files = disk.files(folder).filter((file) => file.endsWith(".journal"));
  const name = dice.pick(files);
  const inode = disk.inode(`${folder}/${name}`);
  if (inode === null) throw new Error("the journal has no file that could rot");
  const offset = inode.pickPlace(dice);
  const bit = dice.below(8);
  inode.flip(offset, bit);
  stage.tell(() => `bit ${bit} at ${offset} of ${name} has changed`);
  stage.rotten.present = true;
  stage.rotten.refused = false;
  await stage.until(() => stage.rotten.refused || stage.serving() !== null, "a process opens, or refuses");
  if (!stage.rotten.refused) return;
  stage.tell(() => "the bit is turned back");
  stage.rotten.present = false;
  inode.flip(offset, bit);
  await stage.until(() => stage.serving() !== null, "a process serves again");
}

async function pause(stage: Stage): Promise<void> {
  stage.observe((checker) => checker.pausing?.());
  await heartOf(stage).pause();
  stage.observe((checker) => checker.paused?.(true));
}
