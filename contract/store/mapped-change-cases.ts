/** Mapped tables that others change while the store runs, and random batches against change.ts. */
import assert from "node:assert/strict";
import type { Bytes } from "../../src/bytes.js";
import { apply, hasEnded, remove, type Change, type Fields, type RecordValue } from "../../src/change.js";
import type { Route } from "../../src/routes/route.js";
import { everyRecord, openMapped, text, type MappedCaseBody } from "./mapped-world.js";
import { seeded, type Dice } from "./random-changes.js";
import { hash, merge, rejectsAs, replace, value } from "./writer-like.js";

const users = "CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, name text, visits bigint)";
const routes: readonly Route[] = [{ key: "user:{id}", table: "users" }];
const one = text("user:1");

const altered: readonly MappedCaseBody[] = [
  {
    name: "a column that vanishes is broken, for writes and reads, until it is there again",
    run: async (world) => {
      const named: readonly Route[] = [{ key: "user:{id}", table: "users", columns: ["name", "visits"] }];
      const writer = await openMapped(world, [users], named);
      await writer.commit([[one, replace(hash({ name: "Alice", visits: "1" }))]]);
      assert.deepEqual(await writer.value(one), value(hash({ name: "Alice", visits: "1" })));
      await world.run("ALTER TABLE users DROP COLUMN visits");
      await rejectsAs("broken", writer.store.commit(writer.batch([[one, merge({ visits: "2" })]])));
      await rejectsAs("broken", writer.store.read([one]));
      await rejectsAs("broken", writer.store.open({ logId: writer.logId }));
      await world.run("ALTER TABLE users ADD COLUMN visits bigint");
      const { generation, tables } = await writer.store.open({ logId: writer.logId });
      assert.deepEqual(
        tables?.[0]?.columns.map(({ name }) => name),
        ["id", "name", "visits"],
      );
      writer.generation = generation;
      await writer.commit([[one, merge({ visits: "2" })]]);
      assert.deepEqual(await writer.value(one), value(hash({ name: "Alice", visits: "2" })));
      await writer.store.close();
    },
  },
  {
    name: "a table that vanishes is broken, not empty, until it is there again",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await writer.commit([[one, replace(hash({ name: "Alice" }))]]);
      await writer.value(one);
      await world.run("ALTER TABLE users RENAME TO kept");
      for (const reached of [null, writer.position]) await rejectsAs("broken", writer.store.read([one], reached));
      await rejectsAs("broken", writer.store.commit(writer.batch([[one, merge({ name: "Bob" })]])));
      await rejectsAs("broken", writer.store.open({ logId: writer.logId }));
      // The own tables are as they were.
      assert.deepEqual(await world.query("SELECT sequence FROM write_behind_position"), [["1"]]);
      await world.run("ALTER TABLE kept RENAME TO users");
      writer.generation = (await writer.store.open({ logId: writer.logId })).generation;
      await writer.commit([[one, merge({ name: "Bob" })]]);
      assert.deepEqual(await writer.value(one), value(hash({ name: "Bob" })));
      await writer.store.close();
    },
  },
  {
    name: "a column that is added is found by the next open",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await rejectsAs("broken", writer.store.commit(writer.batch([[one, merge({ email: "a@x" })]])));
      await world.run("ALTER TABLE users ADD COLUMN email text");
      writer.generation = (await writer.store.open({ logId: writer.logId })).generation;
      await writer.commit([[one, merge({ email: "a@x" })]]);
      assert.deepEqual(await world.query("SELECT id, email FROM users"), [["1", "a@x"]]);
      await writer.store.close();
    },
  },
  {
    name: "a store that only reads finds the tables by itself, and what others have written there",
    run: async (world) => {
      const writer = await openMapped(world, [users], routes);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 3)");
      const { position } = await writer.store.open({ logId: writer.logId });
      assert.equal(position, null);
      assert.deepEqual(await writer.store.read([one, text("user:2"), text("own")]), [
        value(hash({ name: "Alice", visits: "3" })),
        null,
        null,
      ]);
      await writer.store.close();
    },
  },
];

/** A record's name, and the values that its fields may have. */
interface Kind {
  readonly records: readonly Bytes[];
  readonly fields: ReadonlyMap<Bytes, readonly Bytes[]>;
  readonly expires: boolean;
}

