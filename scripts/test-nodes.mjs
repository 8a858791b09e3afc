/**
 * `npm run test:nodes [-- VERSION … [-- ARGUMENTS OF VITEST]]`: the tests with other versions of Node, one after the other,
 * 22 and 24 where none is named. What runs is what the Node at hand has built: the package ships it like that, too.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const given = process.argv.slice(2);
const end = given.indexOf("--");
const named = end < 0 ? given : given.slice(0, end);
const vitest = end < 0 ? [] : given.slice(end + 1);
const versions = named.length === 0 ? ["22", "24"] : named;
const wrong = versions.find((version) => !/^\d+(\.\d+){0,2}$/.test(version));
if (wrong !== undefined) {
  console.error(`${wrong} is no version of Node: npm run test:nodes -- 22 24`);
  process.exit(2);
}

const failed = [];
for (const version of versions) {
  // The tests start other programs with the Node that runs them.
  const node = ["npx", "-y", "-p", `node@${version}`, "--", "node"];
  const [command, ...args] = [...node, "node_modules/vitest/vitest.mjs", "run", ...vitest];
  const { stdout } = spawnSync(node[0], [...node.slice(1), "--version"], { cwd: root, encoding: "utf8" });
  console.log(`--- Node ${version}: ${stdout.trim()}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) failed.push(version);
}
console.log(failed.length === 0 ? `passed with Node ${versions.join(", ")}` : `FAILED with Node ${failed.join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);
