/** The admin page among enemies: hostile keys and values, foreign pages, false names, too many records. */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { Status } from "../src/heart.js";
import { describeBrowser } from "./browser.js";
import {
  becomes,
  button,
  cellsOf,
  headline,
  notAnswered,
  onServer,
  openView,
  press,
  says,
  sendAll,
} from "./page-kit.js";
import { send } from "./serve-machine.js";

const binary = Buffer.from([0xff]);
const long = "<b>2 MB</b>!".padEnd(1 << 20, "💾");

/** Keys with values of their own; each would do harm where it is not taken as text. */
const hostile: readonly (readonly [key: string | Buffer, value: string | Buffer])[] = [
  ['<img src=x onerror="window.hostile=1">', "<script>window.hostile=2</script>"],
  ['"><svg onload=window.hostile=3>', "</td></table><b>out</b><!--"],
  ["javascript:window.hostile=4", "&lt;i&gt; &amp; {{7*7}} ${7*7}"],
  ["'; DROP TABLE write_behind_kv; --", "\\' \\\" ` %00 %3Cb%3E"],
  ["?key=a&key=b#/queue%2F+ /..", "a+b c%20d"],
  ["__proto__", "constructor"],
  ["👩‍👩‍👧‍👦🔥", "é é \u{1d11e}"],
  ["\u202eright to left\u202c مرحبا", "\u2066\u200b\ufeff"],
  ["bell\u0007 escape\u001b[31m nul\u0000 end", "line\nline\r\n\ttab\u2028"],
  [binary, Buffer.from([0, 1, 2, 0xfe, 0xff])],
  // The same text, and another key.
  [`base64 ${binary.toString("base64")}`, "no bytes"],
  ["two megabytes", long],
];

/** Bytes as the page puts them. */
function shown(bytes: string | Buffer): string {
  if (typeof bytes !== "string") return `base64 ${bytes.toString("base64")}`;
  if (bytes.length <= 1000) return bytes;
  return `${bytes.slice(0, 1000)}… (${(Buffer.byteLength(bytes) / (1 << 20)).toFixed(1)} MB)`;
}

/** Nothing has run, and nothing has become markup. */
async function expectHarmless(page: Page): Promise<void> {
  expect(await page.evaluate("window.hostile ?? null")).toBeNull();
  expect(await page.locator("main :is(img, script, iframe, i, b, svg[onload])").count()).toBe(0);
}

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** A request with whatever headers: `fetch` sets Host by itself. */
async function ask(url: string, headers: Record<string, string>, body: string | null = null): Promise<Answered> {
  const asked = request(url, { method: body === null ? "GET" : "POST", headers });
  asked.end(body ?? "");
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  let text = "";
  for await (const piece of response) text += String(piece);
  return { status: response.statusCode ?? 0, text };
}

