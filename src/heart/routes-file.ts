/**
 * What the folder remembers of the routes: `routes.json`. With the tables in it an instance can serve while the database
 * is away; with the fingerprint it sees whether pending changes were written under other routes.
 */
import { z } from "zod";
import { WriteBehindError } from "../errors.js";
import { DiskError, type Disk } from "../host/host.js";
import type { TableSchema } from "../routes/table.js";

const fileName = "routes.json";
const version = 1;

/** What is remembered. */
export interface Remembered {
  /** Of the routes under which changes were queued last (`fingerprintOf`). */
  readonly fingerprint: string;
  /** As the store has found them last. */
  readonly tables: readonly TableSchema[];
}

/**
 * What was found. `damaged`: it cannot be read, so nobody knows what it said. `trusted`: `{}`, which a person puts there
 * after that, to say that the routes are those of before.
 */
export type Found = Remembered | "missing" | "damaged" | "trusted";

/** Where routes and tables are remembered: a file in the data folder, or a note of a fleet. */
export interface RoutesMemory {
  /** For people. */
  readonly path: string;
  /** Throws JOURNAL_VERSION for what a newer version has written. */
  read(): Promise<Found>;
  replace(remembered: Remembered): Promise<void>;
}

// What is in a table is looked at no further: it was written by this code, and is what a plan is made of at the most.
const table = z.custom<TableSchema>((value) => typeof value === "object" && value !== null && "columns" in value);
const shape = z.object({ version: z.literal(version), fingerprint: z.string(), tables: z.array(table) });
const empty = z.strictObject({});

/** The file in a data folder. */
export class RoutesFile implements RoutesMemory {
  readonly #disk: Disk;
  readonly #folder: string;

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  get path(): string {
    return `${this.#folder}/${fileName}`;
  }

  /** Throws JOURNAL_VERSION for one of a newer version, and a DiskError. */
  async read(): Promise<Found> {
    return foundIn(await this.#text(), this.path);
  }

  /** All of the new content, or all of the old, whenever the machine stops. Throws a DiskError. */
  async replace({ fingerprint, tables }: Remembered): Promise<void> {
    const fresh = `${this.path}.new`;
    await this.#disk.remove(fresh).catch(() => {});
    const file = await this.#disk.open(fresh, { write: true, create: true, dsync: false });
    try {
      const bytes = Buffer.from(`${textOf({ fingerprint, tables })}\n`, "utf8");
      await file.write(bytes, 0, bytes.length, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(fresh, this.path);
    await this.#disk.syncFolder(this.#folder);
  }

  async #text(): Promise<string | null> {
    try {
      const file = await this.#disk.open(this.path, { write: false, create: false, dsync: false });
      try {
        const bytes = Buffer.alloc(await file.size());
        await file.read(bytes, 0, bytes.length, 0);
        return bytes.toString("utf8");
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof DiskError && error.kind === "missing") return null;
      throw error;
    }
  }
}

/** What a text says. Throws JOURNAL_VERSION for one of a newer version. */
export function foundIn(text: string | null, path: string): Found {
  if (text === null) return "missing";
  const said = parsed(text);
  const newer = z.object({ version: z.number().gt(version) }).safeParse(said);
  if (newer.success) throw newerVersion(path, newer.data.version);
  if (empty.safeParse(said).success) return "trusted";
  return shape.safeParse(said).data ?? "damaged";
}

/** The text that says it. */
export function textOf({ fingerprint, tables }: Remembered): string {
  return JSON.stringify({ version, fingerprint, tables });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function newerVersion(path: string, found: number): WriteBehindError {
  return new WriteBehindError(
    "JOURNAL_VERSION",
    `${path} has the format ${found}, this version knows ${version}: a newer version wrote it`,
    { hint: "start that version again; nothing was changed" },
  );
}
