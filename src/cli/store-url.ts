/** What `--store` takes: the database as a URL. */
import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { WriteBehindError } from "../errors.js";
import { postgres } from "../store/postgres/index.js";
import { lookAtPosition as lookAtPostgres } from "../store/postgres/postgres-look.js";
import { shownUrl } from "../store/postgres/postgres-url.js";
import { loadStoreModule } from "../store/load-store.js";
import { sqlite } from "../store/sqlite/index.js";
import { lookAtPosition as lookAtSqlite, takeUpLog } from "../store/sqlite/sqlite-look.js";
import { StoreError, type LookedPosition, type StoreDescriptor } from "../store/store.js";
import { CliError, exitCodes } from "./exit.js";

/** A database that was named. */
export interface NamedStore {
  readonly kind: "sqlite" | "postgres";
  /** For people and programs: an absolute path, or the address without user and password. */
  readonly place: string;
  /** What makes the store. It may hold a password: it is shown to nobody. */
  readonly descriptor: StoreDescriptor;
}

/** A kind of database. */
interface Kind {
  readonly url: RegExp;
  readonly named: (url: string) => NamedStore;
}

const kinds: readonly Kind[] = [
  { url: /^sqlite:(?:\/\/(?=\/))?./s, named: (url) => sqliteIn(url.replace(/^sqlite:(?:\/\/(?=\/))?/, "")) },
  { url: /^postgres(?:ql)?:/, named: postgresAt },
];

/** The database of a `--store` URL; without one, write-behind.db in the data folder. */
export function namedStore(url: string | null, data: string): NamedStore {
  if (url === null) return sqliteIn(join(data, "write-behind.db"));
  const kind = kinds.find((each) => each.url.test(url));
  if (kind !== undefined) return kind.named(url);
  // Only the kind is repeated: the rest of a URL may hold a password.
  const name = /^([a-z]+):/i.exec(url)?.[1];
  const what = name === undefined ? "--store is no URL" : `--store: there is no database of the kind ${name}`;
  throw new CliError(
    exitCodes.usage,
    what,
    "--store sqlite:./app.db, or --store postgres://user:password@host/database",
  );
}

function sqliteIn(path: string): NamedStore {
  const file = isAbsolute(path) ? path : resolve(path);
  return { kind: "sqlite", place: file, descriptor: sqlite({ file }) };
}

function postgresAt(url: string): NamedStore {
  try {
    return { kind: "postgres", place: shownUrl(url), descriptor: postgres(url) };
  } catch (error) {
    if (!(error instanceof WriteBehindError)) throw error;
    throw new CliError(exitCodes.usage, `--store: ${error.message}`, "--store postgres://user:password@host/database");
  }
}

/** Whether it is certain that there is no such database: nothing is to be made by looking. */
export function isAbsent({ kind, place }: NamedStore): boolean {
  return kind === "sqlite" && !existsSync(place);
}

/** Looks where a database is, and changes nothing. Throws a StoreError where it cannot be read. */
export async function lookAtStore(store: NamedStore): Promise<LookedPosition> {
  if (isAbsent(store)) throw new StoreError("broken", `there is no database ${store.place}`);
  return store.kind === "sqlite" ? lookAtSqlite(store.place) : lookAtPostgres(store.descriptor.options);
}

/** Before a look that a commit will follow in the same process, by the owner of the folder. */
export function beforeLookAndCommit({ kind, place }: NamedStore): void {
  if (kind === "sqlite") takeUpLog(place);
}

/**
 * Where a database is with every partition of a queue; nothing is changed. Throws a StoreError where it cannot be
 * read.
 */
export async function lookAtPositions({ place, descriptor }: NamedStore): Promise<readonly LookedPosition[]> {
  const loaded = await loadStoreModule(descriptor.module);
  if (loaded.lookAtPositions !== undefined) return loaded.lookAtPositions(descriptor.options);
  throw new CliError(
    exitCodes.failed,
    `the store at ${place} cannot be looked at from outside`,
    "npx write-behind status, which asks a running server",
  );
}

/** A named database as JSON. */
export function storeJson({ kind, place }: NamedStore): Readonly<Record<string, string>> {
  return kind === "sqlite" ? { kind, file: place } : { kind, place };
}
