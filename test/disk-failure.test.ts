/** A disk that fails under a server and under a library: who waits is told, what was answered is there again. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { RespClient } from "../src/cli/resp-client.js";
import type { RespReply } from "../src/cli/resp-reply.js";
import { DiskError, type Disk, type DiskFile } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { memoryStore } from "../src/index.js";
import { inFolder, run } from "./cli-process.js";
import { ServerProcess } from "./crash/server-process.js";
import { engineKit } from "./engine-kit.js";
import { faultyDisk, marker, type Fault } from "./faulty-disk.js";

const entry = fileURLToPath(new URL("faulty-serve.js", import.meta.url));

const faults: readonly (readonly [Fault, "disk" | "os"])[] = [
  ["EIO", "disk"],
  ["ENOSPC", "disk"],
  ["half", "disk"],
  ["EIO", "os"],
  ["sync", "os"],
];

function textOf(reply: RespReply): string | null {
  if (reply.type === "bulk") return reply.bytes.toString();
  return "text" in reply ? reply.text : null;
}

describe("serve", () => {
  test.each(faults)(
    "%s at level %s: it says so, answers UNKNOWN, ends with 1; the next start has all",
    (fault, level) =>
      inFolder(async (folder) => {
        const data = join(folder, "data");
        const flags = ["--data", data, "--durability", level, "--delay", "1h", "--segment-bytes", "1mb"];
        const server = new ServerProcess(flags, { entry, variables: { FAULT: fault } });
        try {
          expect(await server.ready(), server.errors).toBe(true);
          const [writer, reader] = [
            await RespClient.open("127.0.0.1", server.port),
            await RespClient.open("127.0.0.1", server.port),
          ];
          for (let i = 0; i < 20; i++) expect(textOf(await writer.send(["SET", `k${i}`, `v${i}`]))).toBe("OK");
          const last = writer.send(["SET", "last", marker]).then(textOf);
          // A sync at level os comes with the run that the writer takes.
          if (fault === "sync") {
            expect(await last).toBe("OK");
            await expect(server.ask("POST", "/api/flush")).rejects.toThrow(/JOURNAL_FAILED|fetch failed/);
          } else {
            expect(await last).toMatch(
              /^ERR the journal failed before the change was known to be kept: .*: E(IO|NOSPC)/,
            );
          }
          await server.exited;
          expect(server.ended).toBe("code 1, signal null");
          expect(server.errors).toContain("the journal has failed, the server ends: the journal in");
          expect(server.errors).toMatch(/look after the disk, then start again/);
          expect(server.errors).not.toMatch(/\n {4}at /);
          for (const client of [writer, reader]) client.close();
        } finally {
          await server.end("SIGKILL");
        }
        // What was not answered may be there or not; it can be opened at once, and says no more of damage.
        expect(await run(["check", "--data", data])).toMatchObject({ code: 0 });
        const next = new ServerProcess(["--data", data]);
        try {
          expect(await next.ready(), next.errors).toBe(true);
          const client = await RespClient.open("127.0.0.1", next.port);
          for (let i = 0; i < 20; i++) expect(textOf(await client.send(["GET", `k${i}`]))).toBe(`v${i}`);
          expect([marker, null]).toContain(textOf(await client.send(["GET", "last"])));
          if (fault === "sync") expect(textOf(await client.send(["GET", "last"]))).toBe(marker);
          client.close();
        } finally {
          expect(await next.end("SIGTERM")).toBe(0);
        }
      }),
  );
});

const kit = engineKit();

describe("library", () => {
  const { start, folder } = kit;

  test.each(faults)(
    "%s at level %s: UNKNOWN for who waits, JOURNAL_FAILED for who comes later",
    async (fault, level) => {
      const host = { ...nodeHost(), disk: faultyDisk(nodeHost().disk, fault) };
      const data = folder();
      const wb = await start(memoryStore(), { data, durability: level, delayMs: 3_600_000 }, host);
      await wb.set("before", "v");
      const written = wb.set("k", marker);
      if (fault === "sync") {
        await written;
        await expect(wb.flush()).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
      } else await expect(written).rejects.toMatchObject({ code: "UNKNOWN" });
      const refused = { code: "JOURNAL_FAILED", hint: "start again; what was answered is in the journal" };
      await expect(wb.set("later", "v")).rejects.toMatchObject(refused);
      await expect(wb.get("before")).rejects.toMatchObject(refused);
      await expect(wb.flush()).rejects.toMatchObject(refused);
      expect(wb.status()).toMatchObject({ state: "broken" });
      const { drained, leftIn } = await wb.close();
      expect(drained).toBe(false);
      expect(leftIn).toContain("the journal failed");
      const again = await start(memoryStore(), { data });
      expect(await again.get("before")).toBe("v");
    },
  );
});

test("the journal cannot be read: the writer names the file and what the disk says, and blames no database", async () => {
  const { start } = kit;
  const host = nodeHost();
  let failing = false;
  const unreadable = (file: DiskFile, path: string): DiskFile => ({
    read: (...args) =>
      failing ? Promise.reject(new DiskError("failed", "EIO", `reading ${path}: EIO`)) : file.read(...args),
    write: (...args) => file.write(...args),
    sync: () => file.sync(),
    size: () => file.size(),
    close: () => file.close(),
  });
  const { disk } = host;
  const open: Disk["open"] = async (path, mode) => unreadable(await disk.open(path, mode), path);
  const wb = await start(memoryStore(), { retryMinMs: 1, retryMaxMs: 10 }, { ...host, disk: { ...disk, open } });
  await wb.set("k", "before");
  await wb.flush();
  const said: string[] = [];
  for (const name of ["storeDown", "storeUp", "retry"] as const) wb.on(name, () => said.push(name));
  wb.on("warning", ({ text }) => said.push(text));
  const stalled = new Promise<string>((resolve) => wb.on("stalled", ({ reason }) => resolve(reason)));
  failing = true;
  await wb.set("k", "after");
  const reason = await stalled;
  expect(reason).toMatch(/could not read the journal: reading .*\.journal: EIO; look after the disk/);
  expect(wb.status()).toMatchObject({ state: "broken", reason, store: { state: "up", error: null } });
  await expect(wb.step()).rejects.toMatchObject({ code: "JOURNAL_FAILED" });
  failing = false;
  await wb.flush();
  expect(wb.status()).toMatchObject({ state: "running", queue: { pendingChanges: 0 }, store: { state: "up" } });
  expect(said).toEqual(["the writer can read the journal again, and goes on"]);
});