function kindOf(names: readonly string[], fields: Record<string, readonly string[]>, expires: boolean): Kind {
  const values = Object.entries(fields).map(([field, texts]) => [text(field), texts.map(text)] as const);
  return { records: names.map(text), fields: new Map(values), expires };
}

const kinds: readonly Kind[] = [
  kindOf(
    ["user:1", "user:-2", "user:30"],
    { name: ["", "Alice", "é😀"], visits: ["0", "-7", "9007199254740993"] },
    true,
  ),
  kindOf(["note:a:1", "note:a:2", "note:b:1"], { words: ["x", "y z"], likes: ["1", "2"] }, false),
  kindOf(["own:1", "own:2"], { a: ["1"], b: ["2", "3"] }, true),
];

function pick<T>(dice: Dice, from: readonly T[]): T {
  return from[dice(from.length)] as T;
}

function someFields(dice: Dice, kind: Kind): Fields {
  const fields = new Map<Bytes, Bytes>();
  for (const [field, values] of kind.fields) if (dice(2) === 0) fields.set(field, pick(dice, values));
  return fields;
}

function someExpiry(dice: Dice, kind: Kind): number | null {
  return kind.expires && dice(2) === 0 ? 1000 * (1 + dice(60)) : null;
}

function someChange(dice: Dice, kind: Kind): Change {
  const which = dice(10);
  if (which < 2) return remove;
  const expiresAt = someExpiry(dice, kind);
  if (which < 5) return replace(someFields(dice, kind), expiresAt, dice(2) === 0);
  const kept = dice(2) === 0 ? undefined : expiresAt;
  if (which === 5) return { kind: "merge", fields: null, expiresAt: kept };
  const set = someFields(dice, kind);
  const unset = new Set([...someFields(dice, kind).keys()].filter((field) => !set.has(field)));
  return { kind: "merge", fields: { set, unset }, expiresAt: kept };
}

const random: readonly MappedCaseBody[] = [1, 2, 3, 4].map((seed) => ({
  name: `mapped rows are what change.ts says (random batches over several tables, seed ${seed})`,
  run: async (world) => {
    const dice = seeded(seed);
    const tables = [
      `CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, name text, visits bigint, ends ${world.momentType})`,
      "CREATE INDEX users_ends ON users (ends)",
      `CREATE TABLE notes (part bigint NOT NULL, book text NOT NULL, words text, likes bigint, gone ${world.momentType}, PRIMARY KEY (book, part))`,
    ];
    const writer = await openMapped(world, tables, [
      { key: "user:{id}", table: "users", expiresAt: "ends" },
      { key: "note:{book}:{part}", table: "notes", onDelete: { set: { gone: "now" } } },
    ]);
    const model = new Map<Bytes, RecordValue>();
    const records = kinds.flatMap((kind) => kind.records);
    for (let round = 0; round < 60; round++) {
      const rows = new Map<Bytes, Change>();
      for (let n = dice(7); n > 0; n--) {
        const kind = pick(dice, kinds);
        rows.set(pick(dice, kind.records), someChange(dice, kind));
      }
      const sweepUpTo = dice(4) === 0 ? 1000 * dice(50) : null;
      await writer.commit(rows, { sweepUpTo, frames: 1 + dice(3) });
      for (const [record, change] of rows) {
        const after = apply(model.get(record) ?? null, change);
        if (after === null) model.delete(record);
        else model.set(record, after);
      }
      for (const [record, { expiresAt }] of model)
        if (sweepUpTo !== null && hasEnded(expiresAt, sweepUpTo)) model.delete(record);
      const expected = records.map((record) => model.get(record) ?? null);
      assert.deepEqual(await writer.store.read(records), expected, `round ${round}`);
      const now = 1000 * dice(60);
      const live = (prefix: string): Bytes[] =>
        records.filter((r) => r.startsWith(prefix) && model.has(r) && !hasEnded(model.get(r)?.expiresAt ?? null, now));
      for (const [table, prefix] of [["users", "user:"] as const, ["notes", "note:"] as const]) {
        const found = await everyRecord(writer.store, table, 1 + dice(3), now);
        assert.deepEqual(found.toSorted(), live(prefix).toSorted(), `round ${round}`);
      }
    }
    await writer.store.close();
  },
}));

/** Others who change tables, and random batches. */
export const mappedChangeCases: readonly MappedCaseBody[] = [...altered, ...random];
