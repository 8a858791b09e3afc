/** The own tables as the version before partitions made them: what is opened must become what it is now. */

/** In SQLite. */
export const earlierSqliteTables = `
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
  CREATE TABLE IF NOT EXISTS write_behind_position (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_id TEXT,
    sequence INTEGER,
    tag INTEGER,
    generation INTEGER NOT NULL,
    owner TEXT,
    heartbeat_at INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS write_behind_dead_letters (
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
    PRIMARY KEY (record, kind)
  );
  CREATE INDEX IF NOT EXISTS write_behind_dead_letters_group_id ON write_behind_dead_letters (group_id);
  INSERT INTO write_behind_position (id, generation, heartbeat_at) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING;
`;

/** In PostgreSQL, without the view. */
export const earlierPostgresTables = `
CREATE TABLE IF NOT EXISTS write_behind_kv (
  key bytea NOT NULL PRIMARY KEY,
  type text NOT NULL,
  value bytea,
  expires_at bigint
);
CREATE INDEX IF NOT EXISTS write_behind_kv_expires_at ON write_behind_kv (expires_at)
  WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS write_behind_field (
  key bytea NOT NULL,
  field bytea NOT NULL,
  value bytea NOT NULL,
  PRIMARY KEY (key, field)
);
CREATE TABLE IF NOT EXISTS write_behind_position (
  id integer PRIMARY KEY CHECK (id = 1),
  log_id text,
  sequence bigint,
  tag bigint,
  generation bigint NOT NULL,
  owner text,
  heartbeat_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS write_behind_dead_letters (
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
  PRIMARY KEY (record, kind, part)
);
CREATE INDEX IF NOT EXISTS write_behind_dead_letters_group_id ON write_behind_dead_letters (group_id);
INSERT INTO write_behind_position (id, generation, heartbeat_at) VALUES (1, 0, 'epoch')
  ON CONFLICT (id) DO NOTHING;
`;
