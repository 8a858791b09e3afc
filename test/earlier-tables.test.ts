/** Databases of the version before: they are brought to what is needed when they are opened, or it is said how. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fleetLog, logA, replace, value, WriterLike } from "../contract/store/writer-like.js";
import { keptChange } from "../src/change-json.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { ownTablesSql as postgresTablesSql } from "../src/store/postgres/index.js";
import { lookAtPosition as lookAtPostgres } from "../src/store/postgres/postgres-look.js";
import { PostgresStore } from "../src/store/postgres/postgres-store.js";
import { placeOf } from "../src/store/postgres/postgres-url.js";
import { ownTablesSql as sqliteTablesSql } from "../src/store/sqlite/index.js";
import { lookAtPosition as lookAtSqlite, lookAtPositions } from "../src/store/sqlite/sqlite-look.js";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.js";
import type { ParkedGroup, Store } from "../src/store/store.js";
import { earlierPostgresTables, earlierSqliteTables } from "./earlier-tables.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const alice = replace(bytesOfText("Alice"));
const position = { logId: logA, sequence: 7, tag: 70 };

/** One letter, whose records are not in the order of their names. */
const group: ParkedGroup = {
  id: 5,
  letters: [
    {
      position: { logId: logA, sequence: 5, tag: 50 },
      changes: ["b", "a", "c"].map((record) => ({ record: record as Bytes, change: alice })),
      reason: "no",
      refusedAt: 1,
      tries: 2,
    },
  ],
  behind: new Map(),
};

/** What was in the earlier tables, as rows of SQL. `bytes`: a column of bytes. */
function earlierRows(bytes: (text: string) => string, place: (n: number) => string): string {
  const kept = JSON.stringify([...keptChange(alice)][0]);
  const letters = ["b", "a", "c"].map(
    (record, n) => `(5, 'refused', ${bytes(record)}, '${kept}', '${logA}', 5, 50, 1, ${place(n)} 'no', 1, 2)`,
  );
  return `INSERT INTO write_behind_kv VALUES (${bytes("k")}, 'string', ${bytes("Alice")}, NULL);
    UPDATE write_behind_position SET log_id = '${logA}', sequence = 7, tag = 70, generation = 3;
    INSERT INTO write_behind_dead_letters VALUES ${letters.join(", ")};`;
}

/** The store goes on where it was, and has room for other partitions. */
async function goesOn(store: Store): Promise<void> {
  const opened = await store.open({ logId: logA });
  expect(opened).toMatchObject({ position, runEnds: [] });
  expect(opened.generation).toBeGreaterThan(3);
  expect(opened.parked).toEqual([group]);
  expect(await store.read(["k" as Bytes])).toEqual([value(bytesOfText("Alice"))]);
  const writer = await WriterLike.on(store, { logId: logA });
  const { to } = await writer.commit([]);
  expect(await store.open({ logId: logA })).toMatchObject({ position: to, runEnds: [to], parked: [group] });
  await store.close();
  const other = await WriterLike.onPartition(store, 8);
  const sameId = { ...group, letters: group.letters.map((each) => ({ ...each, position })) };
  await other.commit([], { parking: { drop: [], put: [sameId] } });
  expect((await store.open({ logId: fleetLog(8), partition: 8 })).parked).toEqual([sameId]);
  await store.close();
}

describe("SQLite tables of the version before", () => {
  let folder = "";
  let file = "";
  let database: DatabaseSyncInstance;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "write-behind-earlier-"));
    file = join(folder, "app.db");
    database = new DatabaseSync(file);
    database.exec(earlierSqliteTables);
    database.exec(
      earlierRows(
        (text) => `'${text}'`,
        () => "",
      ),
    );
    database.exec("CREATE VIEW seen AS SELECT sequence FROM write_behind_position");
  });

  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  test("a look reads them, and opening brings them to what they are now; views stay", async () => {
    expect(lookAtSqlite(file)).toMatchObject({ partition: 0, position, owner: null, runEnds: [] });
    await goesOn(new SqliteStore(file));
    expect(database.prepare("SELECT sequence FROM seen").all()).toEqual([{ sequence: 8 }, { sequence: 1 }]);
    expect(lookAtPositions(file).map(({ partition }) => partition)).toEqual([0, 8]);
  });

  test("where nothing may be made it is said what is missing; the SQL brings it, and may be run again", async () => {
    const store = new SqliteStore(file, [], false);
    const error = await store.open({ logId: logA }).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ kind: "broken" });
    const missing = "the column run_ends of write_behind_position, the column partition of write_behind_dead_letters";
    expect((error as Error).message).toContain(`${missing} are not in the database`);
    expect((error as Error).message).toContain(sqliteTablesSql());
    database.exec(sqliteTablesSql());
    // Inside somebody's transaction, too.
    database.exec(`BEGIN; ${sqliteTablesSql()} COMMIT`);
    await goesOn(store);
    database.exec(sqliteTablesSql());
    expect(lookAtPositions(file)).toMatchObject([
      { partition: 0, runEnds: [{ sequence: 8 }] },
      { partition: 8, runEnds: [{ sequence: 1 }] },
    ]);
    const letters = "SELECT partition, record FROM write_behind_dead_letters ORDER BY partition, rowid";
    const records = (partition: number): unknown => ["b", "a", "c"].map((record) => ({ partition, record }));
    expect(database.prepare(letters).all()).toEqual([records(0), records(8)].flat());
  });
});

describePostgres("PostgreSQL tables of the version before", postgresVersions(), (server) => {
  let database = "";
  let url = "";
  let count = 0;

  const sql = (text: string): Promise<string[]> => server().sql(text, database);

  beforeEach(async () => {
    database = `earlier_${count++}`;
    url = server().url(database);
    await server().sql(`CREATE DATABASE ${database}`);
    await sql(earlierPostgresTables);
    await sql(
      earlierRows(
        (text) => `'${text}'::bytea`,
        (n) => `${n}, 0,`,
      ),
    );
  });

  test("a look reads them, and opening brings them to what they are now", async () => {
    expect(await lookAtPostgres({ url })).toMatchObject({ partition: 0, position, owner: null, runEnds: [] });
    await goesOn(new PostgresStore(placeOf({ url })));
  });

  test("where nothing may be made it is said what is missing; the SQL brings it, and may be run again", async () => {
    const store = new PostgresStore(placeOf({ url, createTables: false }));
    const error = await store.open({ logId: logA }).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ kind: "broken" });
    const missing =
      "write_behind_kv_text, the column run_ends of write_behind_position, the column partition of write_behind_dead_letters";
    expect((error as Error).message).toContain(`${missing} are not in the database`);
    expect((error as Error).message).toContain(postgresTablesSql());
    await sql(postgresTablesSql());
    await sql(postgresTablesSql());
    await goesOn(store);
    await sql(postgresTablesSql());
    const rows = "SELECT id, length(run_ends) FROM write_behind_position ORDER BY id";
    expect(await sql(rows)).toEqual(["1|18", "9|18"]);
  });
});
