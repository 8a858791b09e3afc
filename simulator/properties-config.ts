/** How vitest runs a round of properties: as always, but with the seed of the round. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["dist/test/**/*.test.js"],
    setupFiles: ["dist/simulator/properties-seed.js"],
    testTimeout: 600_000,
  },
});
