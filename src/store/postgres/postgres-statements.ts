/** Every statement of the PostgreSQL store: its own tables, and what is done to them. Text only; nothing runs here. */
import { runEndsChars } from "../run-ends.js";
import { quoted } from "./postgres-names.js";

/** A statement with constant text: prepared once per connection under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** The tables that hold users' data. */
export const rowTables = ["write_behind_kv", "write_behind_field"] as const;

/** Everything that the store makes. */
export const ownRelations = [
  ...rowTables,
  "write_behind_position",
  "write_behind_dead_letters",
  "write_behind_kv_text",
] as const;

/** Columns that tables of an earlier version do not have. */
const laterColumns = [
  ["write_behind_position", "run_ends"],
  ["write_behind_dead_letters", "partition"],
] as const;

type Relation = (typeof ownRelations)[number];

/** How relations are written in statements: with the schema in front where there is one. */
export type Naming = (relation: Relation) => string;

/** The naming of a schema; null: as the session's search_path finds them. */
export function namingIn(schema: string | null): Naming {
  return (relation) => (schema === null ? relation : `${quoted(schema)}.${relation}`);
}

// A character of UTF-8 without the zero byte, in hexadecimal. Source: Unicode standard, table 3-7.
const utf8Hex =
  "^((0[1-9a-f]|[1-7][0-9a-f])|(c[2-9a-f]|d[0-9a-f])[89ab][0-9a-f]|e0[ab][0-9a-f][89ab][0-9a-f]|" +
  "(e[1-9a-c]|e[ef])([89ab][0-9a-f]){2}|ed[89][0-9a-f][89ab][0-9a-f]|f0[9ab][0-9a-f]([89ab][0-9a-f]){2}|" +
  "f[1-3]([89ab][0-9a-f]){3}|f48[0-9a-f]([89ab][0-9a-f]){2})*$";

/** Bytes for people: text where they are UTF-8, else `\x` and hexadecimal. */
function readable(column: string): string {
  return `CASE WHEN encode(${column}, 'hex') ~ '${utf8Hex}' THEN convert_from(${column}, 'UTF8')
      ELSE '\\x' || encode(${column}, 'hex') END`;
}

/**
 * The DDL of the own tables: makes what is missing, and changes what an earlier version has made, where there were no
 * partitions. `write_behind_position` has one row for each partition, made when it is opened first; `run_ends` is in
 * the form of run-ends.ts. `write_behind_dead_letters` has one row for each refused frame and record in it (kind
 * `refused`, `place` is where in its frame), and one for each record with later changes (`behind`); a change that is
 * too large for one row has several, by `part`. The view shows bytes as text, and of a hash its fields as JSON.
 */
export function ownTablesSql(schema: string | null = null): string {
  const name = namingIn(schema);
  const makeSchema = schema === null ? "" : `CREATE SCHEMA IF NOT EXISTS ${quoted(schema)};\n`;
  return `${makeSchema}CREATE TABLE IF NOT EXISTS ${name("write_behind_kv")} (
  key bytea NOT NULL PRIMARY KEY,
  type text NOT NULL,
  value bytea,
  expires_at bigint
);
CREATE INDEX IF NOT EXISTS write_behind_kv_expires_at ON ${name("write_behind_kv")} (expires_at)
  WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${name("write_behind_field")} (
  key bytea NOT NULL,
  field bytea NOT NULL,
  value bytea NOT NULL,
  PRIMARY KEY (key, field)
);
CREATE TABLE IF NOT EXISTS ${name("write_behind_position")} (
  id integer PRIMARY KEY,
  log_id text,
  sequence bigint,
  tag bigint,
  generation bigint NOT NULL,
  owner text,
  heartbeat_at timestamptz NOT NULL,
  run_ends text NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS ${name("write_behind_dead_letters")} (
  group_id bigint NOT NULL,
  kind text NOT NULL,
  record bytea NOT NULL,
  change text NOT NULL,
  log_id text NOT NULL,
  sequence bigint NOT NULL,
  tag bigint NOT NULL,
  frames bigint NOT NULL,
  place bigint NOT NULL,
  part bigint NOT NULL,
  reason text,
  refused_at bigint,
  tries bigint,
  partition integer NOT NULL DEFAULT 0,
  PRIMARY KEY (record, kind, part, partition)
);
CREATE INDEX IF NOT EXISTS write_behind_dead_letters_group_id ON ${name("write_behind_dead_letters")} (group_id);
${upgradeSql(name)}CREATE OR REPLACE VIEW ${name("write_behind_kv_text")} AS
  SELECT ${readable("kv.key")} AS key,
    kv.type,
    CASE WHEN kv.type = 'hash' THEN (
      SELECT coalesce(jsonb_object_agg(${readable("f.field")}, ${readable("f.value")}), '{}')::text
      FROM ${name("write_behind_field")} f WHERE f.key = kv.key
    ) ELSE ${readable("kv.value")} END AS value,
    CASE WHEN kv.expires_at IS NOT NULL THEN to_timestamp(kv.expires_at / 1000.0) END AS expires_at
  FROM ${name("write_behind_kv")} kv;
`;
}

