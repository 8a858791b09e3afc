/** The shop of the examples, played with kills and outages; and that the play would see what is wrong. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { broken, newSqlite } from "../examples/shop/database.js";
import { play, type Report } from "../examples/shop/play.js";
import { onPostgres, onSqlite } from "../examples/shop/servers.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";
import { describeRedis } from "./with-redis.js";

const seconds = 3;
const seed = Math.floor(Math.random() * 2 ** 31);

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shop-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Every write was right, so nothing may be refused, and nothing may be missing or there twice. */
function allRight({ broken: seen, closed, expected, found, done, looks }: Report): void {
  expect(seen, `seed ${seed}`).toEqual([]);
  expect(closed, `seed ${seed}`).toEqual({ drained: true, deadLetters: [] });
  expect(found, `seed ${seed}`).toEqual(expected);
  expect(done).toBeGreaterThan(0);
  expect(looks).toBeGreaterThan(0);
}

test("the shop on SQLite, killed, with a database that is locked", async () => {
  allRight(await play({ ...(await onSqlite(folder)), seconds, seed }));
});

describePostgres("the shop on PostgreSQL", postgresVersions(), (server) => {
  test("killed, with a database that is killed", async () => {
    allRight(await play({ ...(await onPostgres(folder, server())), seconds, seed }));
  });
});

describeRedis(
  "the shop, unchanged, with cache and queue in a Redis",
  (redis) =>
    describePostgres("and PostgreSQL", postgresVersions(), (server) => {
      test("killed, with a database that is killed", async () => {
        const cache = `redis://127.0.0.1:${redis().port}`;
        allRight(await play({ ...(await onPostgres(folder, server())), cache, seconds, seed }));
      });
    }),
  ["--appendonly", "yes", "--appendfsync", "always"],
);

test("what no constraint can say is seen where it does not hold", async () => {
  const file = join(folder, "shop.db");
  const shop = await newSqlite(file);
  const database = new DatabaseSync(file, { timeout: 10_000 });
  database.exec(`
    INSERT INTO customers VALUES (1, 'a@example.org', 'A', 1);
    INSERT INTO products VALUES (1, 'Product 1', 100);
    INSERT INTO stock VALUES (1, 10, 8);
    INSERT INTO orders VALUES (1, 1, 'placed', 200);
    INSERT INTO order_lines VALUES (1, 0, 1, 2, 100)`);
  expect(await broken(shop)).toEqual([]);
  database.exec("UPDATE orders SET total = 201");
  expect(await broken(shop)).toEqual(["the total of order 1", "the history of order 1"]);
  database.exec("UPDATE stock SET units = 9; UPDATE customers SET orders = 2");
  expect(await broken(shop)).toEqual([
    "the total of order 1",
    "the number of orders of customer 1",
    "the stock of product 1",
    "the history of order 1",
  ]);
  database.close();
});
