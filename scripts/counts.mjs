/**
 * A reporter for vitest: after everything else it prints how many tests passed, failed and were skipped, on one line.
 * A file that could not be loaded and an error outside of any test count as a failure. With TEST_COUNTS=FILE the same
 * line is written to that file.
 */
import { writeFileSync } from "node:fs";

export default class Counts {
  onTestRunEnd(testModules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const testModule of testModules) {
      counts.failed += testModule.errors().length;
      for (const suite of testModule.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of testModule.children.allTests()) {
        const { state } = test.result();
        counts[state === "pending" ? "failed" : state] += 1;
      }
    }
    const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
    const line = `${counts.passed} passed, ${counts.failed} failed${skipped}`;
    const file = process.env["TEST_COUNTS"];
    if (file !== undefined) writeFileSync(file, `${line}\n`);
    process.stdout.write(`${line}\n`);
  }
}
