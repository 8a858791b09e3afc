/** Question: how does a durable `set` compare with the write-behind that npm offers, whose queue is in memory? */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { openedSet, rateOf, rounds } from "./set.js";
import { perSecond, root, sideBySide, type Answer, type Question } from "./question.js";

interface Ueber {
  init(): Promise<void>;
  set(key: string, value: string): Promise<void>;
  close(): Promise<void>;
}

type UeberClass = new (type: string, database: object, wrapper: object) => Ueber;

/** All records cached, written every 100 ms: what makes it a write-behind. These backends do neither by default. */
const asWriteBehind = { cache: 200_000, writeInterval: 100 };

/** Rivals are not dependencies of the project: they are installed when they are asked for, from bench/package.json. */
function loadUeber(): UeberClass {
  const folder = join(root, "bench");
  if (!existsSync(join(folder, "node_modules", "ueberdb2"))) {
    const installed = spawnSync("npm", ["--prefix", folder, "ci"], { cwd: folder, encoding: "utf8" });
    if (installed.status !== 0) throw new Error(`npm --prefix bench ci failed:\n${installed.stderr}`);
  }
  return (createRequire(join(folder, "package.json"))("ueberdb2") as { Database: UeberClass }).Database;
}

export const setUeberdb2: Question = {
  name: "set-ueberdb2",
  ask: async (setting) => {
    const UeberDatabase = loadUeber();
    const total = setting.quick ? 20_000 : 100_000;
    const answers: Answer[] = [];
    for (const [backend, rival] of [
      ["memory", "ueberdb2, memory backend: no disk at all"],
      ["dirty", "ueberdb2, dirty backend: a file, no sync"],
    ] as const) {
      const ours = await openedSet({ ...setting, folder: join(setting.folder, backend) });
      const filename = join(setting.folder, "dirty.db");
      const ueber = new UeberDatabase(backend, { filename }, asWriteBehind);
      await ueber.init();
      await rateOf(0, total / 4, ({ key, value }) => ueber.set(key, value));
      const pair = await sideBySide(rounds, ours.rate, (round) =>
        rateOf(round + 1, total, ({ key, value }) => ueber.set(key, value)),
      );
      await ueber.close();
      await ours.close();
      answers.push({
        what: "library set, durability disk, 1,000 callers",
        rival,
        ours: perSecond(pair.ours),
        theirs: perSecond(pair.theirs),
        ratio: pair.ratio,
        goal: { atLeast: 2 },
      });
    }
    return answers;
  },
};
