/** Every kind of column, and values that are one, nearly one, or none of it. */
import fc from "fast-check";
import type { ColumnType } from "../src/routes/column.js";

export interface KindOfColumn {
  readonly type: ColumnType;
  readonly values: fc.Arbitrary<string>;
  /** Its type in PostgreSQL; null: none. */
  readonly postgres: string | null;
  /** Its type in SQLite; null: none. */
  readonly sqlite: string | null;
}

export const labels = ["new", "paid", "sent", "ü x"] as const;

const some = (from: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...Array.from(from)), minLength, maxLength });
const row = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> => fc.tuple(...parts).map((each) => each.join(""));
const maybe = (value: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof(fc.constant(""), value);
const between = (min: number, max: number, width: number): fc.Arbitrary<string> =>
  fc.integer({ min, max }).map((each) => String(each).padStart(width, "0"));

const digits = some("0123456789", 0, 8);
const nines = some("9990545", 0, 12);
const sign = fc.constantFrom("", "", "-", "+");
const dot = fc.constant(".");

const integers = fc.oneof(
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
  fc.bigInt({ min: -70_000n, max: 70_000n }).map(String),
  fc.constantFrom(15n, 31n, 63n).chain((bits) => fc.bigInt({ min: -2n, max: 2n }).map((by) => String(2n ** bits + by))),
  fc.constantFrom(15n, 31n, 63n).chain((bits) => fc.bigInt({ min: -2n, max: 2n }).map((by) => String(by - 2n ** bits))),
  row(sign, some("0123456789", 0, 22)),
  fc.constantFrom("007", "-0", "+0", "-00032768", " 1", "1 ", "1.0", "1e3", "0x10", "1_000", "--1", "+-1", "١"),
);

const exponent = fc.oneof(fc.integer({ min: -12, max: 12 }), fc.integer({ min: -400, max: 400 }));
const numbers = row(
  sign,
  fc.oneof(digits, nines),
  maybe(row(dot, fc.oneof(digits, nines))),
  maybe(exponent.map((each) => `e${each}`)),
);
const decimals = fc.oneof(
  numbers,
  fc.double().map(String),
  fc.constantFrom("1e999999999999999999999", "0e999999999", "0e-999999999", "1e-2000000", "5.", ".5", ".", "-.e1"),
  fc.constantFrom("NaN", "Infinity", "-Infinity", "nan", "inf", "+Infinity"),
);

/** More than toExponential has by itself; all that most floats have. */
const digitsOfExact = 100;
/** What lies halfway between two floats of 32 bits, and next to it. */
const halves = fc
  .tuple(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom("", "1", "000001", "less"))
  .map(([float, end]) => {
    const bits = new Int32Array(Float32Array.of(float).buffer);
    const next = new Float32Array(Int32Array.of((bits[0] ?? 0) + 1).buffer)[0] ?? 0;
    const [mantissa = "", power = ""] = ((float + next) / 2).toExponential(digitsOfExact).split("e");
    const half = mantissa.replace(/0+$/, "");
    return `${end === "less" ? half.replace(/[1-9]$/, (last) => `${Number(last) - 1}9`) : half + end}e${power}`;
  });
const floats = fc.oneof(
  numbers,
  halves,
  fc.double().map(String),
  fc.double().map((each) => each.toPrecision(17)),
  fc.float().map((each) => each.toPrecision(9)),
  fc.constantFrom("-0", "0e5", "1e400", "1e-400", "3.4028236e38", "7e-46", "8e-46", "5e-324", "NaN", "Infinity", "inf"),
);

const space = some(" \t\n\v\f\r", 0, 2);
const affinities = fc.oneof(
  row(space, numbers, space),
  row(space, integers, space),
  fc.double().map(String),
  fc.string({ unit: "grapheme", maxLength: 6 }),
  fc.constantFrom(" 12 ", "0x10", "1e3", "1_000", ".5", "5.", "1e400", "9223372036854775808", "1.23456789012345678e17"),
  fc.constantFrom(
    "9223372036854774784.0",
    "-9223372036854775808.0",
    "-9223372036854775808",
    "1e",
    ".",
    "5.e3",
    "\u00a07",
  ),
);

const hex = some("0123456789abcdefABCDEF", 4, 4);
const uuids = fc.oneof(
  fc.uuid(),
  fc.uuid().map((each) => `{${each.toUpperCase()}}`),
  fc.uuid().map((each) => each.replaceAll("-", "")),
  fc.uuid().map((each) => `{${each}`),
  fc.uuid().map((each) => `${each}-`),
  row(...Array.from({ length: 7 }, () => row(hex, fc.constantFrom("", "-", "-", "--"))), hex),
);

const year = fc.oneof(
  between(0, 9999, 4),
  between(1990, 2030, 4),
  fc.constantFrom("0000", "0001", "1900", "1999", "9999"),
);
const dates = fc
  .tuple(year, fc.oneof(between(1, 12, 2), between(0, 13, 2)), fc.oneof(between(1, 31, 2), between(0, 32, 2)))
  .map((each) => each.join("-"));
const farDates = fc.oneof(
  fc.constantFrom("infinity", "-infinity"),
  dates.map((each) => `${each} BC`),
  fc
    .tuple(fc.integer({ min: 9990, max: 6_000_000 }), between(1, 12, 2), between(1, 31, 2))
    .map((each) => each.join("-")),
);
const fraction = fc.oneof(
  some("0123456789", 1, 6),
  some("0123456789", 1, 10),
  some("9990545", 1, 9),
  fc.constantFrom("5", "500", "9999995", "0000005", "05", "25", "125", "000500"),
);
const seconds = row(fc.constant(":"), fc.oneof(between(0, 60, 2), fc.constant("59")), maybe(row(dot, fraction)));
const clocks = fc.oneof(
  row(between(0, 24, 2), fc.constant(":"), between(0, 60, 2), maybe(seconds)),
  fraction.map((each) => `23:59:59.${each}`),
);
const zones = fc.oneof(
  fc.constantFrom("", "Z", "+00", "-00", "z"),
  row(fc.constantFrom("+", "-"), between(0, 16, 2), maybe(row(fc.constantFrom("", ":"), between(0, 60, 2)))),
);
const timestamps = fc.oneof(
  row(dates, fc.constantFrom("T", " "), clocks, zones),
  fc
    .date({ noInvalidDate: true, min: new Date("0001-01-02"), max: new Date("9999-12-30") })
    .map((each) => each.toISOString()),
  farDates.map((each) => each.replace(/( BC)?$/, " 12:30:00+00$1")),
  row(farDates, fc.constant(" "), clocks),
);

const jsonNumbers = row(
  fc.constantFrom("", "-"),
  fc.oneof(fc.constant("0"), row(some("123456789", 1, 1), some("0123456789", 0, 25))),
  maybe(row(dot, some("0123456789", 1, 12))),
  maybe(fc.integer({ min: -405, max: 405 }).map((each) => `e${each}`)),
);
const escapes = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }).map((each) => `\\u${each.toString(16).padStart(4, "0")}`),
  fc.constantFrom(
    "a",
    "\\n",
    "\\/",
    '\\"',
    "\\\\",
    "\u007f",
    "\u2028",
    "é",
    "\\ud83d\\ude00",
    "\\u00e9",
    "\ue000",
    "😀",
  ),
);
const jsonStrings = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 5 }).map((each) => JSON.stringify(each)),
  fc.array(escapes, { maxLength: 3 }).map((each) => `"${each.join("")}"`),
  fc.constantFrom('"a"', '"b"', '"\\u0061"'),
);
const blank = fc.constantFrom("", "", " ", "\n", "\t ");
const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    jsonNumbers,
    jsonStrings,
    fc.constantFrom("true", "false", "null"),
    fc
      .tuple(blank, fc.array(row(blank, tie("tree"), blank), { maxLength: 4 }))
      .map(([before, items]) => `[${before}${items.join(",")}]`),
    fc
      .tuple(blank, fc.array(row(blank, jsonStrings, blank, fc.constant(":"), tie("tree"), blank), { maxLength: 4 }))
      .map(([before, members]) => `{${before}${members.join(",")}}`),
  ),
}));
export const jsonTexts: fc.Arbitrary<string> = row(blank, tree, blank);
const jsons = fc.oneof(
  jsonTexts,
  fc.tuple(jsonTexts, fc.nat({ max: 30 }), fc.constantFrom("", ",", "]", "x", '"', "\\")).map(([text, at, instead]) => {
    const cut = Math.min(at, text.length);
    return Buffer.from(text.slice(0, cut) + instead + text.slice(cut + 1)).toString();
  }),
);

