/** Keeps facts about the whole tree that no compiler and no linter keeps. Every finding is a line `file:line: what`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { cruise, type ICruiseOptions, type ICruiseResult, type IForbiddenRuleType } from "dependency-cruiser";
import { beforeAll, describe, expect, test } from "vitest";
import { optionTable } from "../src/options.js";
import { importRules } from "./import-rules.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const codeFolders = ["src", "contract", "simulator", "test", "bench", "examples"];
const skipped = new Set(["node_modules", "dist", ".git", "write-behind-data", ".mutants"]);
const lineLengthMax = 120;
const optionsMax = 40;

interface SourceFile {
  /** From the root of the project. */
  readonly path: string;
  readonly lines: readonly string[];
}

function filesBelow(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...filesBelow(path));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

const everyPath = filesBelow(root).map((path) => relative(root, path));

function read(select: (path: string) => boolean): SourceFile[] {
  return everyPath
    .filter((path) => select(path))
    .map((path) => ({ path, lines: readFileSync(join(root, path), "utf8").split("\n") }));
}

const isCode = (path: string): boolean =>
  /\.tsx?$/.test(path) && codeFolders.some((folder) => path.startsWith(`${folder}/`));
const code = read(isCode);
const product = code.filter(({ path }) => path.startsWith("src/"));
/** The page runs in a browser: it is built by another tool, and its world is another one. */
const isOfPage = (path: string): boolean => path.startsWith("src/dashboard/page/");
const inNode = product.filter(({ path }) => !isOfPage(path));

/** Every line of the files that matches, as findings. Comments are left out unless asked for. */
function findings(files: readonly SourceFile[], pattern: RegExp, what: string, comments = false): string[] {
  const found: string[] = [];
  for (const { path, lines } of files) {
    for (const [index, line] of (comments ? lines : withoutComments(lines)).entries()) {
      if (pattern.test(line)) found.push(`${path}:${index + 1}: ${what}: ${line.trim()}`);
    }
  }
  return found;
}

/** Good enough for formatted code: block comments start a line, line comments follow white space. */
function withoutComments(lines: readonly string[]): string[] {
  let inside = false;
  return lines.map((line) => {
    if (!inside && /^\s*\/\*/.test(line)) inside = true;
    const comment = inside;
    if (inside && line.includes("*/")) inside = false;
    return comment ? "" : line.replace(/(^|\s)\/\/.*$/, "");
  });
}

/** The line on which a file names another one. */
function lineOf(path: string, text: string): number {
  const file = code.find((each) => each.path === path);
  return 1 + Math.max(0, file?.lines.findIndex((line) => line.includes(text)) ?? 0);
}

function crawl(folders: readonly string[], forbidden: IForbiddenRuleType[]): Promise<ICruiseResult> {
  const options = {
    baseDir: root,
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: ["node_modules"] },
    exclude: { path: ["^dist/", "^bench/node_modules/", "^src/dashboard/page/"] },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types", "default"] },
    validate: true,
    ruleSet: { forbidden },
  } as const satisfies ICruiseOptions;
  return cruise([...folders], options as ICruiseOptions).then(({ output }) => output as ICruiseResult);
}

