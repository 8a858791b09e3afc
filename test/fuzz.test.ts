import { expect, test } from "vitest";
import { bytesOfText } from "../src/bytes.js";
import { fuzzParser, fuzzServer, parsed } from "./fuzz.js";
import { Mutations } from "./mutations.js";
import { command, RawClient, serve, until } from "./server-setup.js";

test("100,000 broken streams, cut anywhere: no exception, no command without a name, nothing kept after an error", () => {
  expect(fuzzParser(1, 100_000)).toBeGreaterThan(1_000_000);
});

test("absurd lengths cost nothing before their bytes are there", () => {
  const parser = (stream: string): string => parsed([stream]);
  expect(parser("*2147483647\r\n$3\r\nfoo\r\n")).toBe("");
  expect(parser("*1000000\r\n".repeat(10))).toBe("Protocol error: expected '$', got '*'");
  expect(parser(`*2\r\n${"*1\r\n".repeat(1000)}`)).toBe("Protocol error: expected '$', got '*'");
  expect(parser(`*1000\r\n${"$0\r\n\r\n".repeat(200)}`)).toBe("Protocol error: too big request");
});

test("beside them a client is served, and nobody is left in the end", { timeout: 60_000 }, async () => {
  const { heart, server, port, errors } = await serve({ allowFlush: true });
  heart.records.set(bytesOfText("kept"), { content: bytesOfText("x"), expiresAt: null });
  const client = new RawClient(port);
  const attack = Promise.all([1, 2, 3, 4].map((seed) => fuzzServer(port, new Mutations(seed), 500)));
  let isOver = false;
  const over = attack.finally(() => (isOver = true));
  let served = 0;
  while (!isOver) {
    client.send(command("GET", "kept"));
    await client.expect("$1\r\nx\r\n");
    served++;
  }
  await over;
  expect(served).toBeGreaterThan(10);
  await until(() => server.counters.clients === 1);
  expect(errors).toEqual([]);
});