const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  some("a ", 0, 12),
  fc.string({ unit: fc.constantFrom("a", " ", "ü", "😀"), maxLength: 10 }),
  fc.constantFrom("\0", "a\0"),
);
const booleans = fc.oneof(
  fc.constantFrom(
    "true",
    "false",
    "t",
    "f",
    "yes",
    "no",
    "y",
    "n",
    "on",
    "off",
    "1",
    "0",
    "TRUE",
    "Yes",
    "oN",
    " true",
    "2",
  ),
  fc.string({ maxLength: 3 }),
);

const of = (
  type: ColumnType,
  values: fc.Arbitrary<string>,
  postgres: string | null,
  sqlite: string | null = null,
): KindOfColumn => ({ type, values, postgres, sqlite });

const precisions = [
  [10, 1],
  [5, 2],
  [5, 0],
  [3, -3],
  [4, -1],
  [3, 5],
  [2, 3],
  [1, 1],
  [100, 50],
] as const;

export const kindsOfColumns: readonly KindOfColumn[] = [
  ...([16, 32, 64] as const).map((bits) => of({ kind: "integer", bits }, integers, `int${bits / 8}`, "integer")),
  ...precisions.map(([precision, scale]) =>
    of({ kind: "decimal", precision, scale }, decimals, `numeric(${precision},${scale})`),
  ),
  of({ kind: "decimal", precision: null, scale: null }, decimals, "numeric"),
  of({ kind: "float", bits: 32 }, floats, "float4"),
  of({ kind: "float", bits: 64 }, floats, "float8", "real"),
  of({ kind: "affinity" }, affinities, null, "numeric"),
  of({ kind: "boolean" }, booleans, "boolean"),
  of({ kind: "text", charsMax: null, padded: false }, texts, "text", "text"),
  of({ kind: "text", charsMax: 5, padded: false }, texts, "varchar(5)"),
  of({ kind: "text", charsMax: 5, padded: true }, texts, "char(5)"),
  of({ kind: "bytes" }, texts, null, null),
  of({ kind: "uuid" }, uuids, "uuid"),
  of({ kind: "enum", labels }, fc.oneof(fc.constantFrom(...labels, "New", " new", ""), texts), "wb_label"),
  of({ kind: "date" }, fc.oneof(dates, farDates), "date"),
  ...[0, 1, 3, 5, 6].flatMap((places) => [
    of({ kind: "time", digits: places }, clocks, `time(${places})`),
    of({ kind: "timestamp", zone: false, digits: places }, timestamps, `timestamp(${places})`),
    of({ kind: "timestamp", zone: true, digits: places }, timestamps, `timestamptz(${places})`),
  ]),
  of({ kind: "json", verbatim: true }, jsons, "json", "text"),
  of({ kind: "json", verbatim: false }, jsons, "jsonb", "text"),
];

/** A name for a test. */
export function nameOf({ type, postgres, sqlite }: KindOfColumn): string {
  return `${type.kind} (${postgres ?? sqlite ?? "any"})`;
}
