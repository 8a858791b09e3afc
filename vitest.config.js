import { defineConfig } from "vitest/config";

// Tests run from the compiled tree, so that threads and child processes load what a user loads.
export default defineConfig({
  test: {
    include: ["dist/test/**/*.test.js"],
    // By itself vitest leaves one of two processors alone.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "./scripts/counts.mjs"],
  },
});
