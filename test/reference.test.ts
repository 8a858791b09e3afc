/** The pages of docs/reference that are made from tables. UPDATE_DOCS=1 writes them anew. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cliPage, errorsPage, metricsPage, optionsPage } from "./reference.js";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../../docs/reference");

test.each([
  ["options.md", optionsPage],
  ["cli.md", cliPage],
  ["errors.md", errorsPage],
  ["metrics.md", metricsPage],
])("%s is what the tables say", (name, page) => {
  const path = join(folder, name);
  if (process.env["UPDATE_DOCS"] === "1") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, page());
  }
  expect(readFileSync(path, "utf8")).toBe(page());
});
