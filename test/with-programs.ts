/** Groups of tests that need a real server. */
import { describe, test } from "vitest";
import { bringThem, findProgram, type ProgramName } from "./servers.js";

/**
 * A group of tests that is skipped where a program is missing, and says in its name which command brings it. With
 * CI=true nothing may be skipped: the group fails.
 */
export function describeWith(programs: readonly ProgramName[], name: string, body: () => void): void {
  const missing = programs.filter((each) => findProgram(each) === null);
  if (missing.length === 0) {
    describe(name, body);
    return;
  }
  const reason = `${missing.join(", ")} not found: \`${bringThem}\` brings it`;
  if (process.env["CI"] === "true") {
    test(name, () => {
      throw new Error(reason);
    });
    return;
  }
  process.stderr.write(`skipped: ${name} (${reason})\n`);
  describe.skip(`${name} (${reason})`, body);
}
