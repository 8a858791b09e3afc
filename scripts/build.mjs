/**
 * Compiles the project into dist/. First it takes away what was compiled from files that are no more; at the end it puts
 * the program where `npx write-behind` finds it in a clone: npm does that for dependencies only.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
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

const bin = join(root, "node_modules", ".bin");
for (const [name, target] of Object.entries(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).bin)) {
  const program = join(root, target);
  if (!existsSync(program) || !existsSync(bin) || process.platform === "win32") continue;
  chmodSync(program, 0o755);
  rmSync(join(bin, name), { force: true });
  symlinkSync(relative(bin, program), join(bin, name));
}
process.exit(run.status ?? 1);
