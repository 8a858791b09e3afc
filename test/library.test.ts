/** The library with everything in this process, and SQLite. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, describe, expect, test } from "vitest";
import { memoryStore, sqlite, writeBehind, type WriteBehind, type WriteBehindOptions } from "../src/index.js";
import { libraryCases } from "./library-cases.js";

const folders: string[] = [];
const open: WriteBehind[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "write-behind-library-"));
  folders.push(made);
  return made;
}

async function setup(options: Partial<WriteBehindOptions> = {}, data = folder()) {
  const file = join(data, "app.db");
  const wb = await writeBehind({ data, store: sqlite({ file }), ...options });
  open.push(wb);
  return { wb, data, file, rows: () => Promise.resolve(rowsOf(file)) };
}

function rowsOf(file: string): { key: string; type: string; value: string | null }[] {
  const db = new DatabaseSync(file, { timeout: 10_000 });
  try {
    return db.prepare("SELECT key, type, value FROM write_behind_kv ORDER BY key").all() as ReturnType<typeof rowsOf>;
  } finally {
    db.close();
  }
}

afterEach(async () => {
  for (const wb of open.splice(0)) await wb.close();
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

libraryCases(setup, 200_000);

describe("opening and closing", () => {
  test("two instances on one folder: the second is told whose it is", async () => {
    const { data, file } = await setup();
    const second = writeBehind({ data, store: sqlite({ file }), ownerWaitMs: 20 });
    await expect(second).rejects.toMatchObject({ code: "FOLDER_IN_USE" });
  });

  test("a wiped folder is noticed", async () => {
    const first = await setup();
    await first.wb.set("k", "v");
    await first.wb.close();
    const other = folder();
    const opening = writeBehind({ data: other, store: sqlite({ file: first.file }) });
    await expect(opening).rejects.toMatchObject({ code: "QUEUE_MISMATCH", hint: expect.stringContaining("adopt") });
  });
});

describe("a store of one's own", () => {
  test("its errors count also where it brings its own copy of the class", async () => {
    const store = memoryStore();
    const down = Object.assign(new Error("no route to host"), { name: "StoreError", kind: "retryable" });
    store.read = () => Promise.reject(down);
    const { wb } = await setup({ store });
    await expect(wb.get("k")).rejects.toMatchObject({
      code: "STORE_DOWN",
      message: expect.stringContaining("no route to host"),
    });
    await wb.set("k", "v");
    expect(await wb.get("k")).toBe("v");
  });
});
