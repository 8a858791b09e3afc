/**
 * Two clients whose commands are interleaved in a generated order, on this server and on a real redis-server: every
 * reply is the same bytes. What one client's commands mean for another's transaction shows only so.
 */
import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { RespReader } from "../src/cli/resp-reply.js";
import { command, serveEngine, testFolder } from "./server-setup.js";
import { startRedis, type RunningServer } from "./servers.js";
import { sessionCommands } from "./pipelines-session.js";
import { describeWith } from "./with-programs.js";

/** A client that says one thing at a time. */
class Talker {
  readonly #socket: Socket;
  #reader = new RespReader();
  #received = "";
  #answered: (() => void) | null = null;

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (piece: Buffer) => {
      this.#received += piece.toString("latin1");
      if (this.#reader.push(piece).length > 0) this.#answered?.();
    });
    onTestFinished(() => void this.#socket.destroy());
  }

  /** The bytes of the reply. */
  async ask(args: readonly string[]): Promise<string> {
    this.#received = "";
    const answered = new Promise<void>((resolve) => (this.#answered = resolve));
    this.#socket.write(command(...args), "latin1");
    await answered;
    return this.#received;
  }
}

type Said = readonly [client: 0 | 1, args: readonly string[]];

/** The version and the id that HELLO says are each server's own. */
function comparable(reply: string): string {
  return reply.replaceAll(/\$\d\r\n7\.\d\.\d+\r\n/g, "VERSION\r\n").replaceAll(/\$2\r\nid\r\n:\d+/g, "id");
}

/**
 * FLUSHALL and FLUSHDB are a frame of their own, refused inside MULTI, and HELLO inside it makes redis-server change
 * the protocol in the middle of a reply: they are said outside.
 */
function outsideMulti(dialogue: readonly Said[]): Said[] {
  return dialogue.flatMap(([who, args]): Said[] =>
    /^(?:FLUSH|HELLO)/.test(args[0] as string)
      ? [
          [who, ["DISCARD"]],
          [who, args],
        ]
      : [[who, args]],
  );
}

async function replies(clients: readonly Talker[], dialogue: readonly Said[]): Promise<string[]> {
  const heard: string[] = [];
  for (const client of clients) await client.ask(["RESET"]);
  await clients[0]?.ask(["FLUSHALL"]);
  for (const [who, args] of dialogue) {
    const reply = await (clients[who] as Talker).ask(args);
    heard.push(`${who} ${args.join(" ")} => ${comparable(reply)}`);
  }
  return heard;
}

describeWith(["redis-server"], "two clients that take turns hear what redis-server says", () => {
  let redis: RunningServer;
  beforeAll(async () => {
    redis = await startRedis(["--databases", "1"]);
  });
  afterAll(() => redis.stop());

  const rounds = Number(process.env["DIFFERENTIAL_RUNS"] ?? 300);
  test("WATCH, MULTI, EXEC, DISCARD, RESET and what is in between", { timeout: 240_000 }, async () => {
    const { port, stop } = await serveEngine(testFolder(), { durability: "os" });
    const [ours, theirs] = [port, redis.port].map((one) => [new Talker(one), new Talker(one)]);
    const said = fc.tuple(fc.constantFrom<0 | 1>(0, 1), sessionCommands);
    const dialogues = fc.array(said, { minLength: 3, maxLength: 40 }).map(outsideMulti);
    const check = fc.asyncProperty(dialogues, async (dialogue) => {
      const [mine, other] = await Promise.all([
        replies(ours as Talker[], dialogue),
        replies(theirs as Talker[], dialogue),
      ]);
      expect(mine).toEqual(other);
    });
    await fc.assert(check, { numRuns: rounds });
    await stop();
  });
});
