/**
 * A full disk, with the journal and the database on it: writes are refused, reads go on, and it goes on by itself when
 * there is room. On a small real file system where the machine lets one be mounted, and always on the simulated disk.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Dice } from "../simulator/host/random.js";
import { Machine } from "../simulator/machine.js";
import { Trace } from "../simulator/trace.js";
import { bytesOfText, type Bytes } from "../src/bytes.js";
import { RespClient } from "../src/cli/resp-client.js";
import type { WriteBehindError } from "../src/errors.js";
import type { Heart, Status } from "../src/heart.js";
import { DiskError, type Disk } from "../src/host/host.js";
import { systemDisk } from "../src/host/disk.js";
import { memoryStore } from "../src/index.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import { rest } from "../src/rest.js";
import { StoreError, type Store } from "../src/store/store.js";
import { openHeart } from "../src/write-behind.js";
import { ServerProcess } from "./crash/server-process.js";

const megabyte = 1024 * 1024;
const eventually = { timeout: 20_000, interval: 20 };

describe("a small real file system", () => {
  const mount = mkdtempSync(join(tmpdir(), "write-behind-full-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", mount], { encoding: "utf8" });
  const isMounted = mounted.status === 0;
  const why = isMounted
    ? ""
    : ` (skipped: no tmpfs could be mounted: ${mounted.error?.message ?? mounted.stderr.trim()})`;

  afterAll(() => {
    if (isMounted) spawnSync("umount", ["-l", mount]);
    rmSync(mount, { recursive: true, force: true });
  });

  function free(): number {
    const { bavail, bsize } = statfsSync(mount);
    return bavail * bsize;
  }

  /** Fills the disk to the last byte, as another program may; gives what makes room again. */
  function fillUp(): () => void {
    const file = join(mount, "ballast");
    writeFileSync(file, Buffer.alloc(0));
    for (const piece of [megabyte, 4096]) {
      while (free() >= piece) writeFileSync(file, Buffer.alloc(piece), { flag: "a" });
    }
    return () => rmSync(file);
  }

  test.skipIf(!isMounted)(`serve: refused with -WBDISK, read all the while, goes on by itself${why}`, async () => {
    const sizes = ["--segment-bytes", "1mb", "--disk-reserve", "4mb", "--retain-bytes", "1gb", "--wait-ms", "50"];
    const serve = (): ServerProcess =>
      new ServerProcess(["--data", join(mount, "data"), ...sizes, "--retry-max-ms", "100"]);
    let server = serve();
    try {
      expect(await server.ready(), server.errors).toBe(true);
      let client = await RespClient.open("127.0.0.1", server.port);
      const ask = async (...command: string[]): Promise<string> => {
        const reply = await client.send(command);
        return reply.type === "bulk" ? reply.bytes.toString() : "text" in reply ? reply.text : "";
      };
      const status = async (): Promise<Status> => (await server.ask("GET", "/api/status")) as Status;
      let [value, written] = ["", 0];
      const writeUntil = async (end: (reply: string) => boolean, most: number): Promise<string> => {
        for (let count = 0; ; count++) {
          value = `${++written} `.padEnd(100_000, "x");
          const reply = await ask("SET", `k${written % 4}`, value);
          if (end(reply) || count >= most) return reply;
        }
      };

      // The writer stands still, so the journal takes all there is; what SQLite needs to commit is left.
      await server.ask("POST", "/api/pause");
      const refused = await writeUntil((reply) => reply !== "OK", 1000);
      expect(refused).toMatch(
        /^WBDISK the disk has no room for another journal file beside the reserve of 4194304 bytes/,
      );
      expect(free()).toBeGreaterThan(3.5 * megabyte);
      expect(server.errors).toMatch(/the disk is full \(\d.* pending\): writes are refused until there is room/);
      const kept = `${written - 1} `.padEnd(100_000, "x");
      expect(await ask("GET", `k${(written - 1) % 4}`)).toBe(kept);

      // Once the writer goes on, committed log is given up, and there is room for writes.
      await server.ask("POST", "/api/resume");
      await expect.poll(() => ask("SET", "after", "1"), eventually).toBe("OK");

      // Now another program takes everything, the reserve too: not even SQLite can commit.
      const makeRoom = fillUp();
      const again = await writeUntil((reply) => reply !== "OK", 1000);
      expect(again).toMatch(/^WBDISK/);
      await expect.poll(async () => (await status()).store.state, eventually).toBe("down");
      expect((await status()).store.error ?? "").toMatch(/write-behind\.db .*full/);
      expect(await ask("GET", "after")).toBe("1");
      expect((await status()).queue.pendingChanges).toBeGreaterThan(0);
      client.close();

      // A start on a full disk serves what is there, too.
      expect(await server.end("SIGKILL")).toBeNull();
      server = serve();
      expect(await server.ready(), server.errors).toBe(true);
      client = await RespClient.open("127.0.0.1", server.port);
      expect(await ask("GET", "after")).toBe("1");
      expect(await writeUntil((reply) => reply !== "OK", 1000)).toMatch(/^WBDISK/);

      makeRoom();
      await expect.poll(() => ask("SET", "at last", "2"), eventually).toBe("OK");
      await server.ask("POST", "/api/flush");
      expect(await status()).toMatchObject({ state: "running", queue: { pendingChanges: 0 }, store: { state: "up" } });
      client.close();
      expect(await server.end("SIGTERM"), server.errors).toBe(0);
    } finally {
      await server.end("SIGKILL");
      rmSync(join(mount, "data"), { recursive: true, force: true });
    }
  });

  test.skipIf(!isMounted)(`a write that finds room for a part of it is short first, and full then${why}`, async () => {
    const makeRoom = fillUp();
    makeRoom();
    writeFileSync(join(mount, "ballast"), Buffer.alloc(free() - 64 * 1024));
    const file = await systemDisk().open(join(mount, "short"), { write: true, create: true, dsync: true });
    await expect(file.write(Buffer.alloc(megabyte, 7), 0, megabyte, 0)).rejects.toMatchObject({
      kind: "full",
      code: "ENOSPC",
      message: expect.stringMatching(/^writing \S+ at [1-9]\d*: /) as string,
    });
    expect(await file.size()).toBeGreaterThan(0);
    await file.close();
  });

  test.skipIf(!isMounted)(`a start on a full disk says so, and changes nothing${why}`, async () => {
    rmSync(join(mount, "short"), { force: true });
    const makeRoom = fillUp();
    const server = new ServerProcess(["--data", join(mount, "other"), "--segment-bytes", "1mb"]);
    expect(await server.ready()).toBe(false);
    expect(server.ended).toBe("code 1, signal null");
    expect(server.errors).toMatch(/no room|no space left|disk is full/i);
    expect(server.errors).toMatch(/"hint":"free disk space/);
    expect(server.errors).not.toMatch(/\n {4}at /);
    makeRoom();
  });
});

