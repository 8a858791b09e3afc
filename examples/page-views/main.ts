/** A web server that counts its page views in a table of its own. README.md in this folder says how to run it. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { collection, writeBehind } from "write-behind";
import { redis } from "write-behind/redis";
import { openDatabase } from "./database.js";

/** A row of the table. */
interface PageView {
  readonly path: string;
  readonly views: number;
}

/** The key `page:/about` is the row of `page_views` with the path `/about`. */
const pageViews = collection("page:{path}", { table: "page_views" }).typed<PageView>();

const { values: flags } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite:page-views.db" },
    data: { type: "string", default: "page-views-data" },
    cache: { type: "string" },
    port: { type: "string", default: "8080" },
  },
});

const wb = await writeBehind({
  data: flags.data,
  // With a Redis any number of these servers count together.
  cache: flags.cache === undefined ? undefined : redis(flags.cache),
  store: await openDatabase(flags.store),
  routes: [pageViews],
});
const views = wb.collection(pageViews);

const server = createServer((request, response) => {
  // A colon ends a part of a key, so a path must not have one.
  const path = new URL(request.url ?? "/", "http://localhost").pathname.replaceAll(":", "%3A");
  // Answered when the new count is on the disk of this machine. The database has it a moment later.
  views.increment({ path }, "views").then(
    (count) => response.end(`${path} was viewed ${count} times\n`),
    (error: unknown) => {
      process.stderr.write(`${path}: ${String(error)}\n`);
      response.writeHead(503).end("not counted\n");
    },
  );
});
server.listen(Number(flags.port), "127.0.0.1");
await once(server, "listening");
process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);

await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
server.close();
server.closeIdleConnections();
await once(server, "close");
const { drained } = await wb.close();
process.stdout.write(drained ? "every view is in the database\n" : "the rest is in the journal, for the next start\n");
