/** Work on a workspace, compared with the same work on plain values. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { keyIsRecord, type Resolve } from "../src/address.js";
import type { Bytes } from "../src/bytes.js";
import { apply, isLive, type Content, type Fields, type RecordValue } from "../src/change.js";
import { WriteBehindError } from "../src/errors.js";
import { Workspace } from "../src/workspace.js";
import { fieldsMax } from "../src/workspace-checks.js";
import { nameOf, recordValue } from "./arbitraries.js";

const b = (text: string): Bytes => text as Bytes;
const now = 25;

/** As a route would: `a.x` is field `x` of record `a`. */
const routed: Resolve = (key) => {
  const [record, field] = key.split(".");
  return { record: b(record ?? ""), field: field === undefined ? null : b(field), table: null, cacheOnly: false };
};

type Rows = ReadonlyMap<Bytes, RecordValue | null>;

type Op =
  | { readonly op: "get" | "remove"; readonly key: Bytes }
  | { readonly op: "setString"; readonly key: Bytes; readonly value: Bytes; readonly expiresAt: number | null }
  | { readonly op: "updateString"; readonly key: Bytes; readonly value: Bytes }
  | { readonly op: "setFields"; readonly key: Bytes; readonly fields: Fields }
  | { readonly op: "unsetFields"; readonly key: Bytes; readonly names: readonly Bytes[] }
  | { readonly op: "setExpiry"; readonly key: Bytes; readonly expiresAt: number | null };

const record = nameOf(3);
const anyKey = fc.oneof(
  record,
  fc.tuple(record, nameOf(2)).map(([name, field]) => b(`${name}.${field}`)),
);
const value = fc.constantFrom(b("1"), b("two"));
const expiresAt = fc.option(fc.constantFrom(10, 25, 26, 90));
const fields = fc
  .dictionary(nameOf(3), value, { maxKeys: 3 })
  .map((all) => new Map(Object.entries(all)) as unknown as Fields);

const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ op: fc.constant("get" as const), key: anyKey }),
  fc.record({ op: fc.constant("remove" as const), key: anyKey }),
  fc.record({ op: fc.constant("setString" as const), key: record, value, expiresAt }),
  fc.record({ op: fc.constant("setString" as const), key: anyKey, value, expiresAt: fc.constant(null) }),
  fc.record({ op: fc.constant("updateString" as const), key: anyKey, value }),
  fc.record({ op: fc.constant("setFields" as const), key: record, fields }),
  fc.record({ op: fc.constant("unsetFields" as const), key: record, names: fc.array(nameOf(3), { maxLength: 3 }) }),
  fc.record({ op: fc.constant("setExpiry" as const), key: record, expiresAt }),
);

/** A hash that a workspace shows is true until the next change only. */
function copied(content: Content | null): Content | null {
  return content === null || typeof content === "string" ? content : new Map(content);
}

/** What a read shows, or the error that the work meets. */
function perform(workspace: Workspace, one: Op): Content | null | undefined | "error" {
  try {
    switch (one.op) {
      case "get":
        return copied(workspace.get(one.key));
      case "remove":
        return void workspace.remove(one.key);
      case "setString":
        return void workspace.setString(one.key, one.value, one.expiresAt);
      case "updateString":
        return void workspace.updateString(one.key, one.value);
      case "setFields":
        return void workspace.setFields(one.key, one.fields);
      case "unsetFields":
        return void workspace.unsetFields(one.key, one.names);
      case "setExpiry":
        return void workspace.setExpiry(one.key, one.expiresAt);
    }
  } catch (error) {
    if (error instanceof WriteBehindError) return "error";
    throw error;
  }
}

/** The same on plain values: what Redis would do, one record after the other. */
class Plain {
  readonly rows = new Map<Bytes, RecordValue>();

  constructor(rows: Rows) {
    for (const [name, row] of rows) if (isLive(row, now)) this.rows.set(name, row);
  }

