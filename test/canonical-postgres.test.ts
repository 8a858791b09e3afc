/** The same laws as in canonical.test.ts, with what a real PostgreSQL gives back. */
import fc from "fast-check";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bytesOfText, textOfBytes } from "../src/bytes.js";
import { canonical, WrongValue } from "../src/routes/canonical.js";
import type { ColumnType } from "../src/routes/column.js";
import { type KindOfColumn, kindsOfColumns, labels, nameOf } from "./canonical-values.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const valuesOfAKind = 2000;

function given(type: ColumnType, text: string): string | null {
  const found = canonical(type, bytesOfText(text));
  return found instanceof WrongValue ? null : textOfBytes(found);
}

/** What PostgreSQL gives back as text for each text, or null where it refuses it. */
async function givenBack(postgres: Client, type: string, texts: readonly string[]): Promise<(string | null)[]> {
  await postgres.query(`create or replace function pg_temp.back(given text) returns text language plpgsql as $$
    begin return given::${type}::text; exception when others then return null; end $$`);
  const { rows } = await postgres.query<{ back: string | null }>(
    "select pg_temp.back(given) as back from unnest($1::text[]) with ordinality as g(given, at) order by at",
    [texts],
  );
  return rows.map(({ back }) => back);
}

for (const programs of postgresVersions()) {
  describePostgres("canonical text", [programs], (server) => {
    let postgres: Client;

    beforeAll(async () => {
      postgres = new Client({ connectionString: server().url() });
      await postgres.connect();
      await postgres.query("set datestyle = 'ISO'; set timezone = 'UTC'");
      await postgres.query(`create type pg_temp.wb_label as enum (${labels.map((each) => `'${each}'`).join(", ")})`);
      await postgres.query("set search_path = pg_temp, public");
    });

    afterAll(() => postgres.end());

    const kinds = kindsOfColumns.filter(({ postgres: type }) => type !== null);
    test.each(kinds.map((kind) => [nameOf(kind), kind] as const))("%s: it gives back the same", async (_, kind) => {
      const texts = samples(kind);
      const accepted = texts.filter((text) => given(kind.type, text) !== null);
      const canonicals = accepted.map((text) => given(kind.type, text) ?? "");
      expect(accepted.length).toBeGreaterThan(4);

      // What was made canonical is taken, and has the same canonical text when it comes back.
      const back = await givenBack(postgres, kind.postgres ?? "", canonicals);
      expect(back.map((text) => (text === null ? null : given(kind.type, text)))).toEqual(canonicals);

      // And it is what PostgreSQL itself would have made of the text that was given.
      const direct = await givenBack(postgres, kind.postgres ?? "", accepted);
      expect(direct.map((text) => (text === null ? null : given(kind.type, text)))).toEqual(canonicals);
    });
  });
}

/** No zero bytes: they cannot be sent as text. */
function samples({ values }: KindOfColumn): string[] {
  return fc.sample(values, { numRuns: valuesOfAKind }).filter((text) => !text.includes("\0"));
}