/** A store whose rows lie on the same disk: a commit needs room, as SQLite's does. */
function storeOn(disk: Disk, path: string): Store {
  const inner = memoryStore();
  let size = 0;
  return {
    kind: inner.kind,
    place: inner.place,
    limits: inner.limits,
    open: (claim) => inner.open(claim),
    commit: async (batch) => {
      const bytes = 100 + 1000 * batch.rows.size;
      const file = await disk.open(path, { write: true, create: false, dsync: false });
      try {
        await file.write(Buffer.alloc(bytes), 0, bytes, size);
      } catch (error) {
        if (!(error instanceof DiskError && error.kind === "full")) throw error;
        throw new StoreError("retryable", "the disk is full", error);
      } finally {
        await file.close();
      }
      size += bytes;
      await inner.commit(batch);
    },
    read: (records) => inner.read(records),
    scan: (after, limit, nowMs) => inner.scan(after, limit, nowMs),
    close: () => inner.close(),
  };
}

test.each([1, 2, 3, 4, 5])("the simulated disk, seed %d: refused, read, committed, goes on by itself", async (seed) => {
  const machine = new Machine(new Dice(seed), new Trace(false));
  const { disk, loop } = machine;
  const { host } = machine.start();
  const [segmentBytes, diskReserve] = [16 * 1024, 50_000];
  disk.temper.capacityBytes = 300_000;
  const newest = new Map<Bytes, Bytes>();
  let written = 0;
  let over = false;
  const done = live().finally(() => (over = true));
  await loop.run(() => over);
  await done;

  async function live(): Promise<void> {
    await host.disk.makeFolder("data");
    await (await host.disk.open("data/rows", { write: true, create: true, dsync: false })).close();
    const options = resolveEngineOptions({
      data: "data",
      delayMs: 0,
      waitMs: 50,
      queueBytes: "1gb",
      retainBytes: "1gb",
    });
    const engine = { ...options, segmentBytes, diskReserve };
    const heart = await openHeart({ host, store: storeOn(host.disk, "data/rows"), options: engine });
    const free = (): number => disk.temper.capacityBytes - disk.usedBytes();

    await heart.pause();
    const first = await writeUntilRefused(heart);
    expect(first.error).toMatchObject({ code: "DISK_FULL", hint: "free disk space; the queue goes on by itself" });
    expect(first.taken).toBeGreaterThan(100);
    expect(free()).toBeGreaterThanOrEqual(diskReserve);
    await readsTheNewest(heart);

    // The reserve is what the commit needs; then retained log makes room for writes, and nobody waits for a person.
    await heart.resume();
    await heart.flush();
    expect(
      (await heart.execute((work) => work.setString(bytesOfText("again"), bytesOfText("1")))).frame,
    ).toBeGreaterThan(0);

    // Another program takes all of it: nothing can be committed, nothing more is taken, all can be read.
    disk.temper.capacityBytes = disk.usedBytes();
    const second = await writeUntilRefused(heart);
    expect(second.error.code).toBe("DISK_FULL");
    const accepted = heart.accepted;
    await wait(2000);
    expect(heart.status().store.state).toBe("down");
    expect(heart.stored).toBeLessThan(accepted);
    await readsTheNewest(heart);

    disk.temper.capacityBytes = 600_000;
    await heart.flush();
    await wait(2000);
    expect((await writeOne(heart, 1)) > accepted).toBe(true);
    await heart.flush();
    expect(await heart.close()).toMatchObject({ drained: true });
  }

  function wait(ms: number): Promise<void> {
    return rest(host.clock, ms);
  }

  async function writeOne(heart: Heart, number: number): Promise<number> {
    const value = bytesOfText(`${++written} `.padEnd(1000, "x"));
    const key = bytesOfText(`k${number % 20}`);
    const { frame } = await heart.execute((work) => work.setString(key, value));
    newest.set(key, value);
    return frame;
  }

  async function writeUntilRefused(
    heart: Heart,
  ): Promise<{ readonly error: WriteBehindError; readonly taken: number }> {
    for (let taken = 0; ; taken++) {
      try {
        await writeOne(heart, taken + 1);
      } catch (error) {
        return { error: error as WriteBehindError, taken };
      }
    }
  }

  async function readsTheNewest(heart: Heart): Promise<void> {
    for (const [key, value] of newest) {
      expect((await heart.view((work) => work.getString(key))).value).toBe(value);
    }
  }
});
