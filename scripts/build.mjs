/**
 * Compiles the project into dist/. First it takes away what was compiled from files that are no more; at the end it
 * makes the program executable: npm does that only when it installs, and `npx write-behind` must work after any build.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const compiled = /\.(js|js\.map|d\.ts)$/;

for (const entry of existsSync(dist) ? readdirSync(dist, { recursive: true, withFileTypes: true }) : []) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !compiled.test(entry.name)) continue;
  const source = join(root, relative(dist, path).replace(compiled, ".ts"));
  if (!existsSync(source)) rmSync(path);
}

const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
const tsc = join(dirname(typescript), "bin", "tsc");
const run = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.json")], { stdio: "inherit" });

for (const target of Object.values(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).bin)) {
  if (existsSync(join(root, target))) chmodSync(join(root, target), 0o755);
}
process.exit(run.status ?? 1);