describe("imports", () => {
  let result: ICruiseResult;
  /** What a file needs at run time or to compile: its imports, and the modules it starts as threads. */
  const needs = new Map<string, Set<string>>();

  beforeAll(async () => {
    result = await crawl(codeFolders, importRules);
    for (const module of result.modules) {
      needs.set(module.source, new Set(module.dependencies.map((dependency) => dependency.resolved)));
    }
    for (const { path, lines } of code) {
      for (const line of lines) {
        const started = /new URL\("(\.[^"]+)\.js", import\.meta\.url\)/.exec(line)?.[1];
        if (started !== undefined) needs.get(path)?.add(join(dirname(path), `${started}.ts`));
      }
    }
  });

  test("the checker saw every file: beside some compilers it sees none and says nothing", () => {
    const seen = new Set(result.modules.map((module) => module.source));
    const unseen = code.filter(({ path }) => !seen.has(path) && !isOfPage(path));
    expect(unseen.map(({ path }) => path)).toEqual([]);
    const imports = result.modules.reduce((sum, module) => sum + module.dependencies.length, 0);
    expect(imports).toBeGreaterThan(code.length);
  });

  test("the checker would see a forbidden import", async () => {
    const canary = {
      name: "canary",
      severity: "error",
      from: { path: "^src/change\\.ts$" },
      to: { path: "^src/bytes" },
    } as const;
    expect((await crawl(["src"], [canary])).summary.violations).toHaveLength(1);
  });

  test("everybody imports only what ARCHITECTURE.md allows", () => {
    const found = result.summary.violations.map(({ from, to, rule }) => {
      const name = to.split("/").at(-1)?.replace(/\.ts$/, "") ?? to;
      return `${from}:${lineOf(from, name)}: imports ${to}, but ${rule.name}`;
    });
    expect(found).toEqual([]);
  });

  test("the page takes nothing of the engine with it but types, and how amounts and lessons are drawn", () => {
    const sources = product.filter(({ path }) => isOfPage(path));
    expect(sources.length).toBeGreaterThan(10);
    const lesson = String.raw`(\.\./)+(amounts|lesson/(tables|cells))\.js`;
    const found = sources.flatMap((file) => {
      const own = file.path.includes("/views/") ? String.raw`\.\.?/[a-z-]+\.js` : String.raw`\./[a-z/-]+\.js`;
      const allowed = `${own}|${lesson}|preact(/hooks)?|@preact/signals|uplot`;
      const pattern = new RegExp(`^(import|export) (?!type ).*from "(?!(${allowed})")`);
      return findings([file], pattern, "would bring the engine into the page");
    });
    expect(found).toEqual([]);
  });

  test("the pieces of the heart are given concrete parts: they import neither classes nor what makes them", () => {
    const sources = product.filter(({ path }) => path.startsWith("src/heart/"));
    const made = String.raw`(?<!\btype )\b([A-Z]|(load|node|open|start|system)[A-Z])\w*`;
    const places = String.raw`\.\./(cache|queue/journal|writer|store/(?!store\.js)|host/(?!host\.js))`;
    expect(findings(sources, new RegExp(`^import \\{.*${made}.*\\} from "${places}`), "makes parts itself")).toEqual(
      [],
    );
  });

  test("no dead files: every file of the product is reached from an export, the program or a thread", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      bin: Record<string, string>;
      exports: Record<string, string | { default: string }>;
    };
    const built = [...Object.values(manifest.bin), ...Object.values(manifest.exports)]
      .map((target) => (typeof target === "string" ? target : target.default))
      .filter((target) => target.endsWith(".js"));
    const waiting = built.map((target) =>
      target
        .replace(/^\.\//, "")
        .replace(/^dist\//, "")
        .replace(/\.js$/, ".ts"),
    );
    const reached = new Set<string>();
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (reached.has(path)) continue;
      reached.add(path);
      waiting.push(...(needs.get(path) ?? []));
    }
    expect(
      inNode.filter(({ path }) => !reached.has(path)).map(({ path }) => `${path}:1: nobody uses this file`),
    ).toEqual([]);
  });
});

