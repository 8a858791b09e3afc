/**
 * What was written to the database, in order: triggers on the real tables keep a history of it in the file itself, so
 * whatever dies, a transaction and its history are there together or not at all. It shows that nothing was written
 * twice: the position only grows, every commit goes on where the last one ended, and no value of a record comes a
 * second time.
 */
import { DatabaseSync } from "@photostructure/sqlite";

type Database = InstanceType<typeof DatabaseSync>;

/** What happens to a string's value, and to the position. The values of one key are numbered and never repeat. */
const triggers = `
  CREATE TABLE IF NOT EXISTS crash_written (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, value TEXT, sequence INTEGER);
  CREATE TRIGGER IF NOT EXISTS crash_inserted AFTER INSERT ON write_behind_kv WHEN new.type = 'string' BEGIN
    INSERT INTO crash_written (key, value) VALUES (new.key, new.value); END;
  CREATE TRIGGER IF NOT EXISTS crash_updated AFTER UPDATE ON write_behind_kv
    WHEN new.type = 'string' AND (old.value IS NOT new.value OR old.expires_at IS new.expires_at) BEGIN
    INSERT INTO crash_written (key, value) VALUES (new.key, new.value); END;
  CREATE TRIGGER IF NOT EXISTS crash_moved AFTER UPDATE OF sequence ON write_behind_position
    WHEN new.sequence IS NOT old.sequence OR new.log_id IS NOT old.log_id BEGIN
    INSERT INTO crash_written (sequence) VALUES (new.sequence); END;
`;

interface Row {
  readonly id: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly sequence: number | null;
}

/** The history of one database over a whole campaign. */
export class Written {
  readonly #file: string;
  #last = 0;
  #sequence = 0;
  /** For each key the number of the last value, and whether it was a whole value or a count. */
  readonly #numbers = new Map<string, number>();
  /** Values and moves of the position that were looked at. */
  values = 0;
  commits = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** Puts the triggers there, once the tables are. */
  begin(): void {
    this.#with((database) => {
      database.exec(triggers);
    });
  }

  /** Looks at what was written since it looked last. Throws where anything was written twice or out of order. */
  look(): void {
    this.#with((database) => {
      const there = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'crash_written'").get();
      if (there === undefined) return;
      const rows = database.prepare("SELECT * FROM crash_written WHERE id > ? ORDER BY id").all(this.#last) as unknown;
      for (const row of rows as readonly Row[]) this.#take(row);
      database.prepare("DELETE FROM crash_written WHERE id <= ?").run(this.#last);
    });
  }

  #take({ id, key, value, sequence }: Row): void {
    this.#last = id;
    if (key === null) {
      this.commits++;
      if (sequence === null || sequence <= this.#sequence) {
        throw new Error(`the position in the database went from ${this.#sequence} to ${sequence}`);
      }
      this.#sequence = sequence;
      return;
    }
    const number = numberOf(key, value ?? "");
    if (number === null) return;
    this.values++;
    const before = this.#numbers.get(key) ?? -1;
    if (number <= before) throw new Error(`${key} was written as number ${number} after number ${before}`);
    this.#numbers.set(key, number);
  }

  #with(look: (database: Database) => void): void {
    const database = new DatabaseSync(this.#file);
    try {
      database.exec("PRAGMA busy_timeout = 10000");
      look(database);
    } finally {
      database.close();
    }
  }
}

/** The number in a value that SET has made: `connection-number-filling`. A counter that was deleted begins again. */
function numberOf(key: string, value: string): number | null {
  if (!/^[sx]/.test(key)) return null;
  const match = /^\d+-(\d+)-/.exec(value);
  return match === null ? null : Number(match[1]);
}
