/** Plants each bug of mutants.ts in a copy of the compiled tree (.mutants/), and simulates there until it is caught. */
import { spawn } from "node:child_process";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { stderrScreen } from "../src/host/screen.js";
import { Progress } from "../src/progress.js";
import type { Mutant } from "./mutant.js";
import { mutants } from "./mutants.js";

/** What became of a mutant. */
interface Outcome {
  readonly mutant: Mutant;
  /** How many seeds it took; null where it was not caught. */
  readonly seeds: number | null;
  /** It was not caught, but its time was over before its seeds were. */
  readonly outOfTime: boolean;
  readonly promise: string | null;
  readonly error: string | null;
}

const dist = fileURLToPath(new URL("..", import.meta.url));
const project = fileURLToPath(new URL("../..", import.meta.url));

/** What to run. */
export interface MutantOptions {
  /** One of them; null for all. */
  readonly name: string | null;
  /** Only those of fleets. */
  readonly fleet: boolean;
  /** All of them together have so long; one alone has `secondsEach`, so that none takes the time of the others. */
  readonly seconds: number;
  readonly secondsEach: number;
  readonly json: boolean;
}

/** Runs mutants. Says whether each was caught in time. */
export async function runMutants({ name, fleet, seconds, secondsEach, json }: MutantOptions): Promise<boolean> {
  const chosen = mutants.filter(
    (mutant) => (name === null || mutant.name === name) && (!fleet || mutant.fleet === true),
  );
  if (chosen.length === 0)
    throw new Error(`no mutant ${name}; there are ${mutants.map((mutant) => mutant.name).join(", ")}`);
  const queue = [...chosen];
  const end = performance.now() + seconds * 1000;
  const outcomes: Outcome[] = [];
  const progress = new Progress(stderrScreen());
  const work = async (): Promise<void> => {
    for (
      let mutant = queue.shift();
      mutant !== undefined;
      mutant = performance.now() < end ? queue.shift() : undefined
    ) {
      const left = Math.max(1, (end - performance.now()) / 1000);
      const outcome = await runMutant(mutant, Math.min(secondsEach, left));
      outcomes.push(outcome);
      if (json) continue;
      progress.end();
      console.log(sentence(outcome));
      progress.at("planting", { things: "mutants" }, outcomes.length, chosen.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), chosen.length) }, work));
  progress.end();
  const caught = outcomes.filter((outcome) => outcome.seeds !== null).length;
  const late = outcomes.filter((outcome) => outcome.outOfTime).length;
  if (json) console.log(JSON.stringify(outcomes.map(({ mutant, ...rest }) => ({ name: mutant.name, ...rest }))));
  else console.log(`${table(outcomes)}\n${caught} of ${outcomes.length} mutants caught${rest(late, queue.length)}`);
  return caught + late === outcomes.length;
}

function rest(late: number, untried: number): string {
  return (late > 0 ? `, ${late} out of time` : "") + (untried > 0 ? `, ${untried} not tried` : "");
}

/** The seeds that each has needed, as docs/reliability.md shows it. */
function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes
    .toSorted((a, b) => a.mutant.promise - b.mutant.promise || (a.mutant.name < b.mutant.name ? -1 : 1))
    .map(({ mutant, seeds, promise }) => [
      mutant.promise,
      mutant.name,
      seeds ?? "not caught",
      mutant.seeds,
      promise ?? "",
    ]);
  const head = ["Promise", "Planted bug", "Caught at seed", "Within", "By"];
  return ["", head, head.map(() => "---"), ...rows]
    .map((cells) => (cells === "" ? "" : `| ${(cells as unknown[]).join(" | ")} |`))
    .join("\n");
}

function sentence({ mutant, seeds, promise, error, outOfTime }: Outcome): string {
  if (error !== null) return `${mutant.name}: cannot be planted: ${error}`;
  if (outOfTime) return `${mutant.name}: not caught, and out of time before its ${mutant.seeds} seeds were tried`;
  if (seeds === null) return `${mutant.name}: SURVIVED ${mutant.seeds} seeds (breaks promise ${mutant.promise})`;
  return `${mutant.name}: caught at seed ${seeds} of ${mutant.seeds} by "${promise}"`;
}

async function runMutant(mutant: Mutant, seconds: number): Promise<Outcome> {
  const folder = `${project}.mutants/${mutant.name}-${process.pid}`;
  try {
    await plant(mutant, folder);
    const output = await simulate(folder, mutant, seconds);
    if (output === null) {
      return { mutant, seeds: null, promise: "a world without an end", error: null, outOfTime: true };
    }
    const { seed, promise, worlds } = JSON.parse(output) as Simulated;
    return { mutant, seeds: seed, promise, error: null, outOfTime: seed === null && worlds < mutant.seeds };
  } catch (error) {
    const outOfTime = false;
    return {
      mutant,
      seeds: null,
      promise: null,
      outOfTime,
      error: error instanceof Error ? error.message : String(error),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Simulated {
  readonly seed: number | null;
  readonly promise: string | null;
  readonly worlds: number;
}

function kindOf({ rows, fleet }: Mutant): string[] {
  if (rows === true) return ["--rows"];
  return fleet === true ? ["--fleet"] : [];
}

async function plant(mutant: Mutant, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const isNeeded = (path: string): boolean => !/\.(map|d\.ts)$/.test(path);
  for (const part of ["src", "simulator"]) {
    await cp(`${dist}${part}`, `${folder}/${part}`, { recursive: true, filter: isNeeded });
  }
  const file = `${folder}/${mutant.file}`;
  const text = await readFile(file, "utf8");
  const count = text.split(mutant.find).length - 1;
  if (count !== 1) throw new Error(`its text is there ${count} times in ${mutant.file}: ${mutant.find}`);
  await writeFile(
    file,
    text.replace(mutant.find, () => mutant.replace),
  );
}

/** So much longer than it was given may a campaign take for its last world. */
const lastWorldMs = 15_000;

/** What the campaign says; null where it had to be ended, because one world of it would not. */
function simulate(folder: string, mutant: Mutant, seconds: number): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        `${folder}/simulator/main.js`,
        ...kindOf(mutant),
        "--json",
        "--seed",
        "1",
        "--seeds",
        `${mutant.seeds}`,
        "--seconds",
        `${seconds}`,
      ],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let ended = false;
    const timer = setTimeout(
      () => {
        ended = true;
        child.kill("SIGKILL");
      },
      seconds * 1000 + lastWorldMs,
    );
    let output = "";
    let errors = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    child.stderr.on("data", (data: Buffer) => (errors += data.toString()));
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      if (ended) resolve(null);
      else if (output === "") reject(new Error(errors.slice(-500)));
      else resolve(output);
    });
  });
}
