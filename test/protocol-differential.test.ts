/** Streams that no client would send, to this server and to redis-server: the same bytes come back, then the end. */
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Mutations } from "./mutations.js";
import { startRedis, type RunningServer } from "./servers.js";
import { command, serve } from "./server-setup.js";
import { describeWith } from "./with-programs.js";

const rounds = Number(process.env["DIFFERENTIAL_RUNS"] ?? 1500);

/**
 * Everything that comes back on a connection of its own, up to its end. Null where the system has cut it because pieces
 * came after the end: what was answered before may be lost then.
 */
function answers(port: number, pieces: readonly string[]): Promise<string | null> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  let text: string | null = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => (text = null));
  for (const piece of pieces) socket.write(piece, "latin1");
  socket.end();
  return new Promise((resolve) => {
    socket.on("close", () => resolve(text));
  });
}

/** What differs and is meant to: a browser is hung up on by both, only Redis says nothing in its own words. */
function isComparable(stream: string): boolean {
  return !/post|host:/i.test(stream);
}

describeWith(["redis-server"], "the same bytes as redis-server", () => {
  let open: RunningServer;
  let closed: RunningServer;
  beforeAll(async () => {
    [open, closed] = await Promise.all([
      startRedis(["--proto-max-bulk-len", "128mb"]),
      startRedis(["--requirepass", "secret"]),
    ]);
  });
  afterAll(() => Promise.all([open.stop(), closed.stop()]));

  async function compare(ours: number, theirs: number, seed: number, before = ""): Promise<void> {
    const mutations = new Mutations(seed);
    for (let round = 0; round < rounds; round++) {
      const stream = before + mutations.stream();
      if (!isComparable(stream)) continue;
      const pieces = mutations.pieces(stream);
      let [mine, redis] = await Promise.all([answers(ours, pieces), answers(theirs, pieces)]);
      if (mine === null || redis === null)
        [mine, redis] = await Promise.all([answers(ours, [stream]), answers(theirs, [stream])]);
      expect(mine, `round ${round}: ${JSON.stringify(stream)}`).toBe(redis);
    }
  }

  test("from a client that is trusted", { timeout: 120_000 }, async () => {
    const { port } = await serve();
    await compare(port, open.port, 1);
  });

  test("from a stranger", { timeout: 120_000 }, async () => {
    const { port } = await serve({ password: "secret" });
    await compare(port, closed.port, 2);
  });

  test("from one that has logged in", { timeout: 120_000 }, async () => {
    const { port } = await serve({ password: "secret" });
    await compare(port, closed.port, 3, command("AUTH", "secret"));
  });
});
