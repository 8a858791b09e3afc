import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatNumber, nearest, parseOption } from "../src/options-parse.js";
import {
  fileSource,
  flagOf,
  flagSource,
  isLoopback,
  optionEntries,
  resolveEngineOptions,
  resolveOptions,
  variableOf,
  variableSource,
} from "../src/options-resolve.js";
import { defaultOptions, optionTable } from "../src/options.js";
import { WriteBehindError } from "../src/errors.js";

const bytes = { type: "bytes", default: 1, min: 0, max: 2 ** 52, scope: "engine", doc: "" } as const;
const ms = { type: "ms", default: 1, min: 0, max: 2 ** 52, scope: "engine", doc: "" } as const;

function failure(work: () => unknown): WriteBehindError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(WriteBehindError);
    expect((error as WriteBehindError).code).toBe("CONFIG");
    return error as WriteBehindError;
  }
  throw new Error("it should have failed");
}

describe("the table", () => {
  test("has at most 40 options, each with a doc, and every default passes its own check", () => {
    expect(optionEntries().length).toBeLessThanOrEqual(40);
    for (const [name, spec] of optionEntries()) {
      expect(spec.doc.length, name).toBeGreaterThan(10);
      if (spec.default !== null && spec.type !== "routes")
        expect(parseOption(spec, spec.default), name).toEqual({ value: spec.default });
    }
    expect(resolveOptions([])).toEqual(defaultOptions());
  });

  test("spells each name in one way per place", () => {
    expect(flagOf("delayMs")).toBe("--delay-ms");
    expect(variableOf("delayMs")).toBe("WRITE_BEHIND_DELAY_MS");
    const names = optionEntries().flatMap(([name, spec]) => [
      flagOf(name),
      ...(spec.alias === undefined ? [] : [`--${spec.alias}`]),
    ]);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("units", () => {
  test.each([
    ["64mb", 64 * 2 ** 20],
    ["64 MB", 64 * 2 ** 20],
    ["1.5gb", 1.5 * 2 ** 30],
    ["1k", 1024],
    ["12b", 12],
    ["1_000_000", 1_000_000],
    ["0", 0],
  ])("%s bytes", (text, value) => expect(parseOption(bytes, text)).toEqual({ value }));

  test.each([
    ["100", 100],
    ["100ms", 100],
    ["5s", 5000],
    ["0.5s", 500],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
  ])("%s of time", (text, value) => expect(parseOption(ms, text)).toEqual({ value }));

  test.each(["", "mb", "64 megabytes", "1e3", "0x10", "-", "5s5s", "NaN", "toString", "1constructor", "5 s s"])(
    "%j is nothing",
    (text) => {
      expect(parseOption(bytes, text)).toHaveProperty("problem");
      expect(parseOption(ms, text)).toHaveProperty("problem");
    },
  );

  test("a unit of the other kind is refused", () => {
    expect(parseOption(ms, "5mb")).toHaveProperty("problem");
    expect(parseOption(bytes, "5s")).toHaveProperty("problem");
    expect(parseOption(optionTable.loadsMax, "5k")).toHaveProperty("problem");
  });

  test("what is written for a person is read back as the same number", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 }), fc.constantFrom(1, 1000, 1024, 60_000, 2 ** 20), (number, factor) => {
        const value = number * factor;
        expect(parseOption(bytes, formatNumber("bytes", value))).toEqual({ value });
        expect(parseOption(ms, formatNumber("ms", value))).toEqual({ value });
      }),
    );
  });

  test("whatever is given, the result is in the limits or a problem", () => {
    fc.assert(
      fc.property(fc.constantFrom(...optionEntries()), fc.anything(), ([, spec], given) => {
        if (spec.type === "routes") return;
        const parsed = parseOption(spec, given);
        if ("problem" in parsed) return;
        if ("min" in spec) {
          expect(Number.isInteger(parsed.value)).toBe(true);
          expect(parsed.value).toBeGreaterThanOrEqual(spec.min);
          expect(parsed.value).toBeLessThanOrEqual(spec.max);
        } else expect(typeof parsed.value).toBe(spec.type === "flag" ? "boolean" : "string");
      }),
    );
  });
});

