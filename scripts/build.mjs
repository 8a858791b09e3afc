/** Compiles the project into dist/, and first takes away what was compiled from files that are no more. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
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
process.exit(run.status ?? 1);
