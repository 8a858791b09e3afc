/** A process that stands still in the midst of a transaction: its session is ended, and nobody else's. */
import { Client } from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fleetLog, logA, replace, value, WriterLike } from "../contract/store/writer-like.js";
import { bytesOfText } from "../src/bytes.js";
import { statementsFor } from "../src/store/postgres/postgres-statements.js";
import { PostgresStore } from "../src/store/postgres/postgres-store.js";
import { placeOf } from "../src/store/postgres/postgres-url.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const eventually = { timeout: 20_000, interval: 5 };
const key = bytesOfText("user:1:name");
const alice = replace(bytesOfText("Alice"));

/** How long a store waits, in milliseconds: for a lock, and before a session is ended. */
interface Waits {
  readonly lockMs: number;
  readonly takeoverMs: number;
}

/** So long that a test fails before it is over. */
const forever = 600_000;
/** Ends who stands still. */
const ending: Waits = { lockMs: forever, takeoverMs: 100 };
/** Waits. */
const patient: Waits = { lockMs: forever, takeoverMs: forever };
/** Tries to end who stands still, and then gives up. */
const hasty: Waits = { lockMs: 1000, takeoverMs: 100 };

describePostgres("taking over from who stands still", postgresVersions(), (server) => {
  let open: { close(): unknown }[] = [];
  let database = "";
  let count = 0;

  beforeEach(async () => {
    open = [];
    database = `takeover_${count++}`;
    await server().sql(`CREATE DATABASE ${database}`);
  });

  afterEach(async () => {
    for (const each of open) await each.close();
  });

  const sql = (text: string): Promise<string[]> => server().sql(text, database);

  function storeOn(waits = ending, user = "postgres"): PostgresStore {
    const place = placeOf({ url: server().url(database).replace("postgres@", `${user}@`) });
    const store = new PostgresStore({ ...place, timeouts: { ...place.timeouts, ...waits } });
    open.push(store);
    return store;
  }

  async function session(user = "postgres"): Promise<Client> {
    const connectionString = server().url(database).replace("postgres@", `${user}@`);
    // Names are no proof: a URL may give any.
    const client = new Client({ connectionString, application_name: "anything" });
    client.on("error", () => {});
    await client.connect();
    open.push({ close: () => client.end() });
    return client;
  }

  /** Begins as a writer does, and then says nothing any more. */
  async function standingStill(user = "postgres", holds = "UPDATE write_behind_position SET tag = 7"): Promise<Client> {
    const client = await session(user);
    await client.query("BEGIN");
    await client.query(statementsFor(null).settings.text, ["0", "0", "0", "0"]);
    await client.query(holds);
    return client;
  }

  const waiting = (): Promise<string[]> => sql("SELECT count(*) FROM pg_locks WHERE NOT granted");

  test("its transaction is ended, and the new owner goes on from the position before", async () => {
    const old = await WriterLike.on(storeOn(), { logId: logA });
    const { to } = await old.commit([[key, alice]]);
    const silent = await standingStill();
    const young = await WriterLike.on(storeOn(), { logId: logA });
    expect(young.position).toEqual(to);
    await young.commit([[key, replace(bytesOfText("Bob"))]]);
    expect(await young.value(key)).toEqual(value(bytesOfText("Bob")));
    await expect(silent.query("COMMIT")).rejects.toThrow();
  });

  test("who waits in the same queue for the row is not ended with it", async () => {
    await WriterLike.on(storeOn(), { logId: logA });
    await standingStill();
    const first = WriterLike.on(storeOn(patient), { logId: logA });
    await expect.poll(waiting, eventually).toEqual(["1"]);
    const second = WriterLike.on(storeOn(), { logId: logA });
    expect((await first).generation).not.toBe((await second).generation);
  });

  test("who stands still while it takes a claim holds up nobody who opens another partition", async () => {
    await WriterLike.onPartition(storeOn(), 1);
    await standingStill("postgres", statementsFor(null).lockClaims.text);
    const other = await WriterLike.onPartition(storeOn(), 2);
    await other.commit([[key, alice]]);
  });

  test("who waits for a row holds up nobody who opens another partition", async () => {
    await WriterLike.onPartition(storeOn(), 1);
    await standingStill("postgres", "SELECT 1 FROM write_behind_position WHERE id = 2 FOR UPDATE");
    const waits = storeOn(patient).open({ logId: fleetLog(1), partition: 1 });
    await expect.poll(waiting, eventually).toEqual(["1"]);
    const other = await WriterLike.onPartition(storeOn(patient), 2);
    await other.commit([[key, alice]]);
    await WriterLike.onPartition(storeOn(), 1);
    await waits;
  });

  test("a session that is not of ours is left alone: retryable", async () => {
    await WriterLike.on(storeOn(), { logId: logA });
    const person = await session();
    await person.query("BEGIN; UPDATE write_behind_position SET tag = 7");
    await expect(storeOn(hasty).open({ logId: logA })).rejects.toMatchObject({
      kind: "retryable",
      message: expect.stringContaining("has locks on rows") as string,
    });
    await person.query("ROLLBACK");
    await storeOn().open({ logId: logA });
  });

  test("where the database forbids it, the error says so", async () => {
    const role = `worker_${database}`;
    await sql(`CREATE ROLE ${role} LOGIN; GRANT ALL ON DATABASE ${database} TO ${role};
      GRANT ALL ON SCHEMA public TO ${role};
      REVOKE EXECUTE ON FUNCTION pg_terminate_backend FROM PUBLIC`);
    await WriterLike.on(storeOn(ending, role), { logId: logA });
    const silent = await standingStill(role);
    await expect(storeOn(hasty, role).open({ logId: logA })).rejects.toMatchObject({
      kind: "retryable",
      message: expect.stringMatching(
        /could not be ended \(permission denied for function pg_terminate_backend\)/,
      ) as string,
    });
    // Another user's session is not even asked to end.
    await expect(storeOn(hasty).open({ logId: logA })).rejects.toMatchObject({
      message: expect.stringContaining("has locks on rows") as string,
    });
    await silent.query("ROLLBACK");
    await storeOn(ending, role).open({ logId: logA });
  });
});
