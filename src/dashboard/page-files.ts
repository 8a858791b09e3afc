/**
 * Serves the page's own files: what vite has built of page/ into dist. They hold no data and no secret, so they are
 * given without the token; the page asks for it then.
 */
import { fileURLToPath } from "node:url";
import { serveStatic } from "@hono/node-server/serve-static";
import type { Hono } from "hono";

const folder = fileURLToPath(new URL("assets/", import.meta.url));

/** Nothing from elsewhere, nothing inline, in nobody's frame: https://www.w3.org/TR/CSP3/ */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const headers: Readonly<Record<string, string>> = {
  "Content-Security-Policy": contentSecurityPolicy,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
};

/** Whether a path is one of the page's files. */
export function isOfPage(path: string): boolean {
  return path === "/" || path.startsWith("/assets/");
}

/** Adds the page to an app. The names of its scripts and styles carry their content's hash, so they may be kept. */
export function addPage(app: Hono): void {
  const file = serveStatic({ root: folder, precompressed: true });
  app.on(["GET", "HEAD"], ["/", "/assets/*"], async (context, next) => {
    const answer = await file(context, next);
    if (!(answer instanceof Response)) return answer;
    for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
    answer.headers.set("Cache-Control", context.req.path === "/" ? "no-cache" : "max-age=31536000, immutable");
    return answer;
  });
}