  perform(one: Op): Content | null | undefined | "error" {
    const address = routed(one.key);
    if (address.field !== null) return this.#onField(address.record, address.field, one);
    const row = this.rows.get(address.record);
    switch (one.op) {
      case "get":
        return row?.content ?? null;
      case "remove":
        return this.#put(address.record, null, null);
      case "setString":
        return this.#put(address.record, one.value, one.expiresAt);
      case "updateString":
        return this.#put(address.record, one.value, row?.expiresAt ?? null);
      case "setExpiry":
        return row === undefined ? undefined : this.#put(address.record, row.content, one.expiresAt);
      case "setFields":
      case "unsetFields":
        return this.#onHash(address.record, row, one);
    }
  }

  #onHash(
    name: Bytes,
    row: RecordValue | undefined,
    one: Op & { op: "setFields" | "unsetFields" },
  ): undefined | "error" {
    if (typeof row?.content === "string") return "error";
    if (row === undefined && one.op === "unsetFields") return undefined;
    const hash = new Map(row?.content ?? []);
    if (one.op === "setFields") for (const [field, to] of one.fields) hash.set(field, to);
    else for (const field of one.names) hash.delete(field);
    if (hash.size === (row?.content.size ?? 0) && hash.size === 0) return undefined;
    return this.#put(name, hash.size === 0 ? null : hash, row?.expiresAt ?? null);
  }

  #onField(name: Bytes, field: Bytes, one: Op): Content | null | undefined | "error" {
    const row = this.rows.get(name);
    const hash = row === undefined || typeof row.content === "string" ? new Map<Bytes, Bytes>() : new Map(row.content);
    if (one.op === "get") return typeof row?.content === "string" ? "error" : (hash.get(field) ?? null);
    if (one.op === "remove") {
      if (typeof row?.content === "string") return "error";
      if (!hash.delete(field)) return undefined;
    } else if (one.op === "setString" || one.op === "updateString") {
      hash.set(field, one.value);
    }
    return this.#put(name, hash, row?.expiresAt ?? null);
  }

  #put(name: Bytes, content: Content | null, expiry: number | null): undefined {
    if (content === null || (expiry !== null && expiry <= now)) this.rows.delete(name);
    else this.rows.set(name, { content, expiresAt: expiry });
  }
}

const rows: fc.Arbitrary<Rows> = fc
  .tuple(fc.option(recordValue), fc.option(recordValue), fc.option(recordValue))
  .map((three) => new Map(three.map((row, index) => [b("abc"[index] as string), row])));

const everyRecord = [b("a"), b("b"), b("c")];

function rowsAfter(before: Rows, workspace: Workspace): Map<Bytes, RecordValue> {
  const after = new Map<Bytes, RecordValue>();
  for (const name of everyRecord) {
    const change = workspace.changes().find((one) => one.record === name)?.change;
    const row = before.get(name) ?? null;
    const changed = change === undefined ? row : apply(row, change);
    if (isLive(changed, now)) after.set(name, changed);
  }
  return after;
}

describe("a workspace with everything in memory", () => {
  it("reads and leaves what the same work on plain values does", () => {
    fc.assert(
      fc.property(rows, fc.array(op, { maxLength: 10 }), (before, ops) => {
        const workspace = new Workspace(routed, (name) => before.get(name) ?? null, now);
        const plain = new Plain(before);
        for (const one of ops) expect(perform(workspace, one)).toEqual(plain.perform(one));
        expect(workspace.missing).toEqual([]);
        expect(rowsAfter(before, workspace)).toEqual(plain.rows);
      }),
      { numRuns: 2000 },
    );
  });

  it("shows the value that its changes leave behind, of a hash also its size and each field by itself", () => {
    fc.assert(
      fc.property(rows, fc.array(op, { maxLength: 10 }), (before, ops) => {
        const workspace = new Workspace(routed, (name) => before.get(name) ?? null, now);
        for (const one of ops) perform(workspace, one);
        for (const { record: name, change } of workspace.changes()) {
          const content = apply(before.get(name) ?? null, change)?.content ?? null;
          const shown = workspace.get(name);
          expect(copied(shown)).toEqual(content);
          if (shown === null || typeof shown === "string" || content === null || typeof content === "string") continue;
          expect(shown.size).toBe(content.size);
          expect(new Set(shown.keys())).toEqual(new Set(content.keys()));
          for (const field of ["a", "b", "c", "x"].map(b)) {
            expect([shown.has(field), shown.get(field)]).toEqual([content.has(field), content.get(field)]);
          }
        }
      }),
    );
  });

  it("replaces or removes a record that is absent, deleted or expired; a replacement lets the old row go", () => {
    fc.assert(
      fc.property(rows, fc.array(op, { maxLength: 10 }), (before, ops) => {
        const workspace = new Workspace(routed, (name) => before.get(name) ?? null, now);
        for (const one of ops) perform(workspace, one);
        for (const { record: name, change } of workspace.changes()) {
          if (isLive(before.get(name) ?? null, now)) continue;
          expect(change.kind).not.toBe("merge");
          if (change.kind === "replace") expect(change.afterRemove).toBe(true);
        }
      }),
    );
  });
});