describe("the library's argument", () => {
  test("is completed with the defaults", () => {
    expect(resolveEngineOptions({ delayMs: 5, data: "x", store: {} })).toEqual({
      ...resolveEngineOptions(undefined),
      delayMs: 5,
      data: "x",
    });
    expect(resolveEngineOptions({ delayMs: undefined })).toEqual(resolveEngineOptions({}));
    expect(Object.keys(resolveEngineOptions({}))).not.toContain("port");
  });

  test("takes units too", () =>
    expect(resolveEngineOptions({ delayMs: "5s", cacheBytes: "64mb" })).toMatchObject({
      delayMs: 5000,
      cacheBytes: 2 ** 26,
    }));

  test.each([
    ["delay", "delayMs"],
    ["dealyMs", "delayMs"],
    ["cachebytes", "cacheBytes"],
    ["durabilty", "durability"],
    ["stor", "store"],
    ["cache-bytes", "cacheBytes"],
  ])("%s: did you mean %s?", (wrong, right) => {
    expect(failure(() => resolveEngineOptions({ [wrong]: 1 })).message).toBe(
      `${JSON.stringify(wrong)} is not an option; did you mean ${right}?`,
    );
  });

  test("a name like nothing gets no guess", () => {
    expect(failure(() => resolveEngineOptions({ xylophone: 1 })).message).toBe('"xylophone" is not an option');
    expect(nearest("q", ["host", "port"])).toBeNull();
    expect(failure(() => resolveEngineOptions({ constructor: 1 })).message).toContain("is not an option");
  });

  test("an option of the server is said to be one", () => {
    expect(failure(() => resolveEngineOptions({ port: 1 })).message).toContain("`write-behind serve` only");
  });

  test("out of its limits: the limits and the unit are said", () => {
    expect(failure(() => resolveEngineOptions({ delayMs: "2h" })).message).toBe(
      'delayMs is "2h", and must be between 0ms and 1h',
    );
    expect(failure(() => resolveEngineOptions({ segmentBytes: 5 })).message).toBe(
      "segmentBytes is 5, and must be between 64kb and 128mb",
    );
    expect(failure(() => resolveEngineOptions({ delayMs: 1.5 })).message).toContain("whole number of milliseconds");
    expect(failure(() => resolveEngineOptions({ durability: "disc" })).message).toContain("memory, os, disk");
    expect(failure(() => resolveEngineOptions({ data: "" })).message).toContain("data is empty");
  });

  test("everything that is wrong is in one message", () => {
    const { message, hint } = failure(() => resolveEngineOptions({ delayMs: "soon", durability: 3, nonsense: 1 }));
    expect(message).toMatch(/^3 options are wrong:\n/);
    for (const name of ["delayMs", "durability", "nonsense"]) expect(message).toContain(name);
    expect(hint).toContain("options.md");
  });

  test("options that contradict each other", () => {
    expect(failure(() => resolveEngineOptions({ retryMinMs: "2s", retryMaxMs: "1s" })).message).toBe(
      "retryMinMs (2s) is more than retryMaxMs (1s)",
    );
    expect(failure(() => resolveEngineOptions({ segmentBytes: "128mb", queueBytes: "64mb" })).message).toContain(
      "no room for two journal files",
    );
  });

  test.each([[null], [3], ["x"], [[]]])("%j is no options", (given) => void failure(() => resolveEngineOptions(given)));
});

