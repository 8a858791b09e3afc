/** The library with cache and queue in a Redis, and PostgreSQL: programs see no difference. */
import { randomBytes } from "node:crypto";
import { afterEach } from "vitest";
import { writeBehind, type WriteBehind, type WriteBehindOptions } from "../src/index.js";
import { redis } from "../src/redis/index.js";
import { postgres } from "../src/store/postgres/index.js";
import { libraryCases } from "./library-cases.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";

describeRedis(
  "cache and queue in a Redis",
  (redisServer) =>
    describePostgres("with PostgreSQL", postgresVersions(), (database) => {
      const open: WriteBehind[] = [];
      const databases = new Map<string, number>();

      afterEach(async () => {
        for (const wb of open.splice(0)) await wb.close();
      });

      async function another(): Promise<string> {
        const schema = `s${randomBytes(4).toString("hex")}`;
        databases.set(schema, databases.size);
        await database().sql(`CREATE SCHEMA ${schema}`);
        return schema;
      }

      libraryCases(async (options: Partial<WriteBehindOptions> = {}, data) => {
        const schema = data ?? (await another());
        const wb = await writeBehind({
          cache: redis(`redis://127.0.0.1:${redisServer().port}/${databases.get(schema)}`),
          store: postgres(database().url(), { ownSchema: schema }),
          // One partition: so a transaction may name any records.
          durability: "memory",
          leaseMs: 1000,
          partitions: 1,
          ...options,
        });
        open.push(wb);
        const text = `SELECT key, type, convert_from(value, 'UTF8') FROM ${schema}.write_behind_kv ORDER BY key`;
        const rows = async () =>
          (await database().sql(text.replace("key,", "convert_from(key, 'UTF8'),"))).map((row) => {
            const [key = "", type = "", value = ""] = row.split("|");
            return { key, type, value };
          });
        return { wb, data: schema, rows };
      }, 20_000);
    }),
  ["--databases", "64"],
);