describe("a workspace with some records not in memory", () => {
  it("names exactly what it has to load, and nothing is missing once that is there", () => {
    fc.assert(
      fc.property(rows, fc.subarray(everyRecord), fc.array(op, { maxLength: 8 }), (before, known, ops) => {
        const inMemory = new Set(known);
        for (let tries = 0; tries <= everyRecord.length; tries += 1) {
          const lookup = (name: Bytes): RecordValue | null | undefined =>
            inMemory.has(name) ? (before.get(name) ?? null) : undefined;
          const workspace = new Workspace(routed, lookup, now);
          for (const one of ops) perform(workspace, one);
          expect(new Set(workspace.missing).size).toBe(workspace.missing.length);
          if (workspace.missing.length === 0) return;
          for (const name of workspace.missing) {
            expect(inMemory.has(name)).toBe(false);
            inMemory.add(name);
          }
        }
        expect.unreachable("it asks for records without end");
      }),
    );
  });

  it("leaves the same rows as with everything in memory", () => {
    fc.assert(
      fc.property(rows, fc.subarray(everyRecord), fc.array(op, { maxLength: 8 }), (before, known, ops) => {
        const lookup = (name: Bytes): RecordValue | null | undefined =>
          known.includes(name) ? (before.get(name) ?? null) : undefined;
        const workspace = new Workspace(routed, lookup, now);
        for (const one of ops) perform(workspace, one);
        fc.pre(workspace.missing.length === 0);
        // A blind write of a field cannot know that the row is a string or has expired: that is not for the own tables.
        fc.pre(workspace.changes().every((one) => one.change.kind !== "merge" || known.includes(one.record)));
        const whole = new Workspace(routed, (name) => before.get(name) ?? null, now);
        for (const one of ops) perform(whole, one);
        expect(rowsAfter(before, workspace)).toEqual(rowsAfter(before, whole));
      }),
    );
  });

  it("needs nothing for a blind set or delete, and sees its own writes", () => {
    const workspace = new Workspace(keyIsRecord, () => undefined, now);
    workspace.setString(b("a"), b("1"));
    workspace.remove(b("b"));
    expect(workspace.getString(b("a"))).toBe("1");
    expect(workspace.get(b("b"))).toBeNull();
    expect(workspace.missing).toEqual([]);
    expect(workspace.changes().map(({ record: name, change }) => [name, change.kind])).toEqual([
      ["a", "replace"],
      ["b", "remove"],
    ]);
  });

  it("gives changes in the order in which records were first changed, whatever was read before", () => {
    const workspace = new Workspace(keyIsRecord, () => null, now);
    for (const key of ["c", "b", "a"]) workspace.get(b(key));
    for (const key of ["a", "d", "c", "a", "b"]) workspace.setString(b(key), b("1"));
    expect(workspace.changes().map((change) => change.record)).toEqual(["a", "d", "c", "b"]);
  });

  it("says whether the value is asked for", () => {
    const asked: [Bytes, boolean][] = [];
    const lookup = (name: Bytes, reads: boolean): null => {
      asked.push([name, reads]);
      return null;
    };
    const workspace = new Workspace(keyIsRecord, lookup, now);
    workspace.setString(b("a"), b("1"));
    workspace.get(b("b"));
    workspace.get(b("a"));
    expect(asked).toEqual([
      ["a", false],
      ["b", true],
    ]);
  });
});