describe("code", () => {
  test("no module state: nothing at the top level of a file can change", () => {
    const sources = code.filter(({ path }) => /^(src|contract|simulator)\//.test(path));
    const variables = findings(sources, /^(export )?(let|var) /, "changes at the top level");
    const collections = findings(
      sources,
      /^(export )?const \w+ = (new (Map|Set|WeakMap|WeakSet)\b.*\(\);|\[\];|\{\};)/,
      "an empty collection at the top level is there to be changed",
    );
    expect([...variables, ...collections]).toEqual([]);
  });

  test("time, dice and the process are asked for through host/ only", () => {
    const sources = inNode.filter(({ path }) => !/^src\/(host|store\/[^/]+|cli)\//.test(path));
    const pattern =
      /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|set(Timeout|Interval|Immediate)\(|process\.[a-z])/;
    expect(findings(sources, pattern, "goes around host/")).toEqual([]);
  });

  test("every file of the product says first what it is", () => {
    const found = product.filter(
      ({ lines }) => lines.find((line) => !line.startsWith("#!"))?.startsWith("/**") !== true,
    );
    expect(found.map(({ path }) => `${path}:1: does not start with a /** comment */`)).toEqual([]);
  });

  test("every exported name of the product is documented", () => {
    const found = product.flatMap(({ path, lines }) =>
      lines.flatMap((line, index) => {
        const name = /^export (?:async )?(?:function|class|const|interface|type) (\w+)/.exec(line)?.[1];
        const documented = lines[index - 1]?.endsWith("*/") === true;
        return name === undefined || documented ? [] : [`${path}:${index + 1}: ${name} has no comment`];
      }),
    );
    expect(found).toEqual([]);
  });

  test(`no line is longer than ${lineLengthMax} characters, texts for people left out`, () => {
    const found = code.flatMap(({ path, lines }) =>
      lines.flatMap((line, index) => {
        const length = line.replaceAll(/"[^"]*"|`[^`]*`/g, '""').length;
        return length > lineLengthMax ? [`${path}:${index + 1}: ${length} characters`] : [];
      }),
    );
    expect(found).toEqual([]);
  });

  test("no test is the only one that runs", () => {
    expect(findings(code, /\b(test|it|describe)\.only\b/, "hides all other tests")).toEqual([]);
  });

  test(`at most ${optionsMax} options`, () => {
    expect(Object.keys(optionTable).length).toBeLessThanOrEqual(optionsMax);
  });
});

describe("documents", () => {
  const documents = read((path) => path.endsWith(".md"));

  test("links lead to files and headings that exist", () => {
    const found: string[] = [];
    for (const document of documents) {
      for (const [index, line] of document.lines.entries()) {
        for (const match of line.matchAll(/\]\(([^)\s]+)\)/g)) {
          const problem = brokenLink(document, match[1] as string);
          if (problem !== null) found.push(`${document.path}:${index + 1}: ${problem}`);
        }
      }
    }
    expect(found).toEqual([]);
  });

  /** What is wrong with a link, or null. Addresses in the web are not looked at. */
  function brokenLink(document: SourceFile, target: string): string | null {
    if (/^[a-z]+:/.test(target)) return null;
    const [file = "", heading] = target.split("#");
    const path = file === "" ? document.path : join(dirname(document.path), decodeURIComponent(file));
    if (!existsSync(join(root, path))) return `there is no ${path}`;
    if (heading === undefined || !path.endsWith(".md")) return null;
    const lines = documents.find((each) => each.path === path)?.lines ?? [];
    return headings(lines).includes(heading) ? null : `${path} has no heading #${heading}`;
  }

  function headings(lines: readonly string[]): string[] {
    return lines
      .filter((line) => /^#+ /.test(line))
      .map((line) =>
        line
          .replace(/^#+ /, "")
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
          .trim()
          .replaceAll(" ", "-"),
      );
  }

  test("one write as a chain of calls, in ARCHITECTURE.md: every function is in the file that is named", () => {
    const { lines } = documents.find(({ path }) => path === "ARCHITECTURE.md") as SourceFile;
    const first = lines.indexOf("| file | calls |") + 2;
    const rows = lines.slice(first, lines.indexOf("", first));
    const missing = rows.flatMap((row) => {
      const files = [...row.matchAll(/\]\((src\/[^)]+)\)/g)].map((link) =>
        readFileSync(join(root, link[1] as string), "utf8"),
      );
      const calls = [...row.matchAll(/`([^`]+)`/g)].map((call) => (call[1] as string).split(".").at(-1) as string);
      return calls.filter((name) => !files.some((text) => text.includes(`${name}(`) || text.includes(`${name}<T>(`)));
    });
    expect(rows.length).toBeGreaterThan(5);
    expect(missing).toEqual([]);
  });

  test("nothing unfinished is left lying about", () => {
    const texts = read(
      (path) =>
        /\.(ts|mjs|js|json|md|ya?ml)$/.test(path) && path !== "test/tidy.test.ts" && path !== "package-lock.json",
    );
    const pattern = /\b(TODO|FIXME|XXX|HACK)\b|(^|[\s"'`(])\/(work|tmp|root|home)\/[a-z]|\bissue #?\d/i;
    expect(findings(texts, pattern, "does not belong here", true)).toEqual([]);
  });

  test("no file names a package registry", () => {
    const texts = read(
      (path) => /\.(ts|mjs|js|json|md|ya?ml|npmrc)$|^\.ci\//.test(path) && path !== "test/tidy.test.ts",
    );
    expect(
      findings(
        texts,
        /"resolved": "https?:|registry\s*=\s*https?:|https?:\/\/registry\./,
        "a registry's address",
        true,
      ),
    ).toEqual([]);
  });
});
