/** A short crash campaign; `npm run crash -- --kills N` is the long one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { expect, test } from "vitest";
import { ownTables, rowStatements } from "../src/store/sqlite/sqlite-statements.js";
import { embeddedPostgres } from "./postgres-server.js";
import { runCampaign } from "./crash/campaign.js";
import { History, type Found, type Kept, type Sight } from "./crash/history.js";
import { SqliteDatabase } from "./crash/sqlite-database.js";
import { Written } from "./crash/written.js";

const seed = Date.now() % 1_000_000;

test("kill -9 at random instants loses nothing that was answered", async () => {
  const report = await runCampaign("sqlite", seed, { kills: 3, seconds: 5 }, () => {});
  expect(report.kills).toBeGreaterThan(0);
  expect(report.answered).toBeGreaterThan(100);
  expect(report.commits).toBeGreaterThan(0);
  expect(report.valuesWritten).toBeGreaterThan(0);
}, 60_000);

test.skipIf(embeddedPostgres() === null)(
  "kill -9 of the server and of PostgreSQL at random instants loses nothing that was answered",
  async () => {
    const report = await runCampaign("postgres", seed, { kills: 3, seconds: 5 }, () => {});
    expect(report.kills).toBeGreaterThan(0);
    expect(report.answered).toBeGreaterThan(100);
    expect(report.valuesWritten).toBeGreaterThan(0);
  },
  60_000,
);

test("the history that triggers keep tells what was written twice, and a position that goes back", async () => {
  const folder = await mkdtemp(join(tmpdir(), "write-behind-written-"));
  const file = join(folder, "written.db");
  const database = new DatabaseSync(file);
  try {
    database.exec(ownTables);
    database.exec("INSERT INTO write_behind_position (id, generation, heartbeat_at) VALUES (1, 0, 0)");
    const [looked, written] = [new SqliteDatabase(file), new Written()];
    const look = async (): Promise<void> => written.look(await looked.written());
    await looked.begin();
    const put = database.prepare(rowStatements.putString);
    const move = database.prepare("UPDATE write_behind_position SET sequence = ?");
    put.run("string", "0-7-filling");
    put.run("string", "0-9-filling");
    move.run(9);
    await look();
    expect(written).toMatchObject({ values: 2, commits: 1 });
    move.run(8);
    await expect(look()).rejects.toThrow("went from 9 to 8");
    put.run("string", "0-9-filling");
    await expect(look()).rejects.toThrow("number 9 after number 9");
  } finally {
    database.close();
    await rm(folder, { recursive: true });
  }
});

test("an end that nobody was told of is not a ghost in the database, though the server's was read inexactly", () => {
  const history = new History(["a"]);
  const put = (from: number): number =>
    history.send({
      what: "PEXPIRE",
      changes: [["a", { type: "string", value: "1", life: { forMs: 1000, from, to: Number.POSITIVE_INFINITY } }]],
    });
  history.answer(put(11_000), 10_001);
  // Sent 19 ms later, done, and never answered.
  put(11_019);
  history.died(10_030);
  const found = (expiresAt: number): Map<string, Found> => new Map([["a", { type: "string", value: "1", expiresAt }]]);
  history.sawServer({ records: found(11_020), readFrom: 10_500, readTo: 10_520 });
  history.sawDatabase({ records: found(11_020), readFrom: 10_600, readTo: 10_600 });
  const older = { records: found(10_900), readFrom: 10_600, readTo: 10_600 };
  expect(() => history.sawDatabase(older)).toThrow("a ghost");
});

test("a command that was refused must have done nothing", () => {
  const history = new History(["a"]);
  const set = (value: string): number => {
    const kept: Kept = { type: "string", value, life: null };
    return history.send({ what: `SET a ${value}`, changes: [["a", kept]] });
  };
  const seen = (value: string): Sight => ({
    records: new Map([["a", { type: "string", value, expiresAt: null }]]),
    readFrom: 0,
    readTo: 0,
  });
  history.answer(set("1"), 0);
  history.takeBack(set("2"));
  expect(() => history.sawServer(seen("2"))).toThrow("a ghost");
  expect(history.sawServer(seen("1"))).toBe(1);
});
