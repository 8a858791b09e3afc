/** What PostgreSQL says when it does not work, each from a real server: its class, its words, and well again after. */
import { Client } from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { logA, merge, replace, WriterLike } from "../contract/store/writer-like.js";
import { bytesOfText } from "../src/bytes.js";
import { remove, type Change } from "../src/change.js";
import { meanings } from "../src/store/postgres/postgres-errors.js";
import { PostgresStore } from "../src/store/postgres/postgres-store.js";
import { placeOf, type PostgresOptions } from "../src/store/postgres/postgres-url.js";
import { StoreError, type StoreErrorKind } from "../src/store/store.js";
import { freePort } from "./servers.js";
import { TcpProxy } from "./tcp-proxy.js";
import { describePostgres, postgresVersions } from "./with-postgres.js";

const eventually = { timeout: 20_000, interval: 5 };
const key = bytesOfText("user:1:name");
const alice = replace(bytesOfText("Alice"));
const bob = replace(bytesOfText("Bob"));

describePostgres("PostgreSQL fails", postgresVersions(), (server) => {
  let open: { close(): unknown }[] = [];
  let database = "";
  let count = 0;
  const states = new Set<string>();

  beforeEach(async () => {
    open = [];
    database = `errors_${count++}`;
    await server().sql(`CREATE DATABASE ${database}`);
  });

  afterEach(async () => {
    for (const each of open) await each.close();
  });

  function storeOn(query = "", options: PostgresOptions = {}, url = server().url(database)): PostgresStore {
    const store = new PostgresStore(placeOf({ url: `${url}${query}`, ...options }));
    open.push(store);
    return store;
  }

  async function writerOn(query = "", options: PostgresOptions = {}, url?: string): Promise<WriterLike> {
    const store = storeOn(query, options, url);
    return WriterLike.open({ connect: () => store, age: async () => {}, end: async () => {} }, logA);
  }

  const sql = (text: string): Promise<string[]> => server().sql(text, database);

  /** Somebody else's session. */
  async function session(): Promise<Client> {
    const client = new Client({ connectionString: server().url(database) });
    client.on("error", () => {});
    await client.connect();
    open.push({ close: () => client.end() });
    return client;
  }

  async function failure(promise: Promise<unknown>): Promise<StoreError> {
    const error = await promise.then(
      () => new Error("it did not fail"),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(StoreError);
    const { cause } = error as StoreError;
    const found = (cause as { cause?: unknown }).cause ?? cause;
    if (found instanceof Error && "code" in found) states.add(String(found.code));
    return error as StoreError;
  }

  interface Expected {
    readonly kind: StoreErrorKind;
    readonly says: RegExp;
    readonly blames?: boolean;
  }

  async function fails(promise: Promise<unknown>, { kind, says, blames = false }: Expected): Promise<void> {
    const error = await failure(promise);
    expect([error.kind, error.message, error.blamesBatch]).toEqual([kind, expect.stringMatching(says), blames]);
  }

  /** The same store commits again, and the row that was there before is there: nothing of a failed batch is. */
  async function wellAgain(writer: WriterLike): Promise<void> {
    await writer.commit([[bytesOfText("after"), alice]]);
    expect(await writer.value(bytesOfText("after"))).toEqual({ content: "Alice", expiresAt: null });
  }

  const refusals: readonly (readonly [string, string, RegExp, Change?])[] = [
    ["23505", "CREATE UNIQUE INDEX one ON write_behind_kv (value)", /duplicate key/],
    ["23514", "ALTER TABLE write_behind_kv ADD CHECK (value <> 'Bob')", /check constraint/],
    ["23502", "ALTER TABLE write_behind_kv ALTER expires_at SET NOT NULL", /null value/, replace(bytesOfText("Bob"))],
    [
      "23503",
      "CREATE TABLE names (name bytea PRIMARY KEY); INSERT INTO names VALUES ('Alice'); " +
        "ALTER TABLE write_behind_kv ADD FOREIGN KEY (value) REFERENCES names",
      /foreign key/,
    ],
    ["23P01", "ALTER TABLE write_behind_kv ADD EXCLUDE (value WITH =)", /exclusion constraint/],
    ["22003", trigger("PERFORM length(new.value) * 1000000000"), /out of range/],
    ["22P02", trigger("PERFORM convert_from(new.value, 'UTF8')::int"), /invalid input syntax/],
    ["22021", trigger("PERFORM convert_from(new.value, 'UTF8')"), /invalid byte sequence/, replace("\xff" as never)],
    ["22001", "CREATE TABLE copies (name varchar(3)); " + trigger("INSERT INTO copies VALUES (new.type)"), /too long/],
    ["54000", "CREATE INDEX long ON write_behind_kv (value)", /too large/, replace(random(9000))],
    ["P0001", trigger("RAISE EXCEPTION 'not on Sundays'"), /not on Sundays/],
  ];

  for (const [state, ddl, says, change = bob] of refusals) {
    test(`${state}: refused, and nothing of the batch is written`, async () => {
      const writer = await writerOn();
      if (state === "23502") await writer.commit([[key, replace(bytesOfText("Alice"), 5)]]);
      else await writer.commit([[key, alice]]);
      await sql(ddl);
      const [other, third] = [bytesOfText("other"), bytesOfText("third")];
      const batch = writer.batch([
        [third, remove],
        [bytesOfText("hash"), merge({ a: "1" })],
        ...(state === "23505" || state === "23P01" ? ([[third, bob]] as const) : []),
        [other, change],
      ]);
      const error = await failure(writer.store.commit(batch));
      expect([error.kind, error.message]).toEqual(["refused", expect.stringMatching(says)]);
      expect(states).toContain(state);
      expect(await writer.value(bytesOfText("hash"))).toBe(null);
      expect((await writer.store.open({ logId: logA })).position).toEqual(writer.position);
    });
  }

  test("a constraint that is checked at the end refuses too, and leaves nothing", async () => {
    const writer = await writerOn();
    await sql(
      "CREATE TABLE names (name bytea PRIMARY KEY); " +
        "ALTER TABLE write_behind_kv ADD FOREIGN KEY (value) REFERENCES names DEFERRABLE INITIALLY DEFERRED",
    );
    await fails(writer.store.commit(writer.batch([[key, alice]])), { kind: "refused", says: /foreign key/ });
    expect(await writer.value(key)).toBe(null);
    await sql("INSERT INTO names VALUES ('Alice')");
    await wellAgain(writer);
  });

  test("55P03: somebody holds the row: retryable, and well again afterwards", async () => {
    const writer = await writerOn("?lock_timeout=50");
    const other = await session();
    await other.query("BEGIN; SELECT * FROM write_behind_position FOR UPDATE");
    await fails(writer.store.commit(writer.batch([[key, alice]])), { kind: "retryable", says: /locks on rows/ });
    expect(await writer.value(key)).toBe(null);
    await other.query("ROLLBACK");
    await wellAgain(writer);
  });

  test("57014: a statement takes too long: retryable, may be the batch's fault, and well again afterwards", async () => {
    const writer = await writerOn("?statement_timeout=1000");
    await sql(trigger("PERFORM pg_sleep(30)"));
    const expected: Expected = { kind: "retryable", says: /took too long/, blames: true };
    await fails(writer.store.commit(writer.batch([[key, alice]])), expected);
    await sql("DROP TRIGGER own ON write_behind_kv");
    await wellAgain(writer);
  });

  test("40P01: a deadlock: retryable", async () => {
    // Who waits last finds the deadlock, after a while of its own: the writer.
    await sql(`ALTER DATABASE ${database} SET deadlock_timeout = '20ms'`);
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    await sql(trigger("PERFORM pg_advisory_xact_lock(7)"));
    const [gate, other] = [await session(), await session()];
    const waiting = (): Promise<string[]> => sql("SELECT count(*) FROM pg_locks WHERE NOT granted");
    await gate.query("SELECT pg_advisory_lock(7)");
    await other.query("SET deadlock_timeout = '60s'; BEGIN; SELECT * FROM write_behind_kv FOR UPDATE");
    const commit = failure(writer.store.commit(writer.batch([[key, bob]])));
    await expect.poll(waiting, eventually).toEqual(["1"]);
    const waits = other.query("UPDATE write_behind_position SET tag = tag");
    await expect.poll(waiting, eventually).toEqual(["2"]);
    await gate.query("SELECT pg_advisory_unlock(7)");
    const { kind, message } = await commit;
    expect([kind, message]).toEqual(["retryable", expect.stringContaining("a deadlock")]);
    await waits;
    await other.query("ROLLBACK");
    await wellAgain(writer);
  });

  test("40001: a serialization failure: retryable", async () => {
    await sql(`ALTER DATABASE ${database} SET default_transaction_isolation = 'repeatable read'`);
    const writer = await writerOn();
    const other = await session();
    await other.query("BEGIN; UPDATE write_behind_position SET heartbeat_at = now()");
    const commit = failure(writer.store.commit(writer.batch([[key, alice]])));
    await expect.poll(() => sql("SELECT count(*) FROM pg_locks WHERE NOT granted"), eventually).toEqual(["1"]);
    await other.query("COMMIT");
    const { kind, message } = await commit;
    expect([kind, message]).toEqual(["retryable", expect.stringContaining("another one changed the same rows")]);
    await wellAgain(writer);
  });

  test("57P01: the connection is ended in the midst of a commit: retryable, may be the batch's fault", async () => {
    const writer = await writerOn();
    await sql(trigger("PERFORM pg_sleep(20)"));
    const commit = failure(writer.store.commit(writer.batch([[key, alice]])));
    const pid = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    await expect.poll(async () => (await sql(pid)).length, eventually).toBe(1);
    await sql(`SELECT pg_terminate_backend(pid) FROM (${pid}) AS found`);
    const { kind, blamesBatch } = await commit;
    expect([kind, blamesBatch, states.has("57P01")]).toEqual(["retryable", true, true]);
    await sql("DROP TRIGGER own ON write_behind_kv");
    const { position, generation } = await writer.store.open({ logId: logA });
    expect(position).toBe(null);
    writer.generation = generation;
    await wellAgain(writer);
  });

  test("a connection that is ended while it is idle is made anew, and nobody notices", async () => {
    const writer = await writerOn();
    await writer.commit([[key, alice]]);
    await sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'write-behind%'");
    await expect
      .poll(() => sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'write-behind%'"), eventually)
      .toEqual(["0"]);
    // Both connections have seen the end of the other side before a read comes through on a new one.
    await expect
      .poll(() => writer.value(key).catch(() => null), eventually)
      .toEqual({ content: "Alice", expiresAt: null });
    await wellAgain(writer);
  });

  test("25006: the database takes no writes: retryable, with a new connection when it does again", async () => {
    const writer = await writerOn();
    await sql(`ALTER DATABASE ${database} SET default_transaction_read_only = on`);
    await sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'write-behind%'");
    await expect
      .poll(async () => (await failure(writer.store.commit(writer.batch([[key, alice]])))).message, eventually)
      .toMatch(/takes no writes/);
    await server().sql(`ALTER DATABASE ${database} RESET default_transaction_read_only`);
    await wellAgain(writer);
  });

  test("42P01, 42703, 42501: a table, a column, a right is missing: broken, and well again without a restart", async () => {
    await sql("CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public TO app").catch(() =>
      sql("GRANT ALL ON SCHEMA public TO app"),
    );
    const writer = await writerOn("", {}, server().url(database).replace("postgres@", "app@"));
    await sql("ALTER TABLE write_behind_kv RENAME TO hidden");
    const commit = (): Promise<void> => writer.store.commit(writer.batch([[key, alice]]));
    await fails(commit(), { kind: "broken", says: /has not a table.*write_behind_kv/ });
    expect((await failure(writer.store.read([key]))).kind).toBe("retryable");
    expect((await failure(writer.store.read([key], { logId: logA, sequence: 1 }))).kind).toBe("moved");
    await sql("ALTER TABLE hidden RENAME TO write_behind_kv; ALTER TABLE write_behind_kv RENAME value TO content");
    await fails(commit(), { kind: "broken", says: /without a column.*"value"/ });
    await sql(
      "ALTER TABLE write_behind_kv RENAME content TO value; REVOKE ALL ON write_behind_kv FROM app; ALTER TABLE write_behind_kv OWNER TO postgres",
    );
    await fails(commit(), { kind: "broken", says: /a right that is needed.*permission denied/ });
    await sql("GRANT ALL ON write_behind_kv TO app");
    await wellAgain(writer);
  });

  test("a table of that name has other columns: broken when it is opened", async () => {
    await sql("CREATE TABLE write_behind_kv (id int PRIMARY KEY, name text)");
    await fails(storeOn().open({ logId: logA }), { kind: "broken", says: /column/ });
    await sql(
      "DROP TABLE write_behind_kv; CREATE TABLE write_behind_kv (key text PRIMARY KEY, type text, value text, expires_at bigint)",
    );
    await fails(storeOn().open({ logId: logA }), { kind: "broken", says: /does not understand/ });
  });

  test("28P01, 28000, 3D000: the password, the user, the database: broken, and no password is repeated", async () => {
    const hba = (await sql("SHOW hba_file"))[0] as string;
    await sql("CREATE ROLE guarded LOGIN PASSWORD 'secret-one'");
    const lines = "host all guarded all scram-sha-256\nhost all stranger all reject\nhost all all all trust";
    await sql(`COPY (SELECT unnest(string_to_array(${literal(lines)}, E'\\n'))) TO '${hba}'; SELECT pg_reload_conf()`);
    const as = (user: string, name = database): string => server().url(name).replace("postgres@", `${user}@`);
    await expect
      .poll(
        async () => (await failure(storeOn("", {}, as("guarded:wrong-secret")).open({ logId: logA }))).message,
        eventually,
      )
      .toMatch(/does not let this user in.*password authentication failed/);
    expect(states).toContain("28P01");
    await fails(storeOn("", {}, as("stranger")).open({ logId: logA }), {
      kind: "broken",
      says: /does not let this user in/,
    });
    expect(states).toContain("28000");
    const missing = storeOn("", {}, as("postgres", "nowhere"));
    await fails(missing.open({ logId: logA }), { kind: "broken", says: /does not exist/ });
    expect((await failure(missing.read([key]))).kind).toBe("broken");
    const wrong = await failure(storeOn("", {}, as("guarded:wrong-secret")).open({ logId: logA }));
    expect(JSON.stringify([wrong.message, wrong.stack, wrong.cause, String(wrong.cause)])).not.toContain("secret");
    const right = storeOn("", { ownSchema: "mine" }, as("guarded:secret-one"));
    expect(right.place).not.toContain("secret");
    await fails(right.open({ logId: logA }), { kind: "broken", says: /permission denied/ });
    await sql(`GRANT CREATE ON DATABASE ${database} TO guarded`);
    expect((await right.open({ logId: logA })).position).toBe(null);
  });

  test("53300: there are too many connections: retryable", async () => {
    await sql("CREATE ROLE busy LOGIN CONNECTION LIMIT 0; GRANT ALL ON SCHEMA public TO busy");
    const store = storeOn("", {}, server().url(database).replace("postgres@", "busy@"));
    await fails(store.open({ logId: logA }), { kind: "retryable", says: /too many connections/ });
    await sql("ALTER ROLE busy CONNECTION LIMIT 5");
    expect((await store.open({ logId: logA })).position).toBe(null);
  });

  test("nobody listens, there is no such host: retryable, and a name that is wrong is somebody's to mend", async () => {
    const port = await freePort();
    const refused = storeOn("", {}, `postgres://postgres@127.0.0.1:${port}/postgres`);
    await fails(refused.open({ logId: logA }), { kind: "retryable", says: /nobody listens there/ });
    await fails(refused.read([key]), { kind: "retryable", says: /nobody listens there/ });
    const unknown = await failure(
      storeOn("", {}, "postgres://postgres@no-such-host.invalid/postgres").open({ logId: logA }),
    );
    expect(unknown.message).toMatch(/cannot be reached/);
    expect(unknown.kind === "broken" ? unknown.away : unknown.kind).toBe(
      unknown.kind === "broken" ? true : "retryable",
    );
    await fails(storeOn("?sslmode=verify-full").open({ logId: logA }), {
      kind: "broken",
      says: /as the URL says.*SSL/,
    });
  });

  // Situations that cannot be made here on purpose, a full disk among them: a trigger says what the server would say.
  test("every row of the table of meanings, as the server says it", async () => {
    const writer = await writerOn();
    await sql(trigger("PERFORM 1"));
    for (const [state, { kind, what, blamesBatch = false }] of Object.entries(meanings)) {
      const whole = state === "P0" ? "P0001" : state.padEnd(5, "0");
      await sql(trigger(`RAISE EXCEPTION 'said so' USING errcode = '${whole}'`));
      const error = await failure(writer.store.commit(writer.batch([[key, alice]])));
      expect([whole, error.kind, error.blamesBatch]).toEqual([whole, kind, blamesBatch]);
      expect(error.message).toContain(`${what} (said so)`);
    }
    await sql("DROP TRIGGER own ON write_behind_kv");
    await wellAgain(writer);
  });

  test("a server that ends in the breath in which it lets a reader in is a failure, and ends no process", async () => {
    const proxy = await TcpProxy.start(server().port);
    open.push({ close: () => proxy.stop() });
    const store = storeOn("", {}, `postgres://postgres@127.0.0.1:${proxy.port}/${database}`);
    const isReady = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
    const fields = Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0");
    const fatal = Buffer.concat([Buffer.from([0x45, 0, 0, 0, fields.length + 4]), fields]);
    proxy.onData = (side, data, { client }) => {
      if (side === "client" || !data.subarray(-isReady.length).equals(isReady)) return true;
      proxy.onData = null;
      client.write(Buffer.concat([data, fatal]));
      return false;
    };
    const broken = { kind: "retryable", message: expect.stringContaining("broke off the connection") };
    await expect(store.read([key])).rejects.toMatchObject(broken);
  });
});

/** SQL that runs this at every new row of the strings. */
function trigger(statement: string): string {
  return (
    `CREATE OR REPLACE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${statement}; RETURN new; END $$; ` +
    "CREATE OR REPLACE TRIGGER own BEFORE INSERT ON write_behind_kv FOR EACH ROW EXECUTE FUNCTION own()"
  );
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Bytes that nothing compresses. */
function random(length: number): never {
  let state = 7;
  const next = (): number => (state = (state * 48_271) % 2_147_483_647);
  return Array.from({ length }, () => String.fromCharCode(next() % 256)).join("") as never;
}
