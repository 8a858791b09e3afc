/** Rows that end: marked as deleted instead of deleted, expired, swept. */
import assert from "node:assert/strict";
import { remove } from "../../src/change.js";
import type { Route } from "../../src/routes/route.js";
import type { ParkedGroup } from "../../src/store/store.js";
import { everyRecord, openMapped, text, type MappedCaseBody, type MappedStoreWorld } from "./mapped-world.js";
import { hash, merge, replace, value, type WriterLike } from "./writer-like.js";

const one = text("user:1");
const two = text("user:2");
const three = text("user:3");

/** Rows with a mark, and a column that no route maps. */
async function softWriter(world: MappedStoreWorld): Promise<WriterLike> {
  const table = `CREATE TABLE users (
    id bigint NOT NULL PRIMARY KEY, name text, secret text, state text DEFAULT 'alive',
    deleted_at ${world.momentType})`;
  const route: Route = {
    key: "user:{id}",
    table: "users",
    columns: ["name"],
    onDelete: { set: { deleted_at: "now", state: "gone" } },
  };
  return openMapped(world, [table], [route]);
}

const marked: readonly MappedCaseBody[] = [
  {
    name: "a remove on a soft-delete route marks the row, which then is not there",
    run: async (world) => {
      const writer = await softWriter(world);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 'kept', 'alive', NULL)");
      await writer.commit([[two, replace(hash({ name: "Bob" }))]]);
      await writer.commit([
        [one, remove],
        [three, remove],
      ]);
      const rows = await world.query("SELECT id, name, secret, state, deleted_at IS NULL FROM users ORDER BY id");
      assert.deepEqual(
        rows.map((row) => row.slice(0, 4)),
        [
          ["1", "Alice", "kept", "gone"],
          ["2", "Bob", null, "alive"],
        ],
      );
      assert.notDeepEqual(rows[0]?.[4], rows[1]?.[4]);
      assert.deepEqual(await writer.store.read([one, two]), [null, value(hash({ name: "Bob" }))]);
      assert.deepEqual(await everyRecord(writer.store, "users"), [two]);
      await writer.store.close();
    },
  },
  {
    name: "a row that is marked already keeps its mark",
    run: async (world) => {
      const writer = await softWriter(world);
      await world.run("INSERT INTO users VALUES (1, 'Alice', 'kept', 'left', '2001-02-03 04:05:06')");
      const before = await world.query("SELECT * FROM users");
      await writer.commit([[one, remove]]);
      assert.deepEqual(await world.query("SELECT * FROM users"), before);
      await writer.store.close();
    },
  },
  {
    name: "one of several marks is enough: whoever else marks rows may do less",
    run: async (world) => {
      const writer = await softWriter(world);
      await world.run("INSERT INTO users VALUES (1, 'Alice', NULL, 'alive', '2001-02-03 04:05:06')");
      await world.run("INSERT INTO users VALUES (2, 'Bob', NULL, 'gone', NULL)");
      await world.run("INSERT INTO users VALUES (3, 'Eve', NULL, 'left', NULL)");
      await world.run("INSERT INTO users VALUES (4, 'Eve', NULL, NULL, NULL)");
      const four = text("user:4");
      const eve = value(hash({ name: "Eve" }));
      assert.deepEqual(await writer.store.read([one, two, three, four]), [null, null, eve, eve]);
      assert.deepEqual(await everyRecord(writer.store, "users"), [three, four]);
      await writer.store.close();
    },
  },
  {
    name: "a marked row comes back as a whole new record: every field is written, the marks are cleared",
    run: async (world) => {
      const writer = await softWriter(world);
      for (const [n, back] of [
        replace(hash({}), null, true),
        replace(hash({})),
        merge({}),
        merge({}, ["name"]),
      ].entries()) {
        const record = text(`user:${n}`);
        await world.run(`INSERT INTO users VALUES (${n}, 'old', 'kept', 'gone', '2001-02-03 04:05:06')`);
        await writer.commit([[record, back]]);
        assert.deepEqual(await writer.value(record), value(hash({})), `change ${n}`);
        const [row] = await world.query(`SELECT name, secret, state, deleted_at FROM users WHERE id = ${n}`);
        assert.deepEqual(row, [null, "kept", "alive", null], `change ${n}`);
      }
      await writer.store.close();
    },
  },
];

async function endingWriter(world: MappedStoreWorld, onDelete?: Route["onDelete"]): Promise<WriterLike> {
  const table = `CREATE TABLE users (
    id bigint NOT NULL PRIMARY KEY, name text, ends_at ${world.momentType}, mark bigint)`;
  const index = "CREATE INDEX users_ends_at ON users (ends_at)";
  const route: Route = { key: "user:{id}", table: "users", columns: ["name"], expiresAt: "ends_at", onDelete };
  return openMapped(world, [table, index], [route]);
}

const name = (text: string): ReturnType<typeof hash> => hash({ name: text });

