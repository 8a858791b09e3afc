/** A refused frame of nearly any size is parked, and read again: JSON of it as one text would fit into no string. */
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { expect, test } from "vitest";
import { sqlite } from "../src/index.js";
import { engineKit } from "./engine-kit.js";

const { folder, start } = engineKit();
const mb = 1024 * 1024;

test("ninety megabytes of control characters, with a real file", { timeout: 60_000 }, async () => {
  const data = folder();
  const file = join(data, "app.db");
  const options = { data, durability: "os", cacheBytes: 64 * mb, retryMinMs: 3_600_000, retryMaxMs: 3_600_000 };
  const wb = await start(sqlite({ file }), options);
  const database = new DatabaseSync(file, { timeout: 10_000 });
  database.exec(`CREATE TRIGGER no_control BEFORE INSERT ON write_behind_field WHEN substr(NEW.value, 1, 1) = char(1)
    BEGIN SELECT RAISE(ABORT, 'no control characters'); END;`);
  const value = "\x01".repeat(9 * mb);
  const refused = await wb.hash("h").set(Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`f${n}`, value])));
  await expect(refused.stored()).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining("no control characters") as string,
  });
  await (await wb.set("other", "1")).stored();
  expect(await wb.close()).toMatchObject({ drained: true, deadLetters: 1 });

  const again = await start(sqlite({ file }), options);
  expect((await again.hash("h").get("f7")) === value).toBe(true);
  await again.delete("h");
  await again.flush();
  await again.discardDeadLetters("all", { behind: true });
  expect(database.prepare("SELECT count(*) AS n FROM write_behind_dead_letters").get()).toEqual({ n: 0 });
  database.close();
});
