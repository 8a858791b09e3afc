/** Whoever waits gets an answer, whatever is going on meanwhile: closing, a failed journal, a store that is silent. */
import { execFile } from "node:child_process";
import { getEventListeners } from "node:events";
import { rmSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { DiskError, type Host } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { memoryStore } from "../src/index.js";
import { readMs } from "../src/heart/loads.js";
import { silentMs } from "../src/heart/writer-side.js";
import { StoreError, type Store } from "../src/store/store.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();

/** A store in memory in which some of the verbs are others. */
function storeWith(other: Partial<Store>): Store {
  const inner = memoryStore();
  return {
    kind: inner.kind,
    place: inner.place,
    limits: inner.limits,
    open: (claim) => inner.open(claim),
    commit: (batch) => inner.commit(batch),
    read: (records) => inner.read(records),
    scan: (after, limit, nowMs) => inner.scan(after, limit, nowMs),
    close: () => inner.close(),
    ...other,
  };
}

/** A disk whose writes to journal files fail once `fails` is called. */
function failingHost(): { readonly host: Host; fails(): void } {
  const host = nodeHost();
  let failing = false;
  const disk: Host["disk"] = {
    ...host.disk,
    open: async (path, mode) => {
      const file = await host.disk.open(path, mode);
      return {
        read: (...args) => file.read(...args),
        write: async (...args) => {
          if (failing) throw new DiskError("failed", "EIO", "the disk is gone");
          return file.write(...args);
        },
        sync: () => file.sync(),
        size: () => file.size(),
        close: () => file.close(),
      };
    },
  };
  return { host: { ...host, disk }, fails: () => void (failing = true) };
}

test("stored() after closing says where the change is, and does not wait for ever", async () => {
  const wb = await start(memoryStore());
  await wb.pause();
  const receipt = await wb.set("k", "v");
  await wb.close();
  await expect(receipt.stored()).rejects.toMatchObject({ code: "CLOSED" });
});

test("a journal that fails ends the waits for the database, too: nothing will bring them", async () => {
  const { host, fails } = failingHost();
  const committing = storeWith({ commit: () => Promise.reject(new StoreError("retryable", "away")) });
  const wb = await start(committing, { retryMinMs: 1, retryMaxMs: 5 }, host);
  const receipt = await wb.set("k", "v");
  const stored = receipt.stored();
  const flushed = wb.flush();
  fails();
  await expect(wb.set("k", "w")).rejects.toMatchObject({ code: "UNKNOWN" });
  await expect(stored).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
  await expect(flushed).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
  await expect(receipt.stored()).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
  const { drained, leftIn } = await wb.close();
  // Promise 9: the second change was answered with UNKNOWN, and nobody can say that it is in the journal.
  expect(drained).toBe(false);
  expect(leftIn).toContain("the journal failed");
});

test("a folder that was deleted is not where anything is safe", async () => {
  const data = folder();
  const wb = await start(memoryStore(), { data });
  await wb.pause();
  await wb.set("k", "v");
  rmSync(data, { recursive: true });
  const { drained, leftIn } = await wb.close();
  expect(drained).toBe(false);
  expect(leftIn).toContain("not there any more");
});

test("whoever waits for a store that is silent is told CLOSED when the instance closes", async () => {
  let asked = (): void => {};
  const reading = new Promise<void>((resolve) => (asked = resolve));
  const silent = storeWith({
    read: () => {
      asked();
      return new Promise(() => {});
    },
  });
  const wb = await start(silent);
  const count = wb.increment("k");
  await reading;
  const [, report] = await Promise.all([expect(count).rejects.toMatchObject({ code: "CLOSED" }), wb.close()]);
  expect(report.drained).toBe(true);
});

test("a signal that has aborted before a load ends the call, and the load's failure hurts nobody", async () => {
  const wb = await start(storeWith({ read: () => Promise.reject(new StoreError("retryable", "away")) }));
  await expect(wb.get("k", { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  await expect(wb.get("k")).rejects.toMatchObject({ code: "STORE_DOWN" });
});

test("waits leave nothing behind on a signal that lives on", async () => {
  const { signal } = new AbortController();
  const wb = await start(memoryStore());
  const receipt = await wb.set("k", "v", { signal });
  await receipt.stored({ signal });
  await receipt.stored({ signal });
  await wb.flush({ signal });
  expect(await wb.get("other", { signal })).toBeNull();
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("pausing and resuming at once: the last word holds, and the folder remembers it", async () => {
  const data = folder();
  const host = nodeHost();
  const disk: Host["disk"] = {
    ...host.disk,
    open: async (path, mode) => {
      // Slower than what removes a file.
      if (path.endsWith("paused")) for (let turn = 0; turn < 20; turn++) await host.disk.list(data);
      return host.disk.open(path, mode);
    },
  };
  const wb = await start(memoryStore(), { data }, { ...host, disk });
  await Promise.all([wb.pause(), wb.resume()]);
  expect(wb.status().state).toBe("running");
  await Promise.all([wb.resume(), wb.pause()]);
  expect(wb.status().state).toBe("paused");
  await Promise.all([wb.pause(), wb.resume()]);
  await wb.close();
  expect((await start(memoryStore(), { data })).status().state).toBe("running");
});

test("a process that closes with a database that is away stays until it has the report", async () => {
  const index = new URL("../src/index.js", import.meta.url).href;
  const program = `
    import { memoryStore, writeBehind } from ${JSON.stringify(index)};
    const store = memoryStore();
    store.commit = async () => { throw Object.assign(new Error("away"), { name: "StoreError", kind: "retryable" }); };
    const wb = await writeBehind({ data: ${JSON.stringify(folder())}, store });
    await wb.set("k", "v");
    console.log(JSON.stringify(await wb.close({ deadlineMs: 200 })));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  expect(JSON.parse(stdout)).toMatchObject({ drained: false, pendingChanges: 1 });
});

test("a time to live that ends beyond what a number holds exactly is refused, not written", async () => {
  const wb = await start(memoryStore());
  await expect(wb.set("k", "v", { ttlMs: Number.MAX_SAFE_INTEGER })).rejects.toMatchObject({ code: "BAD_VALUE" });
  await wb.set("k", "v");
  await expect(wb.expire("k", Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({ code: "BAD_VALUE" });
  expect(wb.heart.status().queue.pendingChanges).toBeLessThanOrEqual(1);
  expect(await wb.getBytes("k")).toEqual(Buffer.from("v"));
});

test("a database that is silent at the start does not keep what is pending from being served", async () => {
  const data = folder();
  const first = await start(memoryStore(), { data });
  await first.pause();
  await first.set("k", "v");
  await first.close();
  // The wait for the database's first word, which is all that a start waits for, is over at once.
  const host = nodeHost();
  const clock: Host["clock"] = {
    ...host.clock,
    after: (delayMs, call, keepsAlive) => host.clock.after(delayMs === silentMs ? 0 : delayMs, call, keepsAlive),
  };
  const wb = await start(storeWith({ open: () => new Promise(() => {}) }), { data }, { ...host, clock });
  expect(await wb.get("k")).toBe("v");
});

test("a database that is silent to a read: the read ends, and a later one may succeed", async () => {
  const host = nodeHost();
  // The wait for a silent database is over at once.
  const clock: Host["clock"] = {
    ...host.clock,
    after: (delayMs, call, keepsAlive) => host.clock.after(delayMs === readMs ? 0 : delayMs, call, keepsAlive),
  };
  let silent = true;
  const read: Store["read"] = (records) =>
    silent ? new Promise(() => {}) : Promise.resolve(records.map(() => ({ content: "v" as Bytes, expiresAt: null })));
  const wb = await start(storeWith({ read }), {}, { ...host, clock });
  await expect(wb.get("k")).rejects.toMatchObject({
    code: "STORE_DOWN",
    message: expect.stringContaining("it has said nothing for 30 s") as string,
  });
  silent = false;
  expect(await wb.get("k")).toBe("v");
});