describe("work that changes nothing queues nothing", () => {
  let workspace: Workspace;
  const hash = { content: new Map([[b("x"), b("1")]]), expiresAt: null };

  beforeEach(() => {
    workspace = new Workspace(routed, (name) => (name === "hash" ? hash : null), now);
  });

  it.each([
    ["a delete of what is not there", (): void => workspace.remove(b("absent"))],
    ["a delete of a field of what is not there", (): void => workspace.remove(b("absent.x"))],
    ["a delete of a field that is not there", (): void => workspace.remove(b("hash.y"))],
    ["taking out fields that are not there", (): void => workspace.unsetFields(b("hash"), [b("y")])],
    ["taking away an end where there is none", (): void => workspace.setExpiry(b("hash"), null)],
    ["setting no fields", (): void => workspace.setFields(b("hash"), new Map())],
    ["a set that has ended already, of what is not there", (): void => workspace.setString(b("absent"), b("1"), 1)],
  ])("%s", (_, work) => {
    work();
    expect(workspace.changes()).toEqual([]);
  });
});

describe("a hash of as many fields as there may be", () => {
  /** As many fields as wanted, without having them. */
  const many = new (class extends Map<Bytes, Bytes> {
    override get size(): number {
      return fieldsMax - 1;
    }
  })([[b("there"), b("1")]]);

  it("takes one more and overwrites what it has; the next is TOO_LARGE, and nothing is changed", () => {
    const workspace = new Workspace(keyIsRecord, () => ({ content: many, expiresAt: null }), now);
    workspace.setFields(
      b("h"),
      new Map([
        [b("there"), b("2")],
        [b("new"), b("2")],
      ]),
    );
    expect(workspace.getHash(b("h"))?.size).toBe(fieldsMax);
    const before = workspace.changes().map(({ change }) => structuredClone(change));
    expect(() => workspace.setFields(b("h"), new Map([[b("newer"), b("2")]]))).toThrow(
      expect.objectContaining({ code: "TOO_LARGE" }),
    );
    expect(workspace.changes().map(({ change }) => change)).toEqual(before);
    workspace.setFields(b("h"), new Map([[b("new"), b("3")]]));
    expect(workspace.getHash(b("h"))?.get(b("new"))).toBe("3");
  });
});

describe("savepoints", () => {
  it("take back every change since, and nothing else", () => {
    fc.assert(
      fc.property(rows, fc.array(op, { maxLength: 6 }), fc.array(op, { maxLength: 6 }), (before, kept, undone) => {
        const lookup = (name: Bytes): RecordValue | null => before.get(name) ?? null;
        const workspace = new Workspace(routed, lookup, now);
        const alone = new Workspace(routed, lookup, now);
        for (const one of kept) perform(alone, one);
        for (const one of kept) perform(workspace, one);
        const point = workspace.savepoint();
        for (const one of undone) perform(workspace, one);
        workspace.rollback(point);
        const changesOf = (one: Workspace) => one.changes().map(({ record: name, change }) => ({ name, change }));
        expect(changesOf(workspace)).toEqual(changesOf(alone));
        for (const name of everyRecord) expect(copied(workspace.get(name))).toEqual(copied(alone.get(name)));
      }),
    );
  });
});

describe("everything is gone", () => {
  it("takes away what this work changed before, and allows no change after", () => {
    const workspace = new Workspace(keyIsRecord, () => ({ content: b("old"), expiresAt: null }), now);
    workspace.setString(b("a"), b("1"));
    workspace.clear();
    expect(workspace.cleared).toBe(true);
    expect(workspace.changes()).toEqual([]);
    expect([workspace.get(b("a")), workspace.get(b("b"))]).toEqual([null, null]);
    expect(() => workspace.setString(b("a"), b("1"))).toThrow(expect.objectContaining({ code: "BAD_VALUE" }));
  });
});