/** Brings tables of the version before, where there were no partitions, to what they are now. */
function upgradeSql(name: Naming): string {
  return `ALTER TABLE ${name("write_behind_position")}
  DROP CONSTRAINT IF EXISTS write_behind_position_id_check,
  ADD COLUMN IF NOT EXISTS run_ends text NOT NULL DEFAULT '';
ALTER TABLE ${name("write_behind_dead_letters")}
  ADD COLUMN IF NOT EXISTS partition integer NOT NULL DEFAULT 0,
  DROP CONSTRAINT IF EXISTS write_behind_dead_letters_pkey,
  ADD PRIMARY KEY (record, kind, part, partition);
`;
}

/** The statements of one store, by name. */
export type Statements = ReturnType<typeof statementsFor>;

/** Gives every text its name. */
function named<Name extends string>(texts: Readonly<Record<Name, string>>): Readonly<Record<Name, Statement>> {
  const entries = Object.entries<string>(texts).map(([name, text]) => [name, { name: `write_behind_${name}`, text }]);
  return Object.fromEntries(entries) as Record<Name, Statement>;
}

/** Numbers of advisory locks: "wr_behnd" in ASCII, and those behind it. */
const [tablesLock, claimsLock, oursLock] = [8607046714071215716n, 8607046714071215717n, 8607046714071215718n];

/**
 * A transaction's frame. Everything is set for the transaction alone: behind a pooler the session is somebody else's
 * soon. A commit is durable before the queue is trimmed, so `synchronous_commit` is never less than on; the time-outs
 * free the position's row when this process stands still, and a lock of our own that nobody else takes tells sessions
 * that write for us from all others (see `endBlockers`), whatever their names are. Lists of keys are looked up in
 * indexes, also where a plan was made while the table was small; up to version 17 that makes plans look dear enough to
 * be compiled (jit).
 */
const frame = {
  // Of those that hold up a session ($1), and of those that hold these up: who waits for nobody, writes for us and is
  // the same user's.
  endBlockers: `WITH RECURSIVE chain (pid) AS (
      SELECT unnest(pg_blocking_pids($1::int))
      UNION SELECT blocker FROM chain, LATERAL unnest(pg_blocking_pids(chain.pid)) AS blocker
    )
    SELECT pg_terminate_backend(pid) FROM chain
    WHERE cardinality(pg_blocking_pids(pid)) = 0
      AND pid IN (SELECT pid FROM pg_stat_activity WHERE usename = session_user AND datname = current_database())
      AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND classid::bigint << 32 | objid::bigint = ${oursLock})`,
  begin: "BEGIN",
  // For work that looks at answers before it goes on: each statement sees what was committed before it.
  beginTalking: "BEGIN ISOLATION LEVEL READ COMMITTED",
  settings: `SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
    set_config('idle_in_transaction_session_timeout', $3, true), set_config('tcp_user_timeout', $3, true),
    CASE WHEN current_setting('server_version_num')::int >= 170000
      THEN set_config('transaction_timeout', $4, true) END,
    set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true),
    pg_advisory_xact_lock_shared(${oursLock}),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
      WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)`,
  commit: "COMMIT",
  beginReading: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
  // For a session that only reads. Planned anew each time, a statement takes longer than the reading itself; planned
  // once, it must go by indexes, also where that was while a table was small. SET, since nothing may be read before the
  // transaction that may follow has begun.
  planOnce: "SET plan_cache_mode = force_generic_plan",
  planByIndex: "SET enable_seqscan = off",
  planPlainly: "SET jit = off",
  // So that the text of a value is what canonical.ts reads, whatever the database's settings are; and keys are looked
  // up in their index, also where a plan was made while the table was small.
  textSettings: `SELECT set_config('DateStyle', 'ISO, YMD', true), set_config('TimeZone', 'UTC', true),
    set_config('IntervalStyle', 'postgres', true), set_config('bytea_output', 'hex', true),
    set_config('extra_float_digits', '1', true), set_config('enable_seqscan', 'off', true)`,
  // Lists of keys are looked up one by one in an index: no plan reads a table whole, and none is kept that was made
  // while a table was small. TimeZone stays as it is: defaults and triggers go by it, and no text that is sent does.
  // Constraints that may wait are checked when all is written: rows may refer to each other.
  mappedSettings: `SELECT set_config('DateStyle', 'ISO, YMD', true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`,
  deferConstraints: "SET CONSTRAINTS ALL DEFERRED",
  checkConstraints: "SET CONSTRAINTS ALL IMMEDIATE",
};

