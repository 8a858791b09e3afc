import { defineConfig } from "vitest/config";

// Tests run from the compiled tree, so that threads and child processes load what a user loads.
export default defineConfig({
  test: {
    include: ["dist/test/**/*.test.js"],
    // Many tests wait for servers and processes: three files at a time keep two processors busy.
    maxWorkers: 3,
    // Of one file: what runs side by side has a server and a page of its own.
    maxConcurrency: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "./scripts/counts.mjs"],
  },
});
