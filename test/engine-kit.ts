/** Whole engines over any store, for tests: each in a folder of its own, closed and removed after the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { Host } from "../src/host/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { WriteBehind } from "../src/library/library.js";
import { resolveEngineOptions } from "../src/options-resolve.js";
import type { Store, StoreDescriptor } from "../src/store/store.js";
import { openHeart } from "../src/write-behind.js";

/** What a test file uses. */
export interface EngineKit {
  /** A new, empty folder. */
  folder(): string;
  /** Opens an engine; without `data` in a folder of its own, without `delayMs` writing at once. */
  start(store: Store | StoreDescriptor, options?: Record<string, unknown>, host?: Host): Promise<WriteBehind>;
}

/** The kit of one test file. */
export function engineKit(): EngineKit {
  const folders: string[] = [];
  const open: WriteBehind[] = [];
  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), "write-behind-engine-"));
    folders.push(made);
    return made;
  };
  afterEach(async () => {
    for (const wb of open.splice(0)) await wb.close({ deadlineMs: 0 });
    for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
  });
  return {
    folder,
    async start(store, options = {}, host = nodeHost()) {
      const resolved = resolveEngineOptions({ data: folder(), delayMs: 0, ...options });
      const wb = new WriteBehind(await openHeart({ host, store, options: resolved }));
      open.push(wb);
      return wb;
    },
  };
}
