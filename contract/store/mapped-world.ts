/** What the cases of mapped tables are written with: a database in which they make tables of their own. */
import assert from "node:assert/strict";
import { bytesOfText, type Bytes } from "../../src/bytes.js";
import { readRoutes, type Route, type RouteSpec } from "../../src/routes/route.js";
import type { Page, Store } from "../../src/store/store.js";
import type { StoreWorld } from "./world.js";
import { WriterLike } from "./writer-like.js";

/** A declared type, and values of it as text: what is written is read again as the same text. */
export interface TypeSample {
  readonly declared: string;
  readonly values: readonly Bytes[];
}

/** An empty database, made for one case about mapped tables. */
export interface MappedStoreWorld extends StoreWorld {
  /** Another connection to it, of a store with these routes. The case closes it. */
  connectWith(routes: readonly RouteSpec[]): Store;
  /** Runs one statement, as another program would. */
  run(sql: string): Promise<void>;
  /** The rows of a query. Every value as text; null is NULL. */
  query(sql: string): Promise<readonly (readonly (string | null)[])[]>;
  /** The declared type of a moment: what `expiresAt` and the mark `now` are kept in. */
  readonly momentType: string;
  /** The declared type of bytes. */
  readonly bytesType: string;
  /** The other types that this database has. */
  readonly samples: readonly TypeSample[];
}

/** One case before it has a database: a sentence, and what proves it. */
export interface MappedCaseBody {
  readonly name: string;
  readonly run: (world: MappedStoreWorld) => Promise<void>;
}

/** Makes tables, and opens a store with routes to them. */
export async function openMapped(
  world: MappedStoreWorld,
  statements: readonly string[],
  routes: readonly Route[],
): Promise<WriterLike> {
  for (const sql of statements) await world.run(sql);
  return reopenMapped(world, routes);
}

/** Opens another connection with routes. */
export async function reopenMapped(world: MappedStoreWorld, routes: readonly Route[]): Promise<WriterLike> {
  const specs = readRoutes(routes);
  return WriterLike.open({ ...world, connect: () => world.connectWith(specs) });
}

/** Every live record of a mapped table, page by page. */
export async function everyRecord(store: Store, table: string, limit = 2, nowMs = 0): Promise<Bytes[]> {
  const records: Bytes[] = [];
  let after: Bytes | null = null;
  do {
    const page: Page = await store.scan(after, limit, nowMs, table);
    assert.ok(page.records.length <= limit, "a page is not longer than its limit");
    assert.ok(page.next === null || page.next === page.records.at(-1), "the next page starts after the last record");
    records.push(...page.records);
    after = page.next;
  } while (after !== null);
  return records;
}

/** Bytes of a text. */
export const text = bytesOfText;
