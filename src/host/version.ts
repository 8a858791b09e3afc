/** The version of this package. */
import { readFileSync } from "node:fs";

/** From package.json, which ships beside dist/. */
export function version(): string {
  const json = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return json.version;
}
