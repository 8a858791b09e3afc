/** Every case of the store's suite on real PostgreSQL, of every version that there is here. */
import { test } from "vitest";
import { storeContract, type StoreWorld } from "../contract/store.js";
import { PostgresStore } from "../src/store/postgres/postgres-store.js";
import { placeOf } from "../src/store/postgres/postgres-url.js";
import type { PostgresServer } from "./postgres-server.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

/** Cases that say something of how statements travel, and not of what they do. */
const travelling = /random|moved|20,000|beside a commit|fails in the middle/;

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

const [first, ...others] = postgresVersions();

for (const programs of [first, ...others]) {
  describePostgres("the postgres store", programs === undefined ? [] : [programs], (server) => {
    let count = 0;
    for (const { name, run } of storeContract(async () => worldIn(server(), `case_${count++}`))) test(name, run);
  });
}

describePostgres("the postgres store without prepared statements", first === undefined ? [] : [first], (server) => {
  let count = 0;
  const cases = storeContract(async () => worldIn(server(), `case_${count++}`, "?prepare=false"));
  for (const { name, run } of cases.filter((each) => travelling.test(each.name))) test(name, run);
});