/** All statements for a schema. */
export function statementsFor(schema: string | null) {
  const name = namingIn(schema);
  const [kv, field] = [name("write_behind_kv"), name("write_behind_field")];
  const [position, letters] = [name("write_behind_position"), name("write_behind_dead_letters")];
  return {
    ...named({ ...frame, ...opening(name), ...positionTexts(position), ...rowTexts(kv, field, letters) }),
    ...named({ ...parkedTexts(letters), ...readTexts(kv, field, position) }),
  };
}

function opening(name: Naming) {
  const [kv, field] = [name("write_behind_kv"), name("write_behind_field")];
  const regclass = (each: Relation): string => `to_regclass('${name(each).replaceAll("'", "''")}')`;
  const missing = ownRelations.map((each) => `('${each}', ${regclass(each)})`);
  const columns = laterColumns.map(([each, column]) => `('${each}', '${column}', ${regclass(each)})`);
  return {
    // Without a column: the whole relation.
    missing: `SELECT relation, NULL FROM (VALUES ${missing.join(", ")}) AS own (relation, found) WHERE found IS NULL
      UNION ALL SELECT relation, name FROM (VALUES ${columns.join(", ")}) AS later (relation, name, found)
      WHERE found IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_attribute
        WHERE attrelid = found AND attname = name AND NOT attisdropped)`,
    session: "SELECT current_setting('server_encoding'), pg_backend_pid()",
    // Two processes that start at once make the tables one after the other.
    lockTables: `SELECT pg_advisory_xact_lock(${tablesLock})`,
    // Says at once that a table of that name is somebody else's.
    shape: `SELECT kv.key || ''::bytea, kv.type || '', kv.value || ''::bytea, kv.expires_at + 0::bigint,
        f.key || ''::bytea, f.field || ''::bytea, f.value || ''::bytea
      FROM ${kv} kv, ${field} f LIMIT 0`,
  };
}

/** Position and claim; claims are compared by the database's own clock and by no other. */
function positionTexts(position: string) {
  const ageMs = "round(extract(epoch FROM clock_timestamp() - heartbeat_at) * 1000)::bigint";
  const nowMs = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
  const row = `id, log_id, sequence, tag, generation, owner, ${ageMs}`;
  return {
    // Tables of an earlier version have no run ends.
    readPositions: `SELECT ${row}, coalesce(to_jsonb(one) ->> 'run_ends', '') FROM ${position} AS one ORDER BY id`,
    anyPosition: `SELECT 1 FROM ${position} WHERE log_id IS NOT NULL LIMIT 1`,
    makePosition: `INSERT INTO ${position} (id, generation, heartbeat_at) VALUES ($1, 0, 'epoch')
      ON CONFLICT (id) DO NOTHING`,
    lockPosition: `SELECT ${row}, run_ends FROM ${position} WHERE id = $1 FOR UPDATE`,
    // Claims of different partitions are taken one after the other: two queues that come at once see each other.
    lockClaims: `SELECT pg_advisory_xact_lock(${claimsLock})`,
    strangers: `SELECT ${row}, run_ends FROM ${position} WHERE left(owner, 24) <> $1`,
    lockStrangers: `SELECT ${row}, run_ends FROM ${position} WHERE left(owner, 24) <> $1 ORDER BY id FOR UPDATE`,
    fence: `UPDATE ${position} SET owner = NULL WHERE left(owner, 24) <> $1`,
    adopt: `UPDATE ${position} SET log_id = $2, sequence = $3, tag = $4, run_ends = $5 WHERE id = $1`,
    claim: `UPDATE ${position} SET generation = GREATEST(generation + 1, ${nowMs}), owner = $2,
        heartbeat_at = clock_timestamp()
      WHERE id = $1 RETURNING generation`,
    release: `UPDATE ${position} SET owner = NULL WHERE id = $1 AND owner = $2 AND generation = $3`,
    // The first statement of every commit. All of them are sent before any is answered: so a position or a claim that
    // is another one must fail, as a division by the number of rows that were moved.
    move: `WITH moved AS (
        UPDATE ${position} SET log_id = $1, sequence = $2, tag = $3, generation = $4, heartbeat_at = clock_timestamp(),
          run_ends = left($5 || run_ends, ${runEndsChars})
        WHERE id = $6 AND owner = $1 AND generation = $7 AND log_id IS NOT DISTINCT FROM $8
          AND sequence IS NOT DISTINCT FROM $9 AND tag IS NOT DISTINCT FROM $10
        RETURNING 1
      ) SELECT 1 / count(*) FROM moved`,
  };
}