const expiring: readonly MappedCaseBody[] = [
  {
    name: "a row has its end in its column: a merge keeps, clears or sets it, a replace carries its own",
    run: async (world) => {
      const writer = await endingWriter(world);
      const at = 1_795_000_000_123;
      await writer.commit([[one, replace(name("a"), at)]]);
      assert.deepEqual(await writer.value(one), value(name("a"), at));
      await writer.commit([[one, merge({ name: "b" })]]);
      assert.deepEqual(await writer.value(one), value(name("b"), at));
      await writer.commit([[one, { kind: "merge", fields: null, expiresAt: at + 1 }]]);
      assert.deepEqual(await writer.value(one), value(name("b"), at + 1));
      await writer.commit([[one, merge({ name: "c" }, [], null)]]);
      assert.deepEqual(await writer.value(one), value(name("c")));
      await writer.commit([[one, merge({}, ["name"], 1000)]]);
      assert.deepEqual(await writer.value(one), value(hash({}), 1000));
      await writer.commit([[one, replace(name("d"))]]);
      assert.deepEqual(await writer.value(one), value(name("d")));
      await writer.commit([[two, { kind: "merge", fields: null, expiresAt: 5000 }]]);
      assert.deepEqual(await writer.value(two), value(hash({}), 5000));
      await writer.store.close();
    },
  },
  {
    name: "a sweep deletes rows that expired up to its log time, and a scan leaves them out before",
    run: async (world) => {
      const writer = await endingWriter(world);
      await writer.commit([
        [one, replace(name("at"), 10_000)],
        [two, replace(name("after"), 10_001)],
        [three, replace(name("never"))],
      ]);
      assert.deepEqual(await everyRecord(writer.store, "users", 1, 10_000), [two, three]);
      assert.deepEqual(await writer.value(one), value(name("at"), 10_000));
      await writer.commit([], { sweepUpTo: 9_999 });
      assert.notEqual(await writer.value(one), null);
      await writer.commit([[text("own"), replace(text("x"))]], { sweepUpTo: 10_000 });
      assert.deepEqual(await writer.store.read([one, two, three]), [
        null,
        value(name("after"), 10_001),
        value(name("never")),
      ]);
      assert.deepEqual(await world.query("SELECT id FROM users ORDER BY id"), [["2"], ["3"]]);
      await writer.store.close();
    },
  },
  {
    name: "a sweep of a soft-delete route marks",
    run: async (world) => {
      const writer = await endingWriter(world, { set: { mark: 1 } });
      await writer.commit([[one, replace(name("a"), 1000)]]);
      await writer.commit([], { sweepUpTo: 2000 });
      assert.equal(await writer.value(one), null);
      assert.deepEqual(await world.query("SELECT id, name, mark FROM users"), [["1", "a", "1"]]);
      await writer.store.close();
    },
  },
  {
    name: "a sweep takes no row of a parked record",
    run: async (world) => {
      const writer = await endingWriter(world);
      await writer.commit([
        [one, replace(name("a"), 1000)],
        [two, replace(name("b"), 1000)],
      ]);
      const { to } = writer.batch([]);
      const changes = [{ record: one, change: merge({ name: "x" }, [], null) }];
      const letters = [{ position: to, changes, reason: "no", refusedAt: 1, tries: 1 }];
      const group: ParkedGroup = { id: to.sequence, letters, behind: new Map() };
      await writer.commit([], { parking: { drop: [], put: [group] }, sweepUpTo: 2000 });
      assert.deepEqual(await writer.store.read([one, two]), [value(name("a"), 1000), null]);
      await writer.store.close();
    },
  },
  {
    name: "sweeps come to an end, however many rows have expired",
    run: async (world) => {
      const writer = await endingWriter(world);
      await writer.commit(Array.from({ length: 2500 }, (_, n) => [text(`user:${n}`), replace(name("x"), 1 + n)]));
      for (let sweep = 0; sweep < 25 && (await world.query("SELECT id FROM users")).length > 1; sweep++)
        await writer.commit([], { sweepUpTo: 2499 });
      assert.deepEqual(await world.query("SELECT id FROM users"), [["2499"]]);
      await writer.store.close();
    },
  },
  {
    name: "an expired row that others refer to stays, and what is written beside it is written",
    run: async (world) => {
      for (const deferred of ["", " DEFERRABLE INITIALLY DEFERRED"]) {
        const suffix = deferred === "" ? "now" : "late";
        const tables = [
          `CREATE TABLE users_${suffix} (id bigint NOT NULL PRIMARY KEY, name text, ends_at ${world.momentType})`,
          `CREATE TABLE pets_${suffix} (id bigint NOT NULL PRIMARY KEY, owner bigint REFERENCES users_${suffix} (id)${deferred})`,
        ];
        const route: Route = { key: "user:{id}", table: `users_${suffix}`, expiresAt: "ends_at" };
        const writer = await openMapped(world, tables, [route]);
        await writer.commit([
          [one, replace(name("a"), 1000)],
          [two, replace(name("b"), 1000)],
        ]);
        await world.run(`INSERT INTO pets_${suffix} VALUES (5, 1)`);
        await writer.commit([[three, replace(name("c"))]], { sweepUpTo: 2000 });
        assert.deepEqual(await writer.store.read([one, three]), [value(name("a"), 1000), value(name("c"))]);
        await writer.store.close();
      }
    },
  },
];

/** Marks of deleted rows, expiry and sweeps. */
export const mappedEndingCases: readonly MappedCaseBody[] = [...marked, ...expiring];
