/** The long double of Redis: reading, adding and writing against exact fractions, and against redis-server itself. */
import fc from "fast-check";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { bytesOfBuffer, bytesOfText, type Bytes } from "../src/bytes.js";
import { addLongDoubles, bytesOfLongDouble, parseLongDouble, type LongDouble } from "../src/commands/long-double.js";
import { startRedis } from "./servers.js";
import { describeWith } from "./with-programs.js";

const written = (text: string): string | null => {
  const value = parseLongDouble(bytesOfText(text));
  return value === null || value === "infinite" ? value : bytesOfLongDouble(value);
};

describe("reading and writing", () => {
  test.each([
    ["1", "1"],
    ["+1.", "1"],
    ["-.5", "-0.5"],
    ["007.2500", "7.25"],
    ["5.0e3", "5000"],
    ["1E-3", "0.001"],
    ["-0", "0"],
    ["-1e-18", "0"],
    ["0.1", "0.1"],
    ["3.141592653589793238462643", "3.14159265358979324"],
    ["18446744073709551616", "18446744073709551616"],
    ["18446744073709551617", "18446744073709551616"],
    ["18446744073709551619", "18446744073709551620"],
    ["0.000003814697265625", "0.00000381469726562"],
    ["0x10", "16"],
    ["-0X1.8p-1", "-0.75"],
    ["0x.8P+1", "1"],
    ["0e99999999999999999999", "0"],
    ["0x0p99999999999999999999", "0"],
    ["0x1p-16445", "0"],
    ["inf", "infinite"],
    ["-InFiNiTy", "infinite"],
    [`${"0".repeat(5118)}7`, "7"],
    [`0.${"0".repeat(5000)}1e5001`, "1"],
  ])("%s is %s", (text, wanted) => expect(written(text)).toBe(wanted));

  const texts = [
    "",
    " 1",
    "1 ",
    "1\n",
    "1\0",
    "x",
    ".",
    "-",
    "1e",
    "e1",
    "1e+",
    "--1",
    "1,5",
    "1_0",
    "1f",
    "nan",
    "infin",
  ];
  const decimals = ["1e4933", "1e99999999999999999999", "1e-4951", "1e-99999999999999999999", "0".repeat(5120)];
  const hexes = ["0x", "0x.", "0x1p", "0xg", "0x1p16384", "0x1.ffffffffffffffffp16383", "0x1p-16446"];
  test.each([...texts, ...decimals, ...hexes])("%j is no float", (text) => expect(written(text)).toBe(null));

  test("the largest is written in full", () => {
    const largest = (2n ** 64n - 1n) << 16_320n;
    expect(written("0x1.fffffffffffffffep16383")).toBe(String(largest));
    expect(written(String(largest))).toBe(String(largest));
  });
});

/** A fraction, for what is exact. */
type Fraction = readonly [above: bigint, below: bigint];
const power = (base: bigint, exponent: number): Fraction =>
  exponent < 0 ? [1n, base ** BigInt(-exponent)] : [base ** BigInt(exponent), 1n];
const times = ([a, b]: Fraction, [c, d]: Fraction): Fraction => [a * c, b * d];
const exact = ({ mantissa, exponent }: LongDouble): Fraction => times([mantissa, 1n], power(2n, exponent));
const abs = (value: bigint) => (value < 0n ? -value : value);

/** The step from a value to the next one, and whether its last bit is 0. */
function stepOf(value: LongDouble): { readonly step: Fraction; readonly isEven: boolean } {
  const bits = abs(value.mantissa).toString(2).length;
  const exponent = Math.max(value.exponent + bits - 64, -16_445);
  const last = exponent <= value.exponent ? value.mantissa << BigInt(value.exponent - exponent) : 0n;
  return { step: power(2n, exponent), isEven: last % 2n === 0n };
}

/** Whether a value is the nearest to a fraction, and the even one of two that are. */
function isNearest(value: LongDouble, wanted: Fraction): boolean {
  const [a, b] = exact(value);
  const [c, d] = wanted;
  const { step, isEven } = stepOf(value);
  // |a/b - c/d| <= step/2
  const off = 2n * abs(a * d - c * b) * step[1];
  const half = step[0] * b * d;
  return off < half || (off === half && isEven);
}

const mantissa = fc.oneof(
  fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -100n, max: 100n }),
  fc.bigInt({ min: -3n, max: 3n }).map((off) => 2n ** 63n + off),
);
const finite: fc.Arbitrary<LongDouble> = fc.record({
  mantissa,
  exponent: fc.oneof(fc.integer({ min: -80, max: 80 }), fc.integer({ min: -16_445, max: 16_320 })),
});

