/** For tests of the admin page: a real server and a real page on it, asked for what people see. */
import type { Locator, Page } from "playwright-core";
import { expect, vi } from "vitest";
import { RespClient } from "../src/cli/resp-client.js";
import type { OnPage, PageLook } from "./browser.js";
import type { ServerProcess } from "./crash/server-process.js";
import { eventually, onMachine, type Machine } from "./serve-machine.js";

/** What Chromium says of a request that had no answer, or one that says no. */
export const notAnswered = /Failed to load resource|net::ERR_/;

const patienceMs = 30_000;

/** A page, and the server that it is of. */
export interface Served {
  readonly page: Page;
  readonly server: ServerProcess;
  readonly machine: Machine;
}

/** A test's body: a server with these flags, and an empty page, which goes before the server does. */
export function onServer(
  onPage: OnPage,
  flags: readonly string[],
  work: (served: Served) => Promise<void>,
  look?: PageLook,
): () => Promise<void> {
  return onMachine(async (machine) => {
    const server = await machine.serve(...flags);
    await onPage((page) => work({ page, server, machine }), look)();
  });
}

/** Opens a view; what stands behind the # is its address. */
export async function openView(page: Page, server: ServerProcess, address: string): Promise<void> {
  await page.goto(`${server.admin}/#/${address}`);
  await page.getByRole("navigation", { name: "Views" }).waitFor();
}

/** The first thing on the screen. */
export function headline(page: Page): Locator {
  return page.getByRole("region", { name: "How it goes" });
}

/** The state in the corner. */
export function pill(page: Page): Locator {
  return page.locator("header .pill");
}

/** Waits until what is asked gives this. Tests that run side by side cannot use `expect.poll`: it belongs to one test. */
export async function becomes<T>(ask: () => Promise<T>, expected: unknown): Promise<void> {
  await vi.waitFor(async () => expect(await ask()).toEqual(expected), { ...eventually, timeout: patienceMs });
}

/** A button by its whole name. */
export function button(page: Page, name: string): Locator {
  return page.getByRole("button", { name, exact: true });
}

/** Presses it once it can be pressed. */
export async function press(page: Page, name: string): Promise<void> {
  await button(page, name).click();
}

/** Waits for text; only what is shown counts. */
export async function says(within: Page | Locator, text: string | RegExp): Promise<void> {
  await within.getByText(text).filter({ visible: true }).first().waitFor();
}

/** The big number of a station of the road. */
export async function bigNumber(page: Page, station: string): Promise<number> {
  const text = await page.locator(".station", { hasText: station }).locator(".big").innerText();
  return Number(text.replaceAll(",", ""));
}

/** The cells of a table's body, as they stand there. */
export async function cellsOf(page: Page, caption: string): Promise<string[][]> {
  const table = page.getByRole("table", { name: caption });
  // Of tables within cells only the text counts.
  const rows = await table.locator("> tbody > tr").all();
  return Promise.all(rows.map((row) => row.locator("> td").allTextContents()));
}

/** Sends many commands on one connection and waits for all replies. */
export async function sendAll(server: ServerProcess, commands: Iterable<readonly (string | Buffer)[]>): Promise<void> {
  const client = await RespClient.open("127.0.0.1", server.port);
  try {
    const waiting: Promise<{ readonly type: string }>[] = [];
    for (const command of commands) waiting.push(client.send(command));
    for (const reply of await Promise.all(waiting)) {
      if (reply.type === "error") throw new Error(`refused: ${JSON.stringify(reply)}`);
    }
  } finally {
    client.close();
  }
}