/** Rows. Upserts are by primary key only: a user's own unique index refuses, and nobody else's row is overwritten. */
function rowTexts(kv: string, field: string, letters: string) {
  const hashes = `INSERT INTO ${kv} (key, type, value, expires_at) SELECT key, 'hash', NULL, expires_at
    FROM unnest($1::bytea[], $2::bigint[]) AS rows (key, expires_at)`;
  return {
    deleteRows: `WITH gone AS (DELETE FROM ${kv} WHERE key = ANY ($1::bytea[]) RETURNING key, type)
      DELETE FROM ${field} WHERE key = ANY (ARRAY(SELECT key FROM gone WHERE type <> 'string'))`,
    deleteFieldsOf: `DELETE FROM ${field} WHERE key = ANY ($1::bytea[])`,
    putStrings: `INSERT INTO ${kv} (key, type, value, expires_at) SELECT key, 'string', value, expires_at
      FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS rows (key, value, expires_at)
      ON CONFLICT (key) DO UPDATE SET type = 'string', value = excluded.value, expires_at = excluded.expires_at`,
    putHashes: `${hashes}
      ON CONFLICT (key) DO UPDATE SET type = 'hash', value = NULL, expires_at = excluded.expires_at`,
    makeHashes: `${hashes}
      ON CONFLICT (key) DO UPDATE SET type = 'hash', value = NULL WHERE write_behind_kv.type <> 'hash'`,
    putExpiries: `${hashes} ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at`,
    touch: `${hashes} ON CONFLICT (key) DO NOTHING`,
    deleteFields: `DELETE FROM ${field} AS f USING unnest($1::bytea[], $2::bytea[]) AS gone (key, field)
      WHERE f.key = gone.key AND f.field = gone.field`,
    putFields: `INSERT INTO ${field} (key, field, value) SELECT key, field, value
      FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS fields (key, field, value)
      ON CONFLICT (key, field) DO UPDATE SET value = excluded.value`,
    sweep: `WITH gone AS (DELETE FROM ${kv} WHERE key = ANY (ARRAY(
          SELECT kv.key FROM ${kv} kv WHERE kv.expires_at <= $1
            AND NOT EXISTS (SELECT 1 FROM ${letters} WHERE record = kv.key)
          ORDER BY kv.expires_at LIMIT $2)) RETURNING key, type)
      DELETE FROM ${field} WHERE key = ANY (ARRAY(SELECT key FROM gone WHERE type <> 'string'))`,
    clearRows: `DELETE FROM ${kv}`,
    clearFields: `DELETE FROM ${field}`,
  };
}

/** What is parked: of each group the letters first, oldest first, a letter's records as they were in its frame. */
function parkedTexts(letters: string) {
  const columns =
    "group_id, kind, record, change, log_id, sequence, tag, frames, place, part, reason, refused_at, tries";
  // The last parameter of each is the partition.
  return {
    allParked: `SELECT ${columns} FROM ${letters} WHERE partition = $1
      ORDER BY group_id, kind DESC, sequence, place, part`,
    putParked: `INSERT INTO ${letters} (${columns}, partition) SELECT *, $14::integer
      FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::bigint[])`,
    // What is put takes the place of what was there, which may have had more parts.
    replaceParked: `DELETE FROM ${letters} AS l USING unnest($1::bytea[], $2::text[]) AS new (record, kind)
      WHERE l.record = new.record AND l.kind = new.kind AND l.partition = $3`,
    dropParked: `DELETE FROM ${letters} WHERE group_id = ANY ($1::bigint[]) AND partition = $2`,
    clearParked: `DELETE FROM ${letters} WHERE partition = $1`,
  };
}

/**
 * Reading: the positions and everything that is asked in one statement, which sees one moment. OFFSET 0 keeps the
 * planner from making joins of it, for which it would read whole tables that have not been analyzed yet.
 */
function readTexts(kv: string, field: string, position: string) {
  const live = (n: number): string => `(expires_at IS NULL OR expires_at > $${n})`;
  const of = (table: string): string => `asked, LATERAL (SELECT * FROM ${table} WHERE key = asked.key OFFSET 0)`;
  return {
    values: `WITH asked AS (SELECT key, n FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (key, n))
      SELECT (1 - id)::bigint, log_id, NULL::bytea, NULL::bytea, sequence, generation FROM ${position}
        WHERE id = ANY ($2::bigint[])
      UNION ALL SELECT n, kv.type, NULL, kv.value, kv.expires_at, NULL FROM ${of(kv)} AS kv
      UNION ALL SELECT n, NULL, f.field, f.value, NULL, NULL FROM ${of(field)} AS f`,
    keys: `SELECT key FROM ${kv} WHERE ${live(1)} ORDER BY key LIMIT $2`,
    keysAfter: `SELECT key FROM ${kv} WHERE key > $3::bytea AND ${live(1)} ORDER BY key LIMIT $2`,
  };
}
