/**
 * The property tests again and again, each round with other values: `--seconds S` and `--seed S`. Every test file that
 * uses fast-check takes part. A round that fails is repeated with its seed and `--rounds 1`.
 */
import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    rounds: { type: "string", default: "1000000" },
  },
});

async function propertyTests(): Promise<string[]> {
  const folder = `${root}dist/test`;
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".test.js"));
  const texts = await Promise.all(names.map((name) => readFile(`${folder}/${name}`, "utf8")));
  return names.filter((_, index) => texts[index]?.includes("fc.property") === true).map((name) => `dist/test/${name}`);
}

function round(files: readonly string[], seed: number): Promise<{ readonly passed: boolean; readonly output: string }> {
  const args = ["node_modules/vitest/vitest.mjs", "run", "--config", "dist/simulator/properties-config.js", ...files];
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PROPERTY_SEED: String(seed), NO_COLOR: "1" };
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ passed: code === 0, output }));
  });
}

async function rounds(files: readonly string[], first: number): Promise<number> {
  const started = performance.now();
  let done = 0;
  while (done < Number(values.rounds) && (performance.now() - started) / 1000 < Number(values.seconds)) {
    const { passed, output } = await round(files, first + done);
    done++;
    if (passed) continue;
    console.log(`${output}\nagain: node dist/simulator/properties.js --rounds 1 --seed ${first + done - 1}`);
    process.exitCode = 1;
    break;
  }
  return done;
}

const files = await propertyTests();
console.log(`${await rounds(files, Number(values.seed))} rounds of ${files.length} files of properties`);
