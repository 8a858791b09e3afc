/** Users' tables in PostgreSQL under the whole engine: what only the database can judge, and how it is found. */
import { expect, test } from "vitest";
import { postgres } from "../src/store/postgres/index.js";
import { faultsKit, quick } from "./postgres-faults-kit.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const tables = `
  CREATE TABLE teams (id bigint PRIMARY KEY, captain bigint);
  CREATE TABLE players (id bigint PRIMARY KEY, team bigint NOT NULL REFERENCES teams, number int NOT NULL,
    UNIQUE (team, number) DEFERRABLE INITIALLY DEFERRED);
  ALTER TABLE teams ADD FOREIGN KEY (captain) REFERENCES players DEFERRABLE INITIALLY DEFERRED;
`;
const routes = [
  { key: "team:{id}", table: "teams" },
  { key: "player:{id}", table: "players" },
];

describePostgres("PostgreSQL judges when a frame is whole", postgresVersions(), (server) => {
  const { start, url, sql } = faultsKit(server);

  test("deferred constraints: what is right at the end of a transaction is stored, and only the wrong frame is parked", async () => {
    await sql(tables);
    const wb = await start(postgres(url()), { ...quick, routes });
    await wb.pause();
    // Each refers to the other: only the end of the transaction can be right.
    await wb.transaction(async (tx) => {
      tx.setHash("team:1", { captain: 1 });
      tx.setHash("player:1", { team: 1, number: 10 });
      tx.setHash("player:2", { team: 1, number: 9 });
    });
    // Two players change numbers.
    await wb.transaction(async (tx) => {
      tx.setHash("player:1", { number: 9 });
      tx.setHash("player:2", { number: 10 });
    });
    await wb.hash("player:3").set({ team: 1, number: 9 });
    await wb.hash("player:4").set({ team: 1, number: 11 });
    await wb.resume();
    const { parked } = await wb.flush();
    expect(parked).toHaveLength(1);
    expect((await wb.deadLetters()).items.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("players_team_number_key"),
    ]);
    expect(await sql("SELECT id, number FROM players ORDER BY id")).toEqual(["1|9", "2|10", "4|11"]);
    expect(await sql("SELECT id, captain FROM teams")).toEqual(["1|1"]);
    // Reads see what is parked all the same; once there is room for it, it is stored.
    expect(await wb.hash("player:3").get("number")).toBe("9");
    await wb.hash("player:1").set({ number: 12 });
    await wb.flush();
    await wb.retryDeadLetters("all");
    expect(await sql("SELECT id, number FROM players ORDER BY id")).toEqual(["1|12", "2|10", "3|9", "4|11"]);
  });

  test("what one row gives up in a transaction another may take, and a parent goes after its last child", async () => {
    await sql(tables);
    const wb = await start(postgres(url()), { ...quick, routes });
    await sql("ALTER TABLE players DROP CONSTRAINT players_team_number_key");
    await sql("ALTER TABLE players ADD UNIQUE (team, number)");
    await wb
      .hash("team:1")
      .set({ id: 1 })
      .catch(() => {});
    await wb.transaction(async (tx) => {
      tx.setHash("team:1", { captain: 1 });
      tx.setHash("player:1", { team: 1, number: 10 });
    });
    await wb.transaction(async (tx) => {
      tx.delete("player:1");
      tx.setHash("player:2", { team: 1, number: 10 });
      tx.setHash("team:1", { captain: 2 });
    });
    await wb.transaction(async (tx) => {
      tx.setHash("team:2", { captain: 2 });
      tx.setHash("player:2", { team: 2 });
      tx.delete("team:1");
    });
    expect((await wb.flush()).parked).toEqual([]);
    expect(await sql("SELECT id, team, number FROM players")).toEqual(["2|2|10"]);
    expect(await sql("SELECT id FROM teams")).toEqual(["2"]);
  });
});
