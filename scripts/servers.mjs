/**
 * Brings the real servers, a Python client and the browser that tests and benchmarks are run against: Debian's own
 * packages, unpacked into the user's cache folder. It needs no root, installs nothing and leaves the machine's package
 * lists alone. Run again, it sees that all is there. test/servers.ts finds the programs, in PATH first.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";

const groups = [
  {
    name: "redis",
    packages: ["redis-server", "redis-tools"],
    programs: ["redis-server", "redis-cli", "redis-benchmark"],
  },
  {
    name: "chromium",
    packages: ["chromium-headless-shell", "chromium-common", "fonts-dejavu-core", "fonts-noto-color-emoji"],
    programs: ["chromium-headless-shell"],
    /** Others in PATH that do as well. test/servers.ts looks for the same. */
    instead: ["chromium", "google-chrome"],
  },
  {
    name: "python",
    packages: ["python3-redis"],
    programs: ["python3"],
    /** What its programs are asked, to see that all is there. */
    asked: ["-c", "import redis"],
  },
];

/**
 * The first is on every machine, and dangerous in any other version than the machine's own. The others are for a
 * browser with a window: without one they are never called, and they depend on graphics drivers and a compiler.
 */
const never = new Set(["libc6", "x11-utils", "xdg-utils"]);

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

function works(program, env, asked = ["--version"]) {
  const result = spawnSync(program, asked, { env, stdio: "ignore" });
  return result.status === 0;
}

/** Whether an earlier run has unpacked the group and its programs start. */
function isThere(group) {
  const manifest = join(cache, group.name, "manifest.json");
  if (!existsSync(manifest)) return false;
  const { programs, libraries, modules } = JSON.parse(readFileSync(manifest, "utf8"));
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: libraries.map((folder) => join(cache, group.name, folder)).join(delimiter),
    ...(modules === undefined ? {} : { PYTHONPATH: join(cache, group.name, modules) }),
  };
  const pathOf = (name) => (programs[name] === undefined ? name : join(cache, group.name, programs[name]));
  return group.programs.every((name) => works(pathOf(name), env, group.asked));
}

function updateLists() {
  for (const folder of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(apt, folder), { recursive: true });
  writeFileSync(join(apt, "apt.conf"), aptConfig);
  runApt("apt-get", ["update"]);
}

/** What each package depends on, all of it: for each dependency the packages of which one is enough, best first. */
function dependencies(packages) {
  const no = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  const found = new Map();
  let [of, open] = [[], false];
  for (const line of runApt("apt-cache", ["depends", "--recurse", ...no, ...packages]).split("\n")) {
    const [, head, depends, provider] = /^(\S+)$|^ [ |]\w+: (\S+)$|^ {4}(\S+)$/.exec(line) ?? [];
    if (head !== undefined) {
      of = [];
      found.set(head, of);
    }
    if (depends !== undefined) {
      if (!open) of.push([]);
      open = line.startsWith(" |");
    }
    const name = depends ?? provider;
    if (name !== undefined) of.at(-1).push(name);
  }
  return found;
}

/** The packages and all they depend on, without what the machine has. */
function closure(packages) {
  const installed = run("dpkg-query", ["-W", "-f", "${db:Status-Abbrev} ${Package}\n"]);
  const has = new Set(installed.split("\n").flatMap((line) => (line.startsWith("ii") ? [line.slice(2).trim()] : [])));
  const depends = dependencies(packages);
  const wanted = new Set(packages);
  // A set is walked to its end, with all that is added on the way.
  for (const name of wanted) {
    for (const choice of depends.get(name) ?? []) {
      if (choice.some((each) => has.has(each) || wanted.has(each) || never.has(each))) continue;
      const real = choice.find((each) => !each.startsWith("<"));
      if (real !== undefined) wanted.add(real);
    }
  }
  return [...wanted];
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Whether the file, or what it is a link to, is a program and no script. */
function isBinary(file) {
  return existsSync(file) && readFileSync(file).subarray(0, 4).equals(Buffer.from("\x7fELF"));
}

/** The fonts of a group, and no others: pictures look alike on every machine. Gives the file that tells of them. */
function writeFonts(group, building) {
  const dir = "root/usr/share/fonts";
  if (!existsSync(join(building, dir))) return undefined;
  const alias = ([family, font]) =>
    `  <alias binding="same"><family>${family}</family><prefer><family>${font}</family></prefer></alias>\n`;
  const aliases = ["sans-serif", "serif", "system-ui"].map((family) => [family, "DejaVu Sans"]);
  aliases.push(["monospace", "DejaVu Sans Mono"], ["emoji", "Noto Color Emoji"]);
  const config = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>${join(cache, group.name, dir)}</dir>
  <cachedir>${join(cache, group.name, "font-cache")}</cachedir>
${aliases.map(alias).join("")}</fontconfig>
`;
  writeFileSync(join(building, "fonts.conf"), config);
  return "fonts.conf";
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
    // What lies in bin/ may be a script that names the program by a path of the machine.
    const paths = files.filter((file) => /^root\/(usr\/)?(s?bin|lib\/\w+)\//.test(file) && basename(file) === name);
    const path = paths.find((file) => isBinary(join(building, file)));
    // What the machine has is not among the packages.
    if (path === undefined && !works(name, process.env)) {
      fail(`${name} is in none of the packages ${packages.join(" ")}`);
    }
    programs[name] = path;
  }
  const libraries = [...new Set(files.filter((file) => /\.so(\.\d+)*$/.test(file)).map((file) => dirname(file)))];
  const pythonModules = "root/usr/lib/python3/dist-packages";
  const modules = existsSync(join(building, pythonModules)) ? pythonModules : undefined;
  const manifest = { programs, libraries, modules, fonts: writeFonts(group, building), packages };
  writeFileSync(join(building, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  rmSync(join(cache, group.name), { recursive: true, force: true });
  renameSync(building, join(cache, group.name));
  if (!isThere(group)) fail(`${group.programs.join(", ")} were unpacked into ${cache} but do not start`);
}

let updated = false;
for (const group of groups) {
  const inPath = (name) => works(name, process.env, group.asked);
  if (group.programs.every(inPath) || group.instead?.some(inPath)) {
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