describeBrowser("the page among enemies", (onPage) => {
  test.concurrent(
    "hostile keys and values are text in every view, and every key leads to its record",
    onServer(
      onPage,
      ["--delay", "0", "--retry-min-ms", "1h", "--retry-max-ms", "1h"],
      async ({ page, server, machine }) => {
        machine.open().exec("CREATE UNIQUE INDEX one_of_each ON write_behind_kv (value)");
        // Later the hostile ones are refused, because others have their values.
        await sendAll(
          server,
          hostile.map(([, value], index) => ["SET", `plain:${index}`, value]),
        );
        await server.ask("POST", "/api/flush");
        await server.ask("POST", "/api/pause");
        await sendAll(
          server,
          hostile.map(([key, value]) => ["SET", key, value]),
        );
        await openView(page, server, "queue");
        const expected = hostile.map(([key, value]) => [shown(key), `replace ${shown(value)} `]);
        await becomes(
          async () => (await cellsOf(page, "Pending changes")).map((cells) => [cells[2], cells[3]]),
          expected,
        );
        await expectHarmless(page);
        await page.getByLabel("by record").check();
        await becomes(
          async () => (await cellsOf(page, "Records of the changes shown")).map((cells) => [cells[0], cells[4]]),
          expected,
        );
        for (const [index, [key]] of hostile.entries()) {
          const links = page.getByRole("table").locator("a");
          await links.nth(index).click();
          const record = page.getByRole("region", { name: "Where the key leads" });
          await becomes(() => record.locator(".bytes").first().textContent(), shown(key));
          await says(page.locator(".side", { hasText: "In the database" }), "nothing");
          expect(await page.locator(".side", { hasText: "In the queue" }).locator(".tag").count()).toBe(1);
          await expectHarmless(page);
          await page.goBack();
          await page.getByLabel("by record").check();
          await links.nth(index).waitFor();
        }
        await server.ask("POST", "/api/resume");
        await openView(page, server, "letters");
        const letters = page.getByRole("article");
        await becomes(() => letters.count(), hostile.length);
        const told = async (): Promise<(string | null)[]> =>
          Promise.all((await letters.all()).map((each) => each.locator("li").first().textContent()));
        await becomes(
          told,
          hostile.map(([key, value]) => `${shown(key)}replace ${shown(value)} `),
        );
        await expectHarmless(page);
        await openView(page, server, "console");
        for (const [key] of hostile.slice(0, 3)) {
          const text = JSON.stringify(key);
          await page.getByLabel("Command").fill(`SET ${text} ${text}`);
          await page.keyboard.press("Enter");
          await page.getByLabel("Command").fill(`GET ${text}`);
          await button(page, "Send").click();
          await says(page.getByRole("log"), text);
        }
        await page.getByLabel("Command").fill("GET plain:11");
        await page.keyboard.press("Enter");
        await becomes(() => page.getByRole("log").locator("pre").count(), 7);
        await expectHarmless(page);
        await openView(page, server, "walkthrough");
        await press(page, "Your own");
        await says(page, "Engine started, background process stands still");
        const text = JSON.stringify(hostile[0]?.[0]);
        await page.getByLabel("Command").fill(`SET ${text} ${text}`);
        await page.keyboard.press("Enter");
        await says(page.getByRole("table"), `{${text}: ${text}}`);
        await expectHarmless(page);
        await page.locator("nav a[aria-current]").focus();
        await page.keyboard.press("1");
        // A record that was written anew has left what was refused behind.
        await becomes(
          () => headline(page).locator("p").first().innerText(),
          expect.stringMatching(/^The database refuses 9 dead letters/),
        );
      },
    ),
  );

  test.concurrent(
    "a page of another origin can neither read nor write nor frame",
    onServer(
      onPage,
      [],
      async ({ page, server }) => {
        const enemy = createServer((_, response) => {
          response.setHeader("content-type", "text/html");
          response.end(`<!doctype html><title>Enemy</title><iframe src="${server.admin}/"></iframe>`);
        }).listen(0, "127.0.0.1");
        await once(enemy, "listening");
        try {
          await page.goto(`http://127.0.0.1:${(enemy.address() as AddressInfo).port}/`);
          const body = JSON.stringify({ args: ["SET", "stolen", "1"] });
          const tried = (init: object): Promise<string> =>
            page.evaluate(
              `fetch(${JSON.stringify(`${server.admin}/api/command`)}, ${JSON.stringify({ method: "POST", body, ...init })})
                .then(async (answer) => answer.type + (await answer.text()), () => "refused")`,
            );
          expect(await tried({ headers: { "content-type": "application/json" } })).toBe("refused");
          expect(await tried({})).toBe("refused");
          // This one is sent, and its answer kept from the page: the server must refuse it.
          expect(await tried({ mode: "no-cors" })).toBe("opaque");
          const read = `fetch(${JSON.stringify(`${server.admin}/api/status`)}).then(() => "read", () => "refused")`;
          expect(await page.evaluate(read)).toBe("refused");
          const streamed = `new Promise((done) => {
            const source = new EventSource(${JSON.stringify(`${server.admin}/api/events`)});
            source.onopen = () => done("open");
            source.onerror = () => done("refused");
          })`;
          expect(await page.evaluate(streamed)).toBe("refused");
          await becomes(
            async () => page.frames().map((frame) => frame.url().slice(0, 15)),
            ["http://127.0.0.", "chrome-error://"],
          );
          expect(await send(server, ["EXISTS", "stolen"])).toEqual(["0"]);
          const json = { "content-type": "application/json" };
          for (const origin of ["http://127.0.0.1:1", "https://evil.example", "null"]) {
            expect(await ask(`${server.admin}/api/command`, { ...json, origin }, body)).toMatchObject({ status: 403 });
            expect(await ask(`${server.admin}/api/status`, { origin })).toMatchObject({ status: 403 });
          }
          expect(await send(server, ["EXISTS", "stolen"])).toEqual(["0"]);
        } finally {
          enemy.close();
        }
      },
      { expected: [notAnswered, /CORS policy/, /frame-ancestors/] },
    ),
  );

  test.concurrent(
    "a name that was rebound to this machine gets neither the page nor the API",
    onServer(
      onPage,
      [],
      async ({ page, server }) => {
        // Chromium leads every name under localhost to this machine: to the server it is a name like any other.
        const { port } = new URL(server.admin);
        const answer = await page.goto(`http://evil.localhost:${port}/`);
        expect(answer?.status()).toBe(403);
        expect(await page.locator("body").innerText()).toContain("is not this server");
        const read = `fetch("/api/status").then(async (answer) => answer.status + (await answer.text()))`;
        expect(await page.evaluate(read)).toMatch(/^403.*FORBIDDEN/);
        const script = /src="([^"]+\.js)"/.exec((await ask(server.admin, {})).text)?.[1];
        for (const path of ["/", `/${script?.replace(/^\.?\//, "")}`, "/api/status", "/api/events", "/metrics"]) {
          expect(await ask(`${server.admin}${path}`, { host: `evil.example:${port}` }), path).toMatchObject({
            status: 403,
          });
        }
      },
      { expected: [notAnswered] },
    ),
  );

  test.concurrent(
    "the policy lets the page load its own files only, and says so on each of them",
    onServer(
      onPage,
      [],
      async ({ page, server }) => {
        const answer = await page.goto(`${server.admin}/`);
        const policy = answer?.headers()["content-security-policy"] ?? "";
        expect(policy).toContain("default-src 'none'");
        expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
        expect(answer?.headers()["x-content-type-options"]).toBe("nosniff");
        await says(headline(page), "All is well: the database has everything.");
        await page.evaluate(`(() => {
          const script = document.createElement("script");
          script.textContent = "window.hostile = 5";
          document.body.append(script);
          const image = document.createElement("img");
          image.src = "http://evil.example/pixel.png";
          document.body.append(image);
        })()`);
        expect(await page.evaluate("window.hostile ?? null")).toBeNull();
      },
      { expected: [/inline script.*Content Security Policy/i, /image.*Content Security Policy/i] },
    ),
  );

  test.concurrent(
    "100,000 pending records: Now and Queue answer as if there were few",
    onServer(onPage, ["--durability", "os"], async ({ page, server }) => {
      await server.ask("POST", "/api/pause");
      await openView(page, server, "now");
      await says(headline(page), "0 changes waiting.");
      /** From a press to what it shows, there and back. */
      const walk = async (queue: string): Promise<number> => {
        const began = performance.now();
        await page.keyboard.press("2");
        await says(page, queue);
        await page.keyboard.press("1");
        await headline(page).waitFor();
        return performance.now() - began;
      };
      const few = await walk("Nothing is pending");
      const total = 100_000;
      function* many(from: number, to: number): Generator<string[]> {
        for (let index = from; index < to; index += 1) yield ["SET", `user:${index}`, `value ${index}`];
      }
      for (let from = 0; from < total; from += 10_000) await sendAll(server, many(from, from + 10_000));
      await says(headline(page), "100,000 changes waiting.");
      expect(((await server.ask("GET", "/api/status")) as Status).queue.pendingRecords).toBe(total);
      expect(await walk("100,000 changes of 100,000 records pending")).toBeLessThan(10 * few + 5000);
      await page.keyboard.press("2");
      await says(page, "the oldest 100 of 100,000");
      await page.getByLabel("by record").check();
      for (let pages = 2; pages <= 10; pages += 1) {
        await press(page, "Show more");
        await says(page, `the oldest ${(pages * 100).toLocaleString("en-US")} of 100,000`);
      }
      expect(await button(page, "Show more").isDisabled()).toBe(true);
      await press(page, "Step one run");
      await says(page, /^20,000 changes became 20,000 rows, committed in/);
      await says(page, "80,000 changes of 80,000 records pending");
    }),
  );
});

test("the page is at most 150 KB gzipped", () => {
  const folder = fileURLToPath(new URL("../src/dashboard/assets/", import.meta.url));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile() && !each.name.endsWith(".gz"))
    .map((each) => join(each.parentPath, each.name));
  expect(new Set(files.map((file) => extname(file)))).toEqual(new Set([".css", ".html", ".js", ".svg"]));
  const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
  expect(bytes).toBeLessThan(150 * 1024);
});
