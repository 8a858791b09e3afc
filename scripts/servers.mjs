/**
 * Brings the real servers that tests and benchmarks are run against: Debian's own packages, unpacked into the user's
 * cache folder. It needs no root, installs nothing and leaves the machine's package lists alone. Run again, it sees
 * that all is there. test/servers.ts finds the programs, in PATH first.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

const groups = [
  {
    name: "redis",
    packages: ["redis-server", "redis-tools"],
    programs: ["redis-server", "redis-cli", "redis-benchmark"],
  },
];

/** Already on every machine, and dangerous in any other version than the machine's own. */
const never = new Set(["libc6"]);

const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "write-behind", "servers");
const apt = join(cache, "apt");

/** Hooks of the machine's apt (notifiers, cleaners) have no business here; only a file can clear a list. */
const aptConfig = `#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State::lists "${apt}/lists";
Dir::Cache "${apt}/cache";
APT::Sandbox::User "";
Debug::NoLocking "1";
`;

function fail(message) {
  process.stderr.write(`servers: ${message}\n`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28, ...options });
  if (result.error?.code === "ENOENT") {
    fail(
      `${command} is missing. This script fetches Debian packages; elsewhere install the servers so that they are in PATH.`,
    );
  }
  if (result.status !== 0) fail(`${command} ${args.join(" ")} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

const runApt = (command, args, options) => run(command, ["-c", join(apt, "apt.conf"), ...args], options);

function works(program, env) {
  const result = spawnSync(program, ["--version"], { env, stdio: "ignore" });
  return result.status === 0;
}

/** Whether an earlier run has unpacked the group and its programs start. */
function isThere(group) {
  const manifest = join(cache, group.name, "manifest.json");
  if (!existsSync(manifest)) return false;
  const { programs, libraries } = JSON.parse(readFileSync(manifest, "utf8"));
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: libraries.map((folder) => join(cache, group.name, folder)).join(delimiter),
  };
  return group.programs.every((name) => works(join(cache, group.name, programs[name] ?? "absent"), env));
}

function updateLists() {
  for (const folder of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(apt, folder), { recursive: true });
  writeFileSync(join(apt, "apt.conf"), aptConfig);
  runApt("apt-get", ["update"]);
}

/** The packages and all they depend on, without what the machine has. */
function closure(packages) {
  const no = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  const depends = runApt("apt-cache", ["depends", "--recurse", ...no, ...packages]);
  const wanted = new Set(depends.split("\n").filter((line) => /^[a-z0-9]/.test(line)));
  const installed = run("dpkg-query", ["-W", "-f", "${db:Status-Abbrev} ${Package}\n"]);
  for (const line of installed.split("\n")) if (line.startsWith("ii")) wanted.delete(line.slice(2).trim());
  for (const name of never) wanted.delete(name);
  return [...wanted, ...packages.filter((name) => !wanted.has(name))];
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Unpacks into a folder of its own and puts it in place by a rename: a broken run leaves nothing half done. */
function fetch(group) {
  const building = join(cache, `${group.name}.${process.pid}`);
  rmSync(building, { recursive: true, force: true });
  mkdirSync(join(building, "packages"), { recursive: true });
  const packages = closure(group.packages);
  process.stdout.write(`${group.name}: fetching ${packages.length} packages\n`);
  runApt("apt-get", ["download", ...packages], { cwd: join(building, "packages") });
  for (const file of readdirSync(join(building, "packages"))) {
    run("dpkg", ["-x", join(building, "packages", file), join(building, "root")]);
  }
  rmSync(join(building, "packages"), { recursive: true });

  const files = filesBelow(building);
  const programs = {};
  for (const name of group.programs) {
    const path = files.find((file) => /^root\/(usr\/)?s?bin\//.test(file) && file.endsWith(`/${name}`));
    if (path === undefined) fail(`${name} is in none of the packages ${packages.join(" ")}`);
    programs[name] = path;
  }
  const libraries = [...new Set(files.filter((file) => /\.so(\.\d+)*$/.test(file)).map((file) => dirname(file)))];
  writeFileSync(join(building, "manifest.json"), `${JSON.stringify({ programs, libraries, packages }, null, 2)}\n`);
  rmSync(join(cache, group.name), { recursive: true, force: true });
  renameSync(building, join(cache, group.name));
  if (!isThere(group)) fail(`${group.programs.join(", ")} were unpacked into ${cache} but do not start`);
}

let updated = false;
for (const group of groups) {
  if (group.programs.every((name) => works(name, process.env))) {
    process.stdout.write(`${group.name}: in PATH\n`);
    continue;
  }
  if (!isThere(group)) {
    if (!updated) updateLists();
    updated = true;
    fetch(group);
  }
  process.stdout.write(`${group.name}: ${join(cache, group.name)}\n`);
}
