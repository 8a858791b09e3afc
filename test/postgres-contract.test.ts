/** Every case of the store's suite on real PostgreSQL, of every version that there is here. */
import { Client } from "pg";
import { test } from "vitest";
import { mappedStoreContract, storeContract, type MappedStoreWorld, type StoreWorld } from "../contract/store.js";
import { bytesOfText } from "../src/bytes.js";
import { PostgresStore } from "../src/store/postgres/postgres-store.js";
import { placeOf } from "../src/store/postgres/postgres-url.js";
import type { PostgresServer } from "./postgres-server.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

/** Cases that say something of how statements travel, and not of what they do. */
const travelling = /random|moved|20,000|beside a commit|fails in the middle|of any type|megabytes|vanishes|sweep|side/;

/** A database for each case would take most of the time: a schema is as empty. */
function worldIn(server: PostgresServer, schema: string, query = ""): StoreWorld {
  const place = placeOf({ url: `${server.url()}${query}`, ownSchema: schema });
  return {
    connect: () => new PostgresStore(place),
    age: async (ms) => {
      await server.sql(
        `UPDATE ${schema}.write_behind_position SET heartbeat_at = heartbeat_at - ${ms} * interval '1 ms'`,
      );
    },
    // It goes with the server.
    end: async () => {},
  };
}

/** Tables of users' are where the session looks for them, so the schema is in the session's settings. */
async function mappedWorldIn(server: PostgresServer, schema: string, query = ""): Promise<MappedStoreWorld> {
  await server.sql(`CREATE SCHEMA ${schema}`);
  const url = `${server.url()}?options=-c%20search_path%3D${schema}`;
  const place = placeOf({ url: `${url}${query}` });
  const client = new Client({ connectionString: url });
  await client.connect();
  const ask = async (text: string): Promise<(string | null)[][]> => {
    const types = { getTypeParser: () => (cell: string) => cell };
    return (await client.query<(string | null)[]>({ text, rowMode: "array", types })).rows;
  };
  return {
    connect: () => new PostgresStore(place),
    connectWith: (routes) => new PostgresStore(place, routes),
    run: async (sql) => void (await ask(sql)),
    query: ask,
    momentType: "timestamptz",
    bytesType: "bytea",
    samples,
    age: async (ms) =>
      void (await ask(`UPDATE write_behind_position SET heartbeat_at = heartbeat_at - ${ms} * interval '1 ms'`)),
    end: () => client.end(),
  };
}

const samples = [
  { declared: "boolean", values: ["true", "false"] },
  { declared: "smallint", values: ["-32768", "0", "32767"] },
  { declared: "numeric(10,2)", values: ["0.00", "-12.50", "99999999.99"] },
  { declared: "numeric", values: ["0", "1.50", "-123456789012345678901234567890.5", "NaN"] },
  { declared: "real", values: ["1.5", "-0.25", "Infinity"] },
  { declared: "double precision", values: ["1e+300", "1e-7", "123456789012", "NaN"] },
  { declared: "varchar(3)", values: ["", "é😀x"] },
  { declared: "char(3)", values: ["", "ab"] },
  { declared: "uuid", values: ["01234567-89ab-cdef-0123-456789abcdef"] },
  { declared: "date", values: ["2026-11-24", "0001-01-01", "infinity"] },
  { declared: "time(3)", values: ["00:00:00.000", "21:43:18.120"] },
  { declared: "timestamp", values: ["2026-11-24T21:43:18.120", "2026-11-24T21:43:18.120001"] },
  { declared: "timestamptz(3)", values: ["2026-11-24T21:43:18.120Z", "-infinity"] },
  { declared: "json", values: ['{"a" : 1}', "[]", "1.50"] },
  { declared: "jsonb", values: ['{"a":1,"b":[2,null]}', '"x"', "1.50"] },
].map(({ declared, values }) => ({ declared, values: values.map(bytesOfText) }));

const [first, ...others] = postgresVersions();

for (const programs of [first, ...others]) {
  describePostgres("the postgres store", programs === undefined ? [] : [programs], (server) => {
    let count = 0;
    for (const { name, run } of storeContract(async () => worldIn(server(), `case_${count++}`))) test(name, run);
    for (const { name, run } of mappedStoreContract(() => mappedWorldIn(server(), `mapped_${count++}`)))
      test(name, run);
  });
}

describePostgres("the postgres store without prepared statements", first === undefined ? [] : [first], (server) => {
  let count = 0;
  const cases = [
    ...storeContract(async () => worldIn(server(), `case_${count++}`, "?prepare=false")),
    ...mappedStoreContract(() => mappedWorldIn(server(), `mapped_${count++}`, "&prepare=false")),
  ];
  for (const { name, run } of cases.filter((each) => travelling.test(each.name))) test(name, run);
});
