/** What tests of pages stand on: a page's complaints are heard, and axe-core runs under a strict policy. */
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { accessibilityViolations, describeBrowser, takePictures } from "./browser.js";
import { inFolder } from "./cli-process.js";
import { findProgram } from "./servers.js";

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'";
const style = ":root { color-scheme: light dark; background: Canvas; color: CanvasText }";
const files: Readonly<Record<string, readonly [type: string, text: string]>> = {
  "/good": ["text/html", html("<h1>Good</h1><p>Fine ✓ 🙂</p>")],
  "/console": ["text/html", html(`<script src="console.js"></script>`)],
  "/console.js": ["text/javascript", `console.warn("only a warning"); console.error("a planted error");`],
  "/thrown": ["text/html", html(`<script src="thrown.js"></script>`)],
  "/thrown.js": ["text/javascript", `Promise.reject(new Error("nobody catches me"));`],
  "/inline-script": ["text/html", html("<script>document.title = 'ran';</script>")],
  "/inline-style": ["text/html", html(`<p style="color: red">Red?</p>`)],
  "/eval": ["text/html", html(`<script src="eval.js"></script>`)],
  "/eval.js": ["text/javascript", `try { new Function("return 1")(); } catch {}`],
  "/missing": ["text/html", html(`<img src="absent.png" alt="Absent">`)],
  "/no-label": ["text/html", html("<h1>Bad</h1><button></button><input type=text>")],
  "/style.css": ["text/css", style],
};

function html(body: string): string {
  const head = `<meta charset="utf-8"><title>Kit</title><link rel="stylesheet" href="style.css">`;
  return `<!doctype html><html lang="en"><head>${head}</head><body><main>${body}</main></body></html>`;
}

describeBrowser("the kit for tests of pages", (onPage) => {
  let server: Server;
  let base = "";

  beforeAll(async () => {
    server = createServer((request, response) => {
      const [type, text] = files[request.url ?? ""] ?? [null, "absent"];
      if (type === null) response.statusCode = 404;
      else response.setHeader("content-type", type);
      response.setHeader("content-security-policy", policy).end(text);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());
  afterEach(() => vi.unstubAllEnvs());

  /** A test's body on one of the pages. */
  const at = (path: string): (() => Promise<void>) =>
    onPage(async (page) => {
      await page.goto(`${base}/${path}`);
    });

  test("a page without fault passes", at("good"));

  test.each([
    ["an error on the console", "console", /a planted error \(.*console\.js:1\)/],
    ["an error that nobody catches", "thrown", /not caught: .*nobody catches me/],
    ["a script that the policy stops", "inline-script", /script.*Content Security Policy directive/],
    ["a style that the policy stops", "inline-style", /style.*Content Security Policy directive/],
    [
      "code made of text, which the policy stops",
      "eval",
      /Content Security Policy: script-src stopped eval \(.*eval\.js:1\)/,
    ],
    ["a file that is not there", "missing", /404/],
  ])("%s fails the test", async (_, path, complaint) => {
    await expect(at(path)()).rejects.toThrow(complaint);
  });

  test("a warning is no complaint, and is not in what is said", async () => {
    await expect(at("console")()).rejects.not.toThrow(/only a warning/);
  });

  test(
    "a complaint that is expected passes",
    onPage(
      async (page) => {
        await page.goto(`${base}/console`);
      },
      { expected: [/a planted error/] },
    ),
  );

  test("a complaint that is expected and does not come fails the test", async () => {
    const body = onPage((page) => page.goto(`${base}/good`).then(() => undefined), { expected: [/never said/] });
    await expect(body()).rejects.toThrow(/never said/);
  });

  test("a failure of the test itself says what the page complained of", async () => {
    const body = onPage(async (page) => {
      await page.goto(`${base}/console`);
      throw new Error("the test's own");
    });
    await expect(body()).rejects.toThrow(/the test's own\nThe page complained:\na planted error/);
  });

  test(
    "axe-core runs under a strict policy and finds nothing on a good page",
    onPage(async (page) => {
      await page.goto(`${base}/good`);
      expect(await accessibilityViolations(page)).toEqual([]);
    }),
  );

  test(
    "axe-core finds a button and a field without a name, each in one line",
    onPage(async (page) => {
      await page.goto(`${base}/no-label`);
      expect(await accessibilityViolations(page)).toEqual([
        expect.stringMatching(/^button-name \(critical\): button: Fix any of the following: /) as string,
        expect.stringMatching(/^label \(critical\): input: Fix any of the following: /) as string,
      ]);
    }),
  );

  test(
    "viewport and colour scheme are what was asked for",
    onPage(
      async (page) => {
        await page.goto(`${base}/good`);
        const asked = "[innerWidth, innerHeight, matchMedia('(prefers-color-scheme: dark)').matches]";
        expect(await page.evaluate(asked)).toEqual([390, 700, true]);
      },
      { viewport: { width: 390, height: 700 }, colorScheme: "dark" },
    ),
  );

  test(
    "pictures are written only when asked for: PNGs of one size, light and dark, whatever the page was shown like",
    onPage(
      (page) =>
        inFolder(async (folder) => {
          await page.goto(`${base}/good`);
          vi.stubEnv("UPDATE_PICTURES", "");
          await takePictures(page, "good", folder);
          expect(readdirSync(folder)).toEqual([]);
          vi.stubEnv("UPDATE_PICTURES", "1");
          await takePictures(page, "good", folder);
          expect(readdirSync(folder).sort()).toEqual(["good-dark.png", "good-light.png"]);
          const [dark, light] = ["dark", "light"].map((scheme) => readFileSync(join(folder, `good-${scheme}.png`)));
          for (const png of [dark, light]) {
            expect(png?.subarray(1, 4).toString()).toBe("PNG");
            expect([png?.readUInt32BE(16), png?.readUInt32BE(20)]).toEqual([1280, 800]);
          }
          expect(dark).not.toEqual(light);
        }),
      { viewport: { width: 390, height: 700 } },
    ),
  );

  // A browser of the machine's own has the machine's own fonts.
  test.runIf(findProgram("chromium-headless-shell")?.env["FONTCONFIG_FILE"])(
    "the fonts that come with the browser have letters, signs and emoji",
    onPage(async (page) => {
      await page.goto(`${base}/good`);
      const drawn = async (text: string): Promise<string> => {
        await page.evaluate(`document.querySelector("p").textContent = ${JSON.stringify(text)}`);
        return (await page.screenshot()).toString("base64");
      };
      // What no font has is drawn as the same empty box.
      const drawings = new Set<string>();
      for (const text of ["a", "ж", "✓", "→", "●", "🙂", "🚀"]) drawings.add(await drawn(text));
      expect(drawings.size).toBe(7);
    }),
  );
});
