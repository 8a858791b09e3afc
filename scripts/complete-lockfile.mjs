/**
 * Completes package-lock.json after `npm install`. A registry that does not carry a package's builds for other platforms
 * makes `npm install` leave them out of the lockfile without a word, and then `npm ci` refuses the lockfile anywhere. This
 * adds what was left out, as npm writes it; only the checksums of builds that nobody here can see are missing.
 * Give it folders to complete their lockfiles; without any it completes that of the project.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const systems = "aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32";
const processors = "arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64";
const platform = new RegExp(`(?<os>${systems})-(?<cpu>${processors})(-(?<abi>[a-z]+))?$`);

/** What a lockfile says of a build for another platform. Null where the name does not tell the platform. */
function entryOf(name, version, isDev) {
  const { os, cpu, abi } = platform.exec(name)?.groups ?? {};
  if (os === undefined) return null;
  const libc = os !== "linux" ? {} : { libc: [abi?.startsWith("musl") ? "musl" : "glibc"] };
  return { version, cpu: [cpu], ...(isDev ? { dev: true } : {}), ...libc, optional: true, os: [os] };
}

/** Adds the missing entries to a lockfile's packages; says which ones. */
function complete(packages) {
  const added = [];
  for (const [path, { optionalDependencies, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
      if (packages[`node_modules/${name}`] ?? packages[`${path}/node_modules/${name}`]) continue;
      const entry = entryOf(name, version, dev === true);
      if (entry === null) continue;
      packages[`node_modules/${name}`] = entry;
      added.push(name);
    }
  }
  return added;
}

for (const folder of process.argv.length > 2 ? process.argv.slice(2) : ["."]) {
  const file = join(folder, "package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const added = complete(lock.packages);
  const byPath = ([a], [b]) => (a < b ? -1 : 1);
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(byPath));
  if (added.length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  process.stdout.write(`${file}: ${added.length} added\n`);
}
