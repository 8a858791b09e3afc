/** What `--store` takes: the database as a URL. */
import { isAbsolute, join, resolve } from "node:path";
import { sqlite } from "../store/sqlite/index.js";
import type { StoreDescriptor } from "../store/store.js";
import { CliError, exitCodes } from "./exit.js";

/** A database that was named. */
export interface NamedStore {
  readonly kind: "sqlite";
  /** An absolute path. */
  readonly file: string;
  /** For people: the file. */
  readonly place: string;
  readonly descriptor: StoreDescriptor;
}

/** The database of a `--store` URL; without one, write-behind.db in the data folder. */
export function namedStore(url: string | null, data: string): NamedStore {
  if (url === null) return sqliteIn(resolve(join(data, "write-behind.db")));
  const file = /^sqlite:(?:\/\/(?=\/))?(.+)$/s.exec(url)?.[1];
  if (file === undefined) {
    // Only the kind is repeated: the rest of a URL may hold a password.
    const kind = /^([a-z]+):/i.exec(url)?.[1];
    const what = kind === undefined ? "--store is no URL" : `--store: there is no database of the kind ${kind}`;
    throw new CliError(exitCodes.usage, what, "--store sqlite:FILE, for example --store sqlite:./app.db");
  }
  return sqliteIn(isAbsolute(file) ? file : resolve(file));
}

function sqliteIn(file: string): NamedStore {
  return { kind: "sqlite", file, place: file, descriptor: sqlite({ file }) };
}
