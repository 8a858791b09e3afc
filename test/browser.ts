/**
 * A real browser for tests of pages: one for each group, a fresh page for each test. A test fails where its page
 * complains: an error on the console, one that nobody caught, anything that the Content-Security-Policy stopped. What
 * serves the page comes from elsewhere: the real `serve` from serve-machine.ts.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import axe, { type AxeResults } from "axe-core";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { program } from "./servers.js";
import { describeWith } from "./with-programs.js";

/** How long a page may take for what it does at once. */
const patienceMs = 30_000;
const pictures = fileURLToPath(new URL("../../docs/pictures/", import.meta.url));
const pictureSize = { width: 1280, height: 800 };
/** Pictures lie in the repository for ever; more than this is said. */
const pictureBytesMax = 120_000;

/** How a page is shown, where not as usual: 1280 by 800, light. */
export interface PageLook {
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: "light" | "dark";
  readonly reducedMotion?: "reduce" | "no-preference";
  /** Complaints that this test means to provoke: those that match are let pass, and each has to come. */
  readonly expected?: readonly RegExp[];
}

/** Gives a test's body: work on a page of its own. */
export type OnPage = (work: (page: Page) => Promise<void>, look?: PageLook) => () => Promise<void>;

/**
 * A group of tests with a browser of its own. It is skipped where there is none, and says how to get one; with CI=true
 * it fails instead.
 */
export function describeBrowser(name: string, body: (onPage: OnPage) => void): void {
  describeWith(["chromium-headless-shell"], name, () => {
    let browser: Browser | null = null;
    beforeAll(async () => {
      const { path, env } = program("chromium-headless-shell");
      const variables = Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
      browser = await chromium.launch({
        executablePath: path,
        args: ["--no-sandbox"],
        env: Object.fromEntries(variables) as Record<string, string>,
      });
    });
    afterAll(() => browser?.close());
    body((work, look) => () => onPage(browser as Browser, work, look));
  });
}

async function onPage(browser: Browser, work: (page: Page) => Promise<void>, look: PageLook = {}): Promise<void> {
  const { expected = [], ...shown } = look;
  const options: BrowserContextOptions = { viewport: pictureSize, colorScheme: "light", locale: "en-GB", ...shown };
  const context = await browser.newContext({ ...options, timezoneId: "UTC" });
  context.setDefaultTimeout(patienceMs);
  const complaints: string[] = [];
  try {
    await context.exposeFunction("codeStopped", (text: string) => complaints.push(text));
    await context.addInitScript(tellOfCode);
    context.on("page", (each) => listen(each, complaints));
    const page = await context.newPage();
    await work(page);
  } catch (error) {
    if (complaints.length === 0) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\nThe page complained:\n${complaints.join("\n")}`, { cause: error });
  } finally {
    await context.close();
  }
  const unexpected = complaints.filter((text) => !expected.some((pattern) => pattern.test(text)));
  if (unexpected.length > 0) throw new Error(`The page complained:\n${unexpected.join("\n")}`);
  const missed = expected.filter((pattern) => !complaints.some((text) => pattern.test(text)));
  if (missed.length > 0) throw new Error(`The page did not complain of ${missed.join(", ")}`);
}

/**
 * What a Content-Security-Policy stops, the browser says on the console, as an error; but not code made of text, where
 * the page catches what was thrown: of that only an event tells.
 */
const tellOfCode = `addEventListener("securitypolicyviolation", (event) => {
  const where = " (" + event.sourceFile + ":" + event.lineNumber + ")";
  if (/^(eval|wasm-eval|trusted-types)/.test(event.blockedURI))
    codeStopped("Content Security Policy: " + event.violatedDirective + " stopped " + event.blockedURI + where);
});`;

function listen(page: Page, complaints: string[]): void {
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const { url, lineNumber } = message.location();
    complaints.push(`${message.text()} (${url}:${lineNumber + 1})`);
  });
  page.on("pageerror", (error) => complaints.push(`not caught: ${error.stack ?? error.message}`));
  page.on("crash", () => complaints.push("the page crashed"));
}

/** Which of axe-core's rules: those that colours matter to, the others, or all. */
export type Rules = "all" | "colours" | "all but colours";

const chosenRules: Record<Rules, object> = {
  all: {},
  colours: { runOnly: ["color-contrast", "link-in-text-block"] },
  "all but colours": { rules: { "color-contrast": { enabled: false }, "link-in-text-block": { enabled: false } } },
};

/**
 * What axe-core finds wrong with the page as it stands: one line for each element, with the rule, its weight, the
 * element and what would mend it.
 */
export async function accessibilityViolations(page: Page, rules: Rules = "all"): Promise<string[]> {
  // Code that comes by the debugger's protocol is not the page's: its policy does not stop it.
  if (await page.evaluate(`typeof axe === "undefined"`)) await page.evaluate(`${axe.source}; undefined`);
  const options = JSON.stringify({ resultTypes: ["violations"], ...chosenRules[rules] });
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${options})`);
  return violations.flatMap(({ id, impact, nodes }) =>
    nodes.map(({ target, failureSummary }) => {
      const mend = (failureSummary ?? "").replace(/\s+/g, " ");
      return `${id} (${impact ?? "unknown"}): ${target.flat().join(" ")}: ${mend}`;
    }),
  );
}

/**
 * Writes docs/pictures/NAME-light.png and NAME-dark.png of the page as it stands, 1280 by 800, at rest: no animation is
 * under way and no caret blinks. Only with UPDATE_PICTURES=1. The page stays at that size.
 */
export async function takePictures(page: Page, name: string, folder: string = pictures): Promise<void> {
  if (process.env["UPDATE_PICTURES"] !== "1") return;
  mkdirSync(folder, { recursive: true });
  await page.setViewportSize(pictureSize);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    // Two frames later the page has drawn what it draws because of the new size or colours.
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    const png = await page.screenshot({ type: "png", scale: "css", animations: "disabled", caret: "hide" });
    if (png.length > pictureBytesMax)
      process.stderr.write(`${name}-${colorScheme}.png is large: ${png.length} bytes\n`);
    writeFileSync(join(folder, `${name}-${colorScheme}.png`), png);
  }
  await page.emulateMedia({ colorScheme: null });
}
