/** The lesson of `write-behind trace`, with a PostgreSQL database as the store. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Client } from "pg";
import { nodeHost } from "../../src/host/node-host.js";
import type { Lesson } from "../../src/lesson/lesson.js";
import type { CacheDescriptor } from "../../src/shared-cache.js";
import { runLesson } from "../../src/lesson/run-lesson.js";
import { postgres } from "../../src/store/postgres/index.js";
import { openReader } from "../../src/store/thread-reader.js";
import type { StoreDescriptor } from "../../src/store/store.js";

/** What the lesson showed, and what any client of the database sees after it. */
export interface LessonOnPostgres {
  readonly lesson: Lesson;
  readonly query: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/**
 * Runs the lesson in schemas of its own, which are gone afterwards. Nothing else in the database is touched. `cacheOf`:
 * where cache and queue of the n-th run are, from 0; they are in this process without it.
 */
export async function lessonOn(
  url: string,
  cacheOf: ((run: number) => CacheDescriptor) | null = null,
): Promise<LessonOnPostgres> {
  const root = await mkdtemp(join(tmpdir(), "write-behind-lesson-"));
  const client = new Client({ connectionString: url });
  const schemas: string[] = [];
  // Each run of the lesson begins with an empty folder and an empty database: a schema named after the folder.
  const storeIn = (folder: string): StoreDescriptor => postgres(url, { ownSchema: basename(folder) });
  await client.connect();
  try {
    const host = nodeHost();
    const lesson = await runLesson({
      host,
      patienceMs: 10_000,
      newFolder: async () => {
        const schema = `${basename(root).toLowerCase().replaceAll("-", "_")}_${schemas.length + 1}`;
        // Fails where it is there: then it is not ours to be removed.
        await client.query(`CREATE SCHEMA "${schema}"`);
        schemas.push(schema);
        await mkdir(join(root, schema));
        return join(root, schema);
      },
      storeIn,
      ...(cacheOf === null ? {} : { cacheIn: () => cacheOf(schemas.length - 1) }),
      readerIn: (folder) => openReader(storeIn(folder), host),
    });
    const query = `SELECT key, type, value FROM ${schemas[0]}.write_behind_kv_text`;
    const { rows } = await client.query<Record<string, unknown>>(query);
    return { lesson, query, rows };
  } finally {
    for (const schema of schemas) await client.query(`DROP SCHEMA "${schema}" CASCADE`);
    await client.end();
    await rm(root, { recursive: true, force: true });
  }
}
