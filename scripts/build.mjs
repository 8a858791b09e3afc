/**
 * Compiles the project into dist/, and the page of the admin port with it. First it takes away what was compiled from files that are no more; at the end it
 * makes the program executable: npm does that only when it installs, and `npx write-behind` must work after any build.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const compiled = /\.(js|js\.map|d\.ts)$/;

for (const entry of existsSync(dist) ? readdirSync(dist, { recursive: true, withFileTypes: true }) : []) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !compiled.test(entry.name) || path.startsWith(join(dist, "src/dashboard/assets"))) continue;
  const source = join(root, relative(dist, path).replace(compiled, ".ts"));
  if (!existsSync(source)) rmSync(path);
}

/** The page: one script and one style that need nothing from elsewhere, also compressed. */
async function buildPage() {
  const outDir = join(dist, "src/dashboard/assets");
  await build({
    configFile: false,
    logLevel: "warn",
    root: join(root, "src/dashboard/page"),
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: { outDir, emptyOutDir: true, modulePreload: { polyfill: false }, assetsInlineLimit: 0, target: "es2022" },
  });
  for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
  }
}

const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
const tsc = join(dirname(typescript), "bin", "tsc");
const compile = (config) =>
  spawnSync(process.execPath, [tsc, "-p", join(root, config)], { stdio: "inherit" }).status ?? 1;
const failed = compile("tsconfig.json") || compile("src/dashboard/page/tsconfig.json");
if (failed === 0) await buildPage();

for (const target of Object.values(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).bin)) {
  if (existsSync(join(root, target))) chmodSync(join(root, target), 0o755);
}
process.exit(failed);
