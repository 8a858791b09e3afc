/**
 * `npm run bench`: every number of the project, each measured side by side with its rival in one run.
 * `npm run bench -- set serve` asks only the questions whose names start so; `--quick` does a tenth of the work.
 */
import { mkdirSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stderrScreen } from "../src/host/screen.js";
import { Progress } from "../src/progress.js";
import { backlog } from "./backlog.js";
import { drain } from "./drain.js";
import { latency } from "./latency.js";
import { page } from "./page.js";
import { postgresCounters } from "./postgres-counters.js";
import { postgresDrain } from "./postgres-drain.js";
import { postgresRead } from "./postgres-read.js";
import { postgresFar, postgresSustained } from "./postgres-sustained.js";
import { inFolder, megabytes, type Answer, type Question } from "./question.js";
import { redisDrain } from "./redis-drain.js";
import { redisHandMade } from "./redis-hand-made.js";
import { redisMemory } from "./redis-memory.js";
import { redisRaw } from "./redis-raw.js";
import { redisServe } from "./redis-serve.js";
import { redisGet, redisSet } from "./redis-set.js";
import { redisTakeover, redisWorkers } from "./redis-workers.js";
import { serveLatency } from "./serve-latency.js";
import { serveMemory } from "./serve-memory.js";
import { serveTransactions } from "./serve-transactions.js";
import { serve } from "./serve.js";
import { setAppend } from "./set-append.js";
import { setUeberdb2 } from "./set-ueberdb2.js";
import { setUpsert } from "./set-upsert.js";
import { zipf } from "./zipf.js";

const questions: readonly Question[] = [
  setAppend,
  setUpsert,
  setUeberdb2,
  serve,
  serveTransactions,
  serveLatency,
  serveMemory,
  page,
  drain,
  latency,
  zipf,
  backlog,
  postgresDrain,
  postgresSustained,
  postgresFar,
  postgresCounters,
  postgresRead,
  redisSet,
  redisGet,
  redisRaw,
  redisHandMade,
  redisDrain,
  redisWorkers,
  redisMemory,
  redisTakeover,
  redisServe,
];

function goalText({ goal }: Answer): string {
  if (goal === null) return "reported";
  return "atLeast" in goal ? `at least ${goal.atLeast}` : `at most ${goal.atMost}`;
}

function verdict({ ratio, goal }: Answer): string {
  if (ratio === null || goal === null) return "-";
  return ("atLeast" in goal ? ratio >= goal.atLeast : ratio <= goal.atMost) ? "met" : "MISSED";
}

function line(answer: Answer): string {
  const ratio = answer.ratio === null ? "-" : answer.ratio.toFixed(2);
  const cells = [answer.what, answer.rival, answer.ours, answer.theirs, ratio, goalText(answer), verdict(answer)];
  return `| ${cells.join(" | ")} |\n`;
}

const { values: flags, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false } },
});
const chosen = questions.filter(({ name }) => asked.length === 0 || asked.some((start) => name.startsWith(start)));
if (chosen.length === 0) {
  process.stderr.write(
    `no question starts with ${asked.join(", ")}; there are ${questions.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}

const processor = cpus()[0]?.model ?? "unknown processor";
process.stdout.write(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${processor}, `,
);
process.stdout.write(
  `${megabytes(totalmem())}${flags.quick ? ", quick: a tenth of the work, not to be believed" : ""}\n\n`,
);
process.stdout.write("| what | rival | ours | theirs | ratio | goal | verdict |\n|---|---|---|---|---|---|---|\n");
const progress = new Progress(stderrScreen());
for (const [answered, question] of chosen.entries()) {
  progress.at("asking", { things: "questions" }, answered, chosen.length, question.name);
  try {
    const answers = await inFolder(async (folder) => {
      mkdirSync(join(folder, question.name));
      return question.ask({ quick: flags.quick, folder: join(folder, question.name) });
    });
    progress.end();
    for (const answer of answers) process.stdout.write(line(answer));
  } catch (error) {
    progress.end();
    process.stdout.write(
      `| ${question.name} | | | | | | FAILED: ${error instanceof Error ? error.message : String(error)} |\n`,
    );
    process.exitCode = 1;
  }
}
