/** Every statement of the SQLite store: its own tables, and what is done to them. Text only; nothing runs in here. */
import { runEndsChars } from "../run-ends.js";

/** One row for each partition, made when it is opened first. `run_ends` is in the form of run-ends.ts. */
const positionTable = `write_behind_position (
    id INTEGER PRIMARY KEY,
    log_id TEXT,
    sequence INTEGER,
    tag INTEGER,
    generation INTEGER NOT NULL,
    owner TEXT,
    heartbeat_at INTEGER NOT NULL,
    run_ends TEXT NOT NULL DEFAULT ''
  )`;

const lettersTable = `write_behind_dead_letters (
    group_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    record TEXT NOT NULL,
    change TEXT NOT NULL,
    log_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    reason TEXT,
    refused_at INTEGER,
    tries INTEGER,
    partition INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (record, kind, partition)
  )`;

const lettersIndex = `CREATE INDEX IF NOT EXISTS write_behind_dead_letters_group_id
    ON write_behind_dead_letters (group_id);`;

/**
 * The own tables. `write_behind_kv` has a rowid: without one, values over a quarter of a page would spill into overflow
 * pages one by one. `key` may hold text and blobs; SQLite sorts all text before all blobs. `write_behind_dead_letters`
 * has one row for each refused frame and record in it (kind `refused`), and one for each record with later changes
 * (`behind`): at most one of each for a record of a partition. A change that is too large for one row has more behind
 * it, of the kinds `refused+1`, `refused+2` and so on.
 */
export const ownTables = `
  CREATE TABLE IF NOT EXISTS write_behind_kv (
    key TEXT NOT NULL PRIMARY KEY,
    type TEXT NOT NULL,
    value TEXT,
    expires_at INTEGER
  );
  CREATE INDEX IF NOT EXISTS write_behind_kv_expires_at ON write_behind_kv (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS write_behind_field (
    key TEXT NOT NULL,
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (key, field)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ${positionTable};
  CREATE TABLE IF NOT EXISTS ${lettersTable};
  ${lettersIndex}
`;

/**
 * Makes a table anew with a column that an earlier version did not have, and with all of its rows. SQLite cannot change
 * a constraint, and a statement cannot ask whether a column is there; but what is not a column of the inner table is
 * one of the outer one. A table that is renamed would break views of it: so the rows wait in a temporary one.
 */
function madeAnew(name: string, table: string, columns: string, [column, missing]: readonly [string, string]): string {
  return `
  CREATE TEMP TABLE ${name}_before AS SELECT ${columns}, (SELECT ${column} FROM ${name} AS one WHERE one.rowid = n)
    FROM (SELECT rowid AS n, ${columns} FROM ${name}), (SELECT ${missing} AS ${column}) ORDER BY n;
  DROP TABLE ${name};
  CREATE TABLE ${table};
  INSERT INTO ${name} (${columns}, ${column}) SELECT * FROM ${name}_before ORDER BY rowid;
  DROP TABLE ${name}_before;`;
}

/** Brings tables of the version before, without partitions, to what they are now. To be run in one piece. */
export const upgrade = `${madeAnew(
  "write_behind_position",
  positionTable,
  "id, log_id, sequence, tag, generation, owner, heartbeat_at",
  ["run_ends", "''"],
)}${madeAnew(
  "write_behind_dead_letters",
  lettersTable,
  "group_id, kind, record, change, log_id, sequence, tag, frames, reason, refused_at, tries",
  ["partition", "0"],
)}
  ${lettersIndex}
`;

/**
 * The DDL of the own tables, as every store has such a function: makes what is missing, and changes what an earlier
 * version has made. A savepoint, since it may be run inside a transaction or alone.
 */
export function ownTablesSql(): string {
  const upgrading = `\n  -- Tables of an earlier version become what they are above, with their rows.${upgrade}`;
  const text = `SAVEPOINT write_behind_tables;${ownTables}${upgrading}RELEASE write_behind_tables;`;
  return `${text.replaceAll(/^ {2}/gm, "")}\n`;
}

/** The tables that hold users' data. */
export const rowTables = ["write_behind_kv", "write_behind_field"] as const;

/** All of the own tables. */
export const allTables = [...rowTables, "write_behind_position", "write_behind_dead_letters"] as const;

/** Which of them there are. */
export const tablesFound = `SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('${allTables.join("', '")}')`;

/** Columns that tables of an earlier version do not have, as names of a table and a column. */
export const laterColumns = [
  ["write_behind_position", "run_ends"],
  ["write_behind_dead_letters", "partition"],
] as const;

/** The columns of a table. */
export const columnsFound = "SELECT name FROM pragma_table_info(?)";

/** Whether a queue has ever written here, with whichever partition. */
export const anyPosition = "SELECT 1 FROM write_behind_position WHERE log_id IS NOT NULL LIMIT 1";

/** Milliseconds since 1970 by the database's own clock: claims are compared by no other. */
const now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/** Every row, also of tables of an earlier version. */
export const allPositions = `SELECT *, ${now} - heartbeat_at AS age FROM write_behind_position ORDER BY id`;