describe("serve", () => {
  test("a flag beats a variable beats the file beats the default", () => {
    const file = fileSource("wb.yaml", { delayMs: "3s", port: 3, maxClients: 3 });
    const variables = variableSource({ WRITE_BEHIND_DELAY_MS: "2s", WRITE_BEHIND_PORT: "2", PATH: "/bin" });
    const flags = flagSource({ delayMs: "1s" });
    expect(resolveOptions([flags, variables, file])).toMatchObject({
      delayMs: 1000,
      port: 2,
      maxClients: 3,
      adminPort: 8380,
    });
  });

  test("each place is named in its own spelling", () => {
    expect(failure(() => resolveOptions([flagSource({ delayMs: "x" })])).message).toMatch(/^--delay-ms is "x"/);
    expect(failure(() => resolveOptions([variableSource({ WRITE_BEHIND_DELAY_MS: "x" })])).message).toMatch(
      /^WRITE_BEHIND_DELAY_MS is "x"/,
    );
    expect(failure(() => resolveOptions([fileSource("wb.yaml", { delayMs: "x" })])).message).toMatch(
      /^delayMs in wb.yaml is "x"/,
    );
    expect(failure(() => resolveOptions([variableSource({ WRITE_BEHIND_DELAY: "1" })])).message).toContain(
      "did you mean WRITE_BEHIND_DELAY_MS?",
    );
    expect(failure(() => resolveOptions([fileSource("wb.yaml", [1])])).message).toContain("wb.yaml must hold a map");
  });

  test("variables of others are left alone", () => {
    const kubernetes = {
      WRITE_BEHIND_PORT: "tcp://10.0.0.1:6380",
      WRITE_BEHIND_PORT_6380_TCP_ADDR: "10.0.0.1",
      WRITE_BEHIND_SERVICE_HOST: "10.0.0.1",
    };
    expect(resolveOptions([variableSource({ ...kubernetes, WRITE_BEHIND_ADMIN: "x" }, ["ADMIN"])])).toEqual(
      defaultOptions(),
    );
  });

  test("flags as words", () => {
    for (const yes of ["true", "1", "yes", "ON", true])
      expect(resolveOptions([flagSource({ allowFlush: yes })]).allowFlush).toBe(true);
    for (const no of ["false", "0", "no", false])
      expect(resolveOptions([flagSource({ allowFlush: no })]).allowFlush).toBe(false);
    failure(() => resolveOptions([flagSource({ allowFlush: "perhaps" })]));
  });

  test("closed by default", () => {
    expect(failure(() => resolveOptions([flagSource({ host: "0.0.0.0" })])).message).toContain("--password");
    expect(failure(() => resolveOptions([flagSource({ host: "0.0.0.0", password: "p" })])).message).toContain(
      "--admin-token",
    );
    expect(failure(() => resolveOptions([flagSource({ password: "p" })])).message).toContain("--admin-token");
    expect(resolveOptions([flagSource({ host: "0.0.0.0", password: "p", adminToken: "t" })])).toMatchObject({
      host: "0.0.0.0",
    });
    expect(["127.0.0.1", "127.9.9.9", "::1", "localhost"].every(isLoopback)).toBe(true);
    expect(["0.0.0.0", "::", "127.0.0.1.evil.example", "10.0.0.1", ""].some(isLoopback)).toBe(false);
  });

  test("a secret is never repeated", () => {
    const long = "s3cret".repeat(1000);
    expect(failure(() => resolveOptions([flagSource({ password: long })])).message).not.toContain("s3cret");
    expect(failure(() => resolveOptions([fileSource("f", { password: 12345 })])).message).not.toContain("12345");
  });

  test("one port for two is refused", () => {
    expect(failure(() => resolveOptions([flagSource({ port: 8380 })])).message).toContain("both 8380");
    expect(resolveOptions([flagSource({ port: 0, adminPort: 0 })])).toMatchObject({ port: 0, adminPort: 0 });
  });
});

describe("routes", () => {
  const routes = [{ key: "user:{id}", table: "users", cacheTtl: "60s" }];

  test("are read, in the library and in a file of options", () => {
    const read = resolveEngineOptions({ routes, unrouted: "refuse" });
    expect(read).toMatchObject({ unrouted: "refuse", routes: [{ table: "users", column: null, cacheTtlMs: 60_000 }] });
    expect(resolveOptions([fileSource("wb.yaml", { routes })]).routes).toEqual(read.routes);
    expect(resolveEngineOptions({})).toMatchObject({ routes: [], unrouted: "store" });
  });

  test("everything that is wrong with them is said beside what else is wrong", () => {
    const wrong = [{ key: "a:{id}", tabel: "users" }, { key: "b" }];
    const { message } = failure(() => resolveEngineOptions({ routes: wrong, delayMs: "soon" }));
    expect(message.split("\n")).toEqual([
      "2 options are wrong:",
      "  - routes:",
      '    - the route a:{id}: "tabel" is nothing that a route has; did you mean table?',
      "    - the route a:{id}: it needs a table, or store: none",
      "    - the route b: it needs a table, or store: none",
      expect.stringContaining("delayMs is"),
    ]);
    expect(failure(() => resolveEngineOptions({ routes: "routes.yaml" })).message).toBe(
      "routes: it must be a list of routes",
    );
    expect(failure(() => resolveEngineOptions({ unrouted: "drop" })).message).toContain("store, refuse");
  });
});

test("a newcomer waits for longer than the old owner of the folder may take to stop", () => {
  const { ownerWaitMs, closeMs } = defaultOptions();
  expect(ownerWaitMs).toBeGreaterThanOrEqual(2 * closeMs);
});
