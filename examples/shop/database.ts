/** The shop's database, as everybody but write-behind uses it: makes the tables, asks questions. */
import { DatabaseSync } from "@photostructure/sqlite";
import { Client } from "pg";
import type { Rows } from "./model.js";
import { invariantsSql, postgresSql, sqliteSql } from "./tables.js";

type Row = Readonly<Record<string, unknown>>;

export interface ShopDatabase {
  /** For the shop. */
  readonly url: string;
  ask(sql: string): Promise<readonly Row[]>;
}

/** A new SQLite file with the tables. */
export async function newSqlite(file: string): Promise<ShopDatabase> {
  const use = <T>(work: (database: InstanceType<typeof DatabaseSync>) => T): T => {
    const database = new DatabaseSync(file, { timeout: 10_000 });
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  // As write-behind has it: who reads does not wait for who writes.
  use((database) => database.exec(`PRAGMA journal_mode = WAL; ${sqliteSql}`));
  return { url: `sqlite:${file}`, ask: async (sql) => use((database) => database.prepare(sql).all() as Row[]) };
}

/** The tables in an empty PostgreSQL database. */
export async function newPostgres(url: string): Promise<ShopDatabase> {
  const ask = async (sql: string): Promise<readonly Row[]> => {
    const client = new Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  await ask(postgresSql);
  return { url, ask };
}

/** What does not hold at this moment; one statement sees one moment. */
export async function broken(database: ShopDatabase): Promise<string[]> {
  return (await database.ask(invariantsSql)).map(({ what, id }) => `${String(what)} ${String(id)}`);
}

/** All rows, in the order of the keys. */
export async function rowsOf(database: ShopDatabase): Promise<Rows> {
  const table = async <T>(sql: string): Promise<T[]> => (await database.ask(sql)).map((row) => ({ ...row }) as T);
  return {
    customers: await table("SELECT id, email, name, orders FROM customers ORDER BY id"),
    products: await table("SELECT id, name, price FROM products ORDER BY id"),
    stock: await table("SELECT product, delivered, units FROM stock ORDER BY product"),
    orders: await table("SELECT id, customer, status, total FROM orders ORDER BY id"),
    order_lines: await table("SELECT order_id, no, product, units, price FROM order_lines ORDER BY order_id, no"),
  };
}
