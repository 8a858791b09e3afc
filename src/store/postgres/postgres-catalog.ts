/** What is asked of PostgreSQL's catalog about the tables of routes: each query answers for all of them. Text only. */
import type { Statement } from "./postgres-statements.js";

/** A query whose only parameter is a list of names, quoted where they must be; `n` is a table's place in it, from 1. */
function query(name: string, text: string): Statement {
  const asked = `WITH RECURSIVE asked AS (
      SELECT n, c.* FROM unnest($1::text[]) WITH ORDINALITY AS names (name, n)
      JOIN LATERAL (SELECT oid, relname, relnamespace, relkind, relhassubclass FROM pg_class
        WHERE oid = to_regclass(name)::oid OFFSET 0) AS c ON true)`;
  return { name: `write_behind_${name}`, text: `${asked}${text}` };
}

/** What the tables are, and what this user may do with them. */
export const tablesQuery = query(
  "look_tables",
  ` SELECT n, s.nspname, relname, relkind, current_user,
      relkind = 'r' AND relhassubclass,
      row_security_active(asked.oid),
      has_table_privilege(asked.oid, 'DELETE'),
      EXISTS (SELECT FROM pg_trigger WHERE tgrelid = asked.oid AND NOT tgisinternal AND tgenabled <> 'D'),
      EXISTS (SELECT FROM pg_rewrite WHERE ev_class = asked.oid AND rulename <> '_RETURN' AND ev_enabled <> 'D')
    FROM asked JOIN pg_namespace s ON s.oid = relnamespace ORDER BY n`,
);

/** Their columns, in order. A domain is followed to the type that it is made of, and has its rules on the way. */
export const columnsQuery = query(
  "look_columns",
  `, found AS (
      SELECT n, attnum, attname, format_type(atttypid, atttypmod) AS shown, attnotnull AS filled,
        atthasdef OR attidentity <> '' AS has_default, attidentity, attgenerated,
        atttypid AS typid, atttypmod AS typmod, attcollation, asked.oid, 0 AS depth
      FROM asked JOIN pg_attribute ON attrelid = asked.oid WHERE attnum > 0 AND NOT attisdropped
      UNION ALL
      SELECT n, attnum, attname, shown, filled OR typnotnull, has_default OR typdefault IS NOT NULL, attidentity,
        attgenerated, typbasetype, typtypmod, attcollation, found.oid, depth + 1
      FROM found JOIN pg_type t ON t.oid = typid WHERE typtype = 'd'
    ), base AS (SELECT DISTINCT ON (n, attnum) * FROM found ORDER BY n, attnum, depth DESC)
    SELECT n, attname, shown, filled, has_default, attidentity, attgenerated, typid, typmod,
      quote_ident(s.nspname) || '.' || quote_ident(typname),
      CASE WHEN typtype = 'e' THEN
        (SELECT json_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = typid) END,
      (SELECT collname FROM pg_collation WHERE oid = attcollation AND NOT collisdeterministic),
      has_column_privilege(base.oid, attnum, 'SELECT'), has_column_privilege(base.oid, attnum, 'INSERT'),
      has_column_privilege(base.oid, attnum, 'UPDATE')
    FROM base JOIN pg_type t ON t.oid = typid JOIN pg_namespace s ON s.oid = typnamespace ORDER BY n, attnum`,
);

/** Their indexes, the primary key first. Of a part that is no column the name is null. */
export const indexesQuery = query(
  "look_indexes",
  ` SELECT n, indisunique AND NOT indisexclusion AND indpred IS NULL, indimmediate,
      json_agg(attname ORDER BY place),
      max(collname::text)
    FROM asked JOIN pg_index ON indrelid = asked.oid AND indisvalid,
      LATERAL (SELECT place, attname, collname
        FROM generate_series(0, indnkeyatts - 1) AS place
        LEFT JOIN pg_attribute ON attrelid = asked.oid AND attnum = indkey[place] AND attnum > 0
        LEFT JOIN pg_collation c ON c.oid = indcollation[place] AND NOT collisdeterministic) AS parts
    GROUP BY n, indexrelid, indisprimary, 2, indimmediate ORDER BY n, indisprimary DESC, indexrelid`,
);

/** What they refer to: the place of the other table where it is asked for as well, and its name. */
export const referencesQuery = query(
  "look_references",
  ` SELECT asked.n, other.n, confrelid::regclass::text, confdeltype, condeferrable,
      (SELECT json_agg(attname ORDER BY place) FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = number)
    FROM asked JOIN pg_constraint k ON conrelid = asked.oid AND contype = 'f'
      LEFT JOIN asked other ON other.oid = confrelid
    ORDER BY asked.n, conname, k.oid, other.n`,
);

/** Names of tables that there are, for who has asked for one that is not. */
export const thereQuery: Statement = {
  name: "write_behind_look_there",
  text: `SELECT CASE WHEN pg_table_is_visible(c.oid) THEN relname ELSE nspname || '.' || relname END
    FROM pg_class c JOIN pg_namespace s ON s.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_|^information_schema$' AND relname !~ '^write_behind_'
    ORDER BY 1 LIMIT 1000`,
};