/** Position and claim. The first parameter of those that change a row is its id, unless said otherwise. */
export const positionStatements = {
  all: allPositions,
  make: "INSERT INTO write_behind_position (id, generation, heartbeat_at) VALUES (?, 0, 0) ON CONFLICT (id) DO NOTHING",
  claim: `UPDATE write_behind_position SET generation = MAX(generation + 1, ${now}), owner = ?2, heartbeat_at = ${now}
    WHERE id = ?1 RETURNING generation`,
  adopt: "UPDATE write_behind_position SET log_id = ?2, sequence = ?3, tag = ?4, run_ends = ?5 WHERE id = ?1",
  release: "UPDATE write_behind_position SET owner = NULL WHERE id = ? AND owner = ? AND generation = ?",
  /**
   * The first statement of every commit: nothing is written twice, and nothing by who has lost the claim. First what is
   * set, then what is expected.
   */
  move: `UPDATE write_behind_position SET log_id = ?, sequence = ?, tag = ?, generation = ?, heartbeat_at = ${now},
      run_ends = substr(? || run_ends, 1, ${runEndsChars})
    WHERE id = ? AND owner = ? AND generation = ? AND log_id IS ? AND sequence IS ? AND tag IS ?`,
} as const;

const insertKv = "INSERT INTO write_behind_kv (key, type, value, expires_at)";

/**
 * Rows. All upserts are by primary key only: OR REPLACE would also delete somebody else's row that a user's own unique
 * index finds. `putString` leaves a row of another type alone, so that one statement does for nearly every row, and
 * the number of changes says when it did not.
 */
export const rowStatements = {
  putString: `${insertKv} VALUES (?, 'string', ?, NULL)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = NULL WHERE type = 'string'`,
  putStringUntil: `${insertKv} VALUES (?, 'string', ?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at WHERE type = 'string'`,
  putHash: `${insertKv} VALUES (?, 'hash', NULL, ?)
    ON CONFLICT (key) DO UPDATE SET type = 'hash', value = NULL, expires_at = excluded.expires_at`,
  makeHash: `${insertKv} VALUES (?, 'hash', NULL, NULL)
    ON CONFLICT (key) DO UPDATE SET type = 'hash', value = NULL WHERE type <> 'hash'`,
  putExpiry: `${insertKv} VALUES (?, 'hash', NULL, ?)
    ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at`,
  touch: `${insertKv} VALUES (?, 'hash', NULL, NULL) ON CONFLICT (key) DO NOTHING`,
  deleteRow: "DELETE FROM write_behind_kv WHERE key = ? RETURNING type",
  putField: `INSERT INTO write_behind_field (key, field, value) VALUES (?, ?, ?)
    ON CONFLICT (key, field) DO UPDATE SET value = excluded.value`,
  deleteField: "DELETE FROM write_behind_field WHERE key = ? AND field = ?",
  deleteFields: "DELETE FROM write_behind_field WHERE key = ?",
  expired: `SELECT key FROM write_behind_kv WHERE expires_at <= ?
      AND NOT EXISTS (SELECT 1 FROM write_behind_dead_letters WHERE record = key)
    ORDER BY expires_at LIMIT ?`,
  clearRows: "DELETE FROM write_behind_kv",
  clearFields: "DELETE FROM write_behind_field",
} as const;

/** What is parked: of each group the letters first, oldest first, a letter's records as they were in its frame. */
export const parkedStatements = {
  all: `SELECT * FROM write_behind_dead_letters WHERE partition = ?
    ORDER BY group_id, substr(kind, 1, 1) DESC, sequence, rowid`,
  put: `INSERT INTO write_behind_dead_letters
      (partition, group_id, kind, record, change, log_id, sequence, tag, frames, reason, refused_at, tries)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (record, kind, partition) DO UPDATE SET group_id = excluded.group_id, change = excluded.change,
      log_id = excluded.log_id, sequence = excluded.sequence, tag = excluded.tag, frames = excluded.frames,
      reason = excluded.reason, refused_at = excluded.refused_at, tries = excluded.tries`,
  /** The rows behind the first one of a change that was there. ASCII has `,` behind `+`. */
  dropParts: `DELETE FROM write_behind_dead_letters
    WHERE partition = ? AND record = ? AND kind > ? || '+' AND kind < ? || ','`,
  drop: "DELETE FROM write_behind_dead_letters WHERE partition = ? AND group_id = ?",
  clear: "DELETE FROM write_behind_dead_letters WHERE partition = ?",
} as const;

const live = "(expires_at IS NULL OR expires_at > ?)";

/**
 * Reading. A page of keys is two ranges, because all text comes before all blobs; x'' is the smallest blob. The key to
 * start after is always bound as a blob: it may be any bytes, and the cast compares them as text without looking.
 */
export const readStatements = {
  position: "SELECT log_id, sequence, generation FROM write_behind_position WHERE id = ?",
  row: "SELECT type, value, expires_at FROM write_behind_kv WHERE key = ?",
  fields: "SELECT field, value FROM write_behind_field WHERE key = ?",
  textKeys: `SELECT key FROM write_behind_kv WHERE key < x'' AND ${live} ORDER BY key LIMIT ?`,
  textKeysAfter: `SELECT key FROM write_behind_kv WHERE key > CAST(? AS TEXT) AND key < x'' AND ${live} ORDER BY key LIMIT ?`,
  blobKeys: `SELECT key FROM write_behind_kv WHERE key >= x'' AND ${live} ORDER BY key LIMIT ?`,
  blobKeysAfter: `SELECT key FROM write_behind_kv WHERE key > ? AND ${live} ORDER BY key LIMIT ?`,
} as const;