describe("the nearest value", () => {
  test("what a value is exactly is read as that value", () => {
    fc.assert(
      fc.property(finite, (value) => {
        const [above, below] = [value.mantissa * 5n ** BigInt(Math.max(-value.exponent, 0)), value.exponent];
        const text = below < 0 ? `${above}e${below}` : String(above << BigInt(below));
        // Redis reads no longer text.
        fc.pre(text.length < 5120);
        const read = parseLongDouble(text as Bytes) as LongDouble;
        const [a, b] = exact(read);
        const [c, d] = exact(value);
        expect(a * d).toBe(c * b);
      }),
      { numRuns: 300 },
    );
  });

  test("any decimal is read as the nearest one", () => {
    const exponent = fc.oneof(fc.integer({ min: -40, max: 40 }), fc.integer({ min: -4940, max: 4900 }));
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), exponent, (digits, at) => {
        const read = parseLongDouble(`${digits}e${at}` as Bytes) as LongDouble;
        expect(isNearest(read, times([digits, 1n], power(10n, at)))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("a sum is the nearest one to the exact sum, in either order", () => {
    fc.assert(
      fc.property(finite, finite, (a, b) => {
        const sum = addLongDoubles(a, b);
        expect(addLongDoubles(b, a)).toEqual(sum);
        const [[e, f], [g, h]] = [exact(a), exact(b)];
        if (sum === null) expect(abs(e * h + g * f) > (2n ** 64n - 1n) * 2n ** 16_320n * f * h).toBe(true);
        else expect(isNearest(sum, [e * h + g * f, f * h])).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("what is written is no further away than half of the last digit, and has no zero too many", () => {
    fc.assert(
      fc.property(finite, (value) => {
        const text = bytesOfLongDouble(value);
        expect(text).toMatch(/^(?:0|-?(?:[1-9]\d*|0(?=\.)))(?:\.\d{0,16}[1-9])?$/);
        const [whole, fraction = ""] = text.split(".") as [string, string?];
        const written: Fraction = [BigInt(whole.replace("-", "") + fraction.padEnd(17, "0")), 10n ** 17n];
        const [a, b] = exact(value);
        expect(2n * abs(abs(a) * written[1] - written[0] * b) <= b).toBe(true);
        expect(text.startsWith("-")).toBe(a < 0n && written[0] > 0n);
      }),
      { numRuns: 500 },
    );
  });
});

/** Texts such as people and programs send, and such as lie on the edges. */
const digits = (max: number) => fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: max }).map((all) => all.join(""));
const hex = fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF".split("")), maxLength: 20 });
const sign = fc.constantFrom("", "", "-", "+");
const text: fc.Arbitrary<string> = fc.oneof(
  fc.double().map(String),
  fc.integer({ min: -10_000, max: 10_000 }).map((value) => String(value / 10)),
  fc.tuple(sign, digits(25)).map((parts) => parts.join("")),
  fc.tuple(sign, digits(6), fc.constant("."), digits(30)).map((parts) => parts.join("")),
  fc
    .tuple(
      sign,
      digits(5),
      fc.constantFrom("", "."),
      digits(20),
      fc.constantFrom("e", "E"),
      fc.integer({ min: -40, max: 40 }),
    )
    .map((parts) => parts.join("")),
  fc
    .tuple(sign, digits(5), fc.constantFrom("e", "e-"), fc.integer({ min: 4900, max: 4980 }))
    .map((parts) => parts.join("")),
  fc
    .tuple(
      sign,
      fc.constantFrom("0x", "0X"),
      hex,
      fc.constantFrom("", "."),
      hex,
      fc.constantFrom("", "p1", "P-3", "p+16300", "p16384", "p-16440", "p-16446", "p"),
    )
    .map((parts) => parts.join("")),
  finite
    .filter(({ exponent }) => exponent > -80 && exponent <= 0)
    .map((value) => `${value.mantissa * 5n ** BigInt(-value.exponent)}e${value.exponent}`),
  fc
    .tuple(
      fc.bigInt({ min: 2n ** 64n - 4n, max: 2n ** 64n + 8n }),
      fc.constantFrom("", ".5", ".25", ".50000000000000000001"),
    )
    .map((parts) => parts.join("")),
  fc.constantFrom("inf", "-inf", "Infinity", "nan", "nan(1)", "", " 1", "1 ", "0x", "1.", "\t1", "1\0", "-0", "1e4932"),
  fc.string({ maxLength: 4 }),
);

describeWith(["redis-server"], "beside redis-server", () => {
  test("INCRBYFLOAT of generated texts gives the same bytes, or the same refusal", { timeout: 120_000 }, async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const client = new Redis({ port: server.port, host: "127.0.0.1" });
    onTestFinished(() => client.disconnect());
    const ours = (first: string, second: string): string => {
      const [a, b] = [first, second].map((one) => parseLongDouble(bytesOfText(one)));
      if (a === null || a === undefined || b === null || b === undefined) return "ERR value is not a valid float";
      const sum = a === "infinite" || b === "infinite" ? null : addLongDoubles(a, b);
      return sum === null ? "ERR increment would produce NaN or Infinity" : bytesOfLongDouble(sum);
    };
    const many = fc.array(fc.tuple(text, text), { minLength: 50, maxLength: 100 });
    const check = fc.asyncProperty(many, async (pairs) => {
      const pipeline = client.pipeline();
      for (const [a, b] of pairs) pipeline.set("k", a).call("INCRBYFLOAT", "k", b);
      const replies = (await pipeline.exec()) ?? [];
      const theirs = pairs.map((_, at) => {
        const [error, value] = replies[2 * at + 1] as [Error | null, unknown];
        return error === null ? bytesOfBuffer(Buffer.from(value as string)) : error.message;
      });
      expect(pairs.map(([a, b]) => ours(a, b))).toEqual(theirs);
    });
    await fc.assert(check, { numRuns: 50 });
  });
});
