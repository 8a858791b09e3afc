/**
 * `node dist/test/fuzz-main.js --seconds S --seed S`: broken streams against the parser in this process, and against a
 * real server beside a client that must be answered. Each round has a seed of its own; one that fails is repeated by
 * the command that is printed.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RespClient } from "../src/cli/resp-client.js";
import { ServerProcess } from "./crash/server-process.js";
import { fuzzParser, fuzzServer } from "./fuzz.js";
import { Mutations } from "./mutations.js";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "30" }, seed: { type: "string", default: "1" } },
});
const seconds = Number(values.seconds);
const first = Number(values.seed);
/** Streams of one round, to the parser and to the server. */
const ofParser = 5000;
const ofServer = 200;
/** How much more memory the server may take than after its first rounds, in pages of 4 KB: 200 MB. */
const pagesMax = 50_000;
const answeredMs = 10_000;

function residentPages(pid: number): number {
  return process.platform === "linux" ? Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) : 0;
}

/** Asks as long as `isOver` says no; every answer must come in time, and be right. */
async function beServed(port: number, isOver: () => boolean): Promise<number> {
  const client = await RespClient.open("127.0.0.1", port);
  let served = 0;
  while (!isOver()) {
    const late = AbortSignal.timeout(answeredMs);
    const tooLate = new Promise<never>((_, reject) => {
      late.addEventListener("abort", () => reject(new Error(`no answer within ${answeredMs} ms`)));
    });
    const value = `value ${served}`;
    await Promise.race([client.send(["SET", "fuzz:own", value]), tooLate]);
    const reply = await Promise.race([client.send(["GET", "fuzz:own"]), tooLate]);
    if (reply.type !== "bulk" || reply.bytes.toString() !== value) throw new Error("another value than was written");
    served++;
  }
  client.close();
  return served;
}

async function round(server: ServerProcess, seed: number): Promise<number> {
  fuzzParser(seed, ofParser);
  const mutations = [seed, seed + 0.5].map((each) => new Mutations(Math.floor(each * 2)));
  let isOver = false;
  const attack = Promise.all(mutations.map((each) => fuzzServer(server.port, each, ofServer)));
  const over = attack.finally(() => (isOver = true));
  const [served] = await Promise.all([beServed(server.port, () => isOver), over]);
  if (server.ended !== null) throw new Error(`the server ended: ${server.ended}\n${server.errors}`);
  if (server.errors.includes("must not")) throw new Error(server.errors);
  return served;
}

const folder = mkdtempSync(join(tmpdir(), "write-behind-fuzz-"));
const server = new ServerProcess(["--data", join(folder, "data"), "--durability", "os"]);
let rounds = 0;
let served = 0;
try {
  if (!(await server.ready())) throw new Error(`the server did not start: ${server.errors}`);
  const began = performance.now();
  let pages = 0;
  do {
    served += await round(server, first + rounds);
    rounds++;
    if (rounds === 3) pages = residentPages(server.pid);
    if (pages > 0 && residentPages(server.pid) > pages + pagesMax) throw new Error("the server's memory grows");
  } while (performance.now() - began < seconds * 1000);
} catch (error) {
  console.error(`${String(error)}\nagain: node dist/test/fuzz-main.js --seconds 1 --seed ${first + rounds}`);
  process.exitCode = 1;
} finally {
  await server.end("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  `${rounds * ofParser} streams for the parser, ${rounds * ofServer * 2} for a server that answered ${served} others`,
);
