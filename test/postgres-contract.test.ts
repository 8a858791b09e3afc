/** Every case of the store's suite on real PostgreSQL, of every version that there is here. */
import { test } from "vitest";
import { storeContract, type StoreWorld } from "../contract/store.js";
import { PostgresStore } from "../src/store/postgres/postgres-store.js";
import { placeOf } from "../src/store/postgres/postgres-url.js";
import type { PostgresServer } from "./postgres-server.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

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
    end: async () => {
      await server.sql(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    },
  };
}

const [first, ...others] = postgresVersions();

for (const programs of [first, ...others]) {
  describePostgres("the postgres store", programs === undefined ? [] : [programs], (server) => {
    let count = 0;
    for (const { name, run } of storeContract(async () => worldIn(server(), `case_${count++}`))) test(name, run);
  });
}

describePostgres("the postgres store without prepared statements", first === undefined ? [] : [first], (server) => {
  let count = 0;
  for (const { name, run } of storeContract(async () => worldIn(server(), `case_${count++}`, "?prepare=false")))
    test(name, run);
});
