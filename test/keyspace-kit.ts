/** Asking a server for all of its keys, in every way there is. */
import type { Redis } from "ioredis";
import { expect } from "vitest";

/** Every key that SCAN gives, from the first page to the last, as it comes. */
export async function scanned(client: Redis, ...options: (string | number)[]): Promise<string[]> {
  const found: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = (await client.call("SCAN", cursor, ...options)) as [string, string[]];
    found.push(...keys);
    cursor = next;
  } while (cursor !== "0");
  return found;
}

/** The same with all ways of asking: they agree. */
export async function allKeys(client: Redis): Promise<string[]> {
  const found = (await client.keys("*")).toSorted();
  expect((await scanned(client)).toSorted()).toEqual(found);
  expect((await scanned(client, "COUNT", 1)).toSorted()).toEqual(found);
  expect(await client.dbsize()).toBe(found.length);
  const any = await client.randomkey();
  if (found.length === 0) expect(any).toBeNull();
  else expect(found).toContain(any);
  return found;
}
