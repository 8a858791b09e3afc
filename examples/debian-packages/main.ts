/**
 * Every package that Debian offers, written through a Redis client into a server that is killed in the middle:
 * `node dist/examples/debian-packages/main.js [FILE]`. README.md in this folder tells the rest.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare } from "./compare.js";
import { load } from "./load.js";
import { parseRecords, readAvailable, readDump } from "./records.js";

const file = process.argv[2];
const records = parseRecords(file === undefined ? readAvailable() : readDump(file));
process.stdout.write(`${records.length} records\n`);

const folder = mkdtempSync(join(tmpdir(), "debian-packages-"));
try {
  const report = await load(records, folder);
  process.stdout.write(
    `killed after ${report.answeredBefore} answers, ${report.writtenAgain} unanswered writes were sent again\n` +
      `all answered and stored after ${report.seconds.toFixed(1)} s, stopped with exit code ${report.exitCode}\n`,
  );
  const { fields, differences } = compare(records, join(folder, "write-behind.db"));
  process.stdout.write(`${fields} fields compared, ${differences.length} differences\n`);
  for (const difference of differences.slice(0, 20)) process.stdout.write(`  ${difference}\n`);
  process.exitCode = differences.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
