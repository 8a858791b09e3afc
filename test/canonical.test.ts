import { DatabaseSync } from "@photostructure/sqlite";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bytes, bytesOfText, textOfBytes } from "../src/bytes.js";
import { canonical, WrongValue } from "../src/routes/canonical.js";
import type { ColumnType } from "../src/routes/column.js";
import { jsonTexts, type KindOfColumn, kindsOfColumns, labels, nameOf } from "./canonical-values.js";

/** The canonical text, or null where it is refused. */
function given(type: ColumnType, text: string): string | null {
  const found = canonical(type, bytesOfText(text));
  return found instanceof WrongValue ? null : textOfBytes(found);
}

/** Both in one text, to be read in a table. */
function said(type: ColumnType, text: string): string {
  const found = canonical(type, bytesOfText(text));
  return found instanceof WrongValue ? `it ${found.why}` : textOfBytes(found);
}

function valuesOf(kind: ColumnType["kind"], select: (type: ColumnType) => boolean = () => true): fc.Arbitrary<string> {
  const found = kindsOfColumns.find(({ type }) => type.kind === kind && select(type));
  if (found === undefined) throw new Error(`no values of ${kind}`);
  return found.values;
}

describe("the laws", () => {
  test.each(kindsOfColumns.map((kind) => [nameOf(kind), kind] as const))(
    "%s: what is canonical stays as it is",
    (_, kind) => {
      fc.assert(
        fc.property(kind.values, (text) => {
          const found = given(kind.type, text);
          if (found !== null) expect(given(kind.type, found)).toBe(found);
        }),
        { numRuns: 500 },
      );
    },
  );

  const ofSqlite = kindsOfColumns.filter(({ sqlite }) => sqlite !== null);
  test.each(ofSqlite.map((kind) => [nameOf(kind), kind] as const))("%s: SQLite gives back the same", (_, kind) => {
    const column = sqliteColumn(kind);
    fc.assert(
      fc.property(kind.values, (text) => {
        const found = given(kind.type, text);
        if (found !== null) expect(given(kind.type, column(found))).toBe(found);
      }),
      { numRuns: 2000 },
    );
  });
});

/** What a column of SQLite makes of a text: integers exactly, reals as JavaScript writes them. */
function sqliteColumn({ sqlite }: Pick<KindOfColumn, "sqlite">): (text: string) => string {
  const database = new DatabaseSync(":memory:");
  database.exec(`create table one (value ${sqlite})`);
  const insert = database.prepare("insert into one values (?) returning value, typeof(value) as type");
  insert.setReadBigInts(true);
  return (text) => String((insert.get(text) as { value: unknown }).value);
}

test("affinity: the same text as SQLite's, whatever is given", () => {
  const column = sqliteColumn({ sqlite: "numeric" });
  fc.assert(
    fc.property(valuesOf("affinity"), (text) => {
      const stored = column(text);
      const overflown = stored.includes("Infinity") && !text.includes("Infinity");
      const found = given({ kind: "affinity" }, text);
      // SQLite does not look at more than 19 digits of a real, so its last bit can differ from the nearest.
      const close = text.length > 19 && Math.abs(Number(found) / Number(stored) - 1) <= 2 ** -52;
      if (overflown || text.includes("\0")) expect(found).toBe(null);
      else if (!close) expect(found).toBe(stored);
    }),
    { numRuns: 5000 },
  );
});

test("integers: as BigInt reads them, within their bits", () => {
  const type = fc.constantFrom(...([16, 32, 64] as const).map((bits) => ({ kind: "integer", bits }) as const));
  fc.assert(
    fc.property(type, valuesOf("integer"), (type, text) => {
      const number = /^[+-]?[0-9]+$/.test(text) ? BigInt(text.replace("+", "")) : null;
      const fits = number !== null && BigInt.asIntN(type.bits, number) === number;
      expect(given(type, text)).toBe(fits ? String(number) : null);
    }),
    { numRuns: 5000 },
  );
});

/** An exact number: value / 10^scale, or null for what is none. */
function exact(text: string): { value: bigint; scale: number } | null {
  const parts = /^([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,6}))?$/.exec(text);
  if (parts === null) return null;
  const [, sign, whole = "", fraction = "", power = "0"] = parts;
  const value = BigInt(`${whole}${fraction}`) * (sign === "-" ? -1n : 1n);
  const scale = fraction.length - Number(power);
  return scale < 0 ? { value: value * 10n ** BigInt(-scale), scale: 0 } : { value, scale };
}

const size = (value: bigint): bigint => (value < 0n ? -value : value);

test("decimals with a precision: rounded half away from zero, with the digits that there is room for", () => {
  const types = kindsOfColumns.map(({ type }) => type).filter((type) => type.kind === "decimal");
  const limited = types.filter((type) => type.precision !== null);
  fc.assert(
    fc.property(fc.constantFrom(...limited), valuesOf("decimal"), (type, text) => {
      const number = exact(text);
      const found = given(type, text);
      if (number === null || type.precision === null || type.scale === null) {
        expect(found === null || found === "NaN" || /^0\.?0*$/.test(found)).toBe(true);
        return;
      }
      // In units of the last digit that is kept, twice, plus one, halved: half away from zero.
      const up = 10n ** BigInt(Math.max(0, type.scale - number.scale));
      const down = 10n ** BigInt(Math.max(0, number.scale - type.scale));
      const units = (2n * size(number.value) * up + down) / (2n * down);
      const fits = units < 10n ** BigInt(type.precision);
      expect(found === null).toBe(!fits);
      if (found === null) return;
      const back = exact(found);
      const shift = 10n ** BigInt(Math.max(0, -type.scale));
      expect(back).toEqual({ value: (number.value < 0n ? -units : units) * shift, scale: Math.max(0, type.scale) });
      expect(found).toMatch(/^(?:0|-?[1-9][0-9]*|-?0(?=\.0*[1-9])|0(?=\.))(?:\.[0-9]+)?$|^-?[1-9][0-9]*\.[0-9]+$/);
    }),
    { numRuns: 5000 },
  );
});

test("decimals without a precision: no digit is lost", () => {
  const type = { kind: "decimal", precision: null, scale: null } as const;
  fc.assert(
    fc.property(valuesOf("decimal"), (text) => {
      const number = exact(text);
      if (number !== null) expect(exact(given(type, text) ?? "")).toEqual(number);
    }),
    { numRuns: 3000 },
  );
});

test("floats of 64 bits: the number that JavaScript reads, as it writes it", () => {
  fc.assert(
    fc.property(valuesOf("float"), (text) => {
      const number = Number(text);
      const isNumber = exact(text) !== null;
      const zero = isNumber && exact(text)?.value === 0n;
      const fits = Number.isFinite(number) && (number !== 0 || zero);
      const special = ["NaN", "Infinity", "-Infinity"].includes(text);
      const expected = isNumber && fits ? String(number === 0 ? 0 : number) : special ? text : null;
      expect(given({ kind: "float", bits: 64 }, text)).toBe(expected);
    }),
    { numRuns: 3000 },
  );
});

/** The nearest float of 32 bits by exact arithmetic; of two that are as near the even one. */
function exactFloat32(text: string): number {
  const number = exact(text);
  if (number === null) return Number.NaN;
  const guess = Math.fround(Number(text));
  const bits = new Int32Array(Float32Array.of(guess).buffer)[0] ?? 0;
  const distance = (float: number): bigint => {
    // Every float is a multiple of 2^-149.
    const scaled = BigInt(float * 2 ** 149) * 10n ** BigInt(number.scale);
    return size((number.value << 149n) - scaled);
  };
  let [best, nearest, even] = [guess, distance(guess), bits % 2 === 0];
  for (const step of [-1, 1]) {
    const other = new Float32Array(Int32Array.of(bits + step).buffer)[0] ?? 0;
    if (!Number.isFinite(other)) continue;
    const away = distance(other);
    if (away < nearest || (away === nearest && !even)) [best, nearest, even] = [other, away, (bits + step) % 2 === 0];
  }
  return best;
}

test("floats of 32 bits: rounded once, and as short as they can be", () => {
  fc.assert(
    fc.property(valuesOf("float"), (text) => {
      const found = given({ kind: "float", bits: 32 }, text);
      if (found === null || exact(text) === null) return;
      const float = exactFloat32(text);
      expect(exactFloat32(found)).toBe(float === 0 ? 0 : float);
      const digits = found
        .replace(/e.*$/, "")
        .replace(/[-.]/g, "")
        .replace(/^0+|0+$/g, "").length;
      if (digits > 1) expect(exactFloat32(float.toPrecision(digits - 1))).not.toBe(float);
    }),
    { numRuns: 5000 },
  );
});

test("text: UTF-8 without zero bytes, counted in characters, without the spaces that mean nothing", () => {
  const types = kindsOfColumns.map(({ type }) => type).filter((type) => type.kind === "text");
  fc.assert(
    fc.property(fc.constantFrom(...types), valuesOf("text"), (type, text) => {
      const meant = type.padded ? text.replace(/ +$/, "") : text;
      const fits = type.charsMax === null || Array.from(meant).length <= type.charsMax;
      expect(given(type, text)).toBe(fits && !text.includes("\0") ? meant : null);
    }),
    { numRuns: 3000 },
  );
  const broken = canonical({ kind: "text", charsMax: null, padded: false }, "\xc3" as Bytes);
  expect(broken).toEqual(new WrongValue("is not UTF-8"));
});

test("bytes: whatever they are", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const value = Buffer.from(bytes).toString("latin1") as Bytes;
      expect(canonical({ kind: "bytes" }, value)).toBe(value);
    }),
  );
});

test("uuid: every spelling of one is that one", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.infiniteStream(fc.boolean()), (uuid, hyphens) => {
      const groups = uuid.replaceAll("-", "").toUpperCase().match(/.{4}/g) ?? [];
      const loose = groups.map((each, at) => each + (at < 7 && hyphens.next().value ? "-" : "")).join("");
      expect(given({ kind: "uuid" }, uuid)).toBe(uuid);
      expect(given({ kind: "uuid" }, loose)).toBe(uuid);
      expect(given({ kind: "uuid" }, `{${loose}}`)).toBe(uuid);
      expect([`{${loose}`, `${loose}}`, `{${loose}x`].map((each) => given({ kind: "uuid" }, each))).toEqual([
        null,
        null,
        null,
      ]);
    }),
  );
});

test("dates: the days that JavaScript's calendar has", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9999 }), fc.nat({ max: 13 }), fc.nat({ max: 32 }), (year, month, day) => {
      const two = (number: number): string => String(number).padStart(2, "0");
      const text = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
      const date = new Date(`${text}T00:00:00Z`);
      const isDay = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
      expect(given({ kind: "date" }, text)).toBe(isDay ? text : null);
    }),
    { numRuns: 3000 },
  );
});

test("timestamps: what toISOString gives is canonical, and an offset means the same moment", () => {
  const dates = fc.date({ noInvalidDate: true, min: new Date("0001-01-03"), max: new Date("9999-12-29") });
  fc.assert(
    fc.property(dates, fc.integer({ min: -959, max: 959 }), (date, offset) => {
      const type = { kind: "timestamp", zone: true, digits: 6 } as const;
      expect(given(type, date.toISOString())).toBe(date.toISOString());
      const there = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1).replace("T", " ");
      const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
      const zone = `${offset < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
      expect(given(type, there + zone)).toBe(date.toISOString());
      expect(given(type, there + zone.replace(":", ""))).toBe(date.toISOString());
    }),
    { numRuns: 3000 },
  );
});

describe("JSON", () => {
  const value = { kind: "json", verbatim: false } as const;
  const verbatim = { kind: "json", verbatim: true } as const;

  test("verbatim: what JSON.parse takes, as it is", () => {
    fc.assert(
      fc.property(valuesOf("json"), (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        expect(given(verbatim, text)).toBe(valid ? text : null);
      }),
      { numRuns: 3000 },
    );
  });

  test("its value: the same value in one text", () => {
    fc.assert(
      fc.property(jsonTexts, (text) => {
        const found = given(value, text);
        if (found === null) {
          expect(text).toMatch(/\\u|e-?40[1-5]/);
          return;
        }
        expect(withoutMinusZero(JSON.parse(found))).toEqual(withoutMinusZero(JSON.parse(text)));
        // Another order of members and other spaces change nothing.
        expect(given(value, JSON.stringify(reversed(JSON.parse(found))))).toBe(
          given(value, JSON.stringify(JSON.parse(found))),
        );
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    ['{"b":1, "a":2 ,"b":3}', '{"a":2,"b":3}'],
    ['{"😀":1,"\ue000":2}', '{"\ue000":2,"😀":1}'],
    ['{"\\u0061":1,"a":2}', '{"a":2}'],
    ['{"__proto__":1,"":{}}', '{"":{},"__proto__":1}'],
    ['"\\u00e9\\/\\n\\u007f\\ud83d\\ude00"', '"é/\\n\u007f😀"'],
    [" [ ] ", "[]"],
    ["[1.50, 1e2, -0, -0.0, 1E-2, 12345678901234567890.10]", "[1.50,100,0,0.0,0.01,12345678901234567890.10]"],
    ["1e401", "it is JSON with an exponent beyond 400"],
    [`[0.${"1".repeat(16_384)}]`, "it is JSON with a number that has more than 16383 digits after the point"],
    ['"\\u0000"', "it is JSON with \\u0000 in a string"],
    ['["\\ud83d"]', "it is JSON with half a surrogate pair in a string"],
    ["", "it is not JSON"],
    ["[1,]", "it is not JSON"],
    ['{"a":1}x', "it is not JSON"],
    ["01", "it is not JSON"],
    ["NaN", "it is not JSON"],
  ])("%s is %s", (text, expected) => expect(said(value, text)).toBe(expected));

  test.each([value, verbatim])("nested 1000 deep and no deeper %#", (type) => {
    const nested = (depth: number): string => "[".repeat(depth) + '"[[[\\"["' + "]".repeat(depth);
    expect(given(type, nested(1000))).toBe(nested(1000));
    expect(said(type, nested(1001))).toBe("it is JSON nested deeper than 1000");
    expect(said(type, "[".repeat(100_000))).toBe("it is JSON nested deeper than 1000");
    expect(said(type, '"'.padEnd(2000, "["))).toBe("it is not JSON");
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => reversed(each));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, each]) => [key, reversed(each)] as const);
  return Object.fromEntries(members.reverse());
}

function withoutMinusZero(value: unknown): unknown {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map((each) => withoutMinusZero(each));
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([key, each]) => [key, withoutMinusZero(each)]));
}

const int16 = { kind: "integer", bits: 16 } as const;
const int64 = { kind: "integer", bits: 64 } as const;
const numeric = { kind: "decimal", precision: null, scale: null } as const;
const money = { kind: "decimal", precision: 5, scale: 2 } as const;
const thousands = { kind: "decimal", precision: 3, scale: -3 } as const;
const tiny = { kind: "decimal", precision: 3, scale: 5 } as const;
const float32 = { kind: "float", bits: 32 } as const;
const float64 = { kind: "float", bits: 64 } as const;
const affinity = { kind: "affinity" } as const;
const date = { kind: "date" } as const;
const time = { kind: "time", digits: 6 } as const;
const timeOfSeconds = { kind: "time", digits: 0 } as const;
const moment = { kind: "timestamp", zone: true, digits: 6 } as const;
const local = { kind: "timestamp", zone: false, digits: 6 } as const;
const localOfSeconds = { kind: "timestamp", zone: false, digits: 0 } as const;
const notInt16 = "it is not an integer between -32768 and 32767";
const notADay = "it is not a day of the calendar between the years 0001 and 9999";
const notAMoment = "it is not a time such as 2026-11-24T21:43:18.120Z";
const tooLong = "it has more than 131072 digits before the point";

test.each<[ColumnType, string, string]>([
  [int16, "007", "7"],
  [int16, "-0", "0"],
  [int16, "+32767", "32767"],
  [int16, "32768", notInt16],
  [int16, " 1", notInt16],
  [int16, "", notInt16],
  [int64, "-9223372036854775808", "-9223372036854775808"],
  [int64, "9223372036854775808", "it is not an integer between -9223372036854775808 and 9223372036854775807"],
  [numeric, "1.50", "1.50"],
  [numeric, "1.5e3", "1500"],
  [numeric, "1e-2", "0.01"],
  [numeric, "-0.0", "0.0"],
  [numeric, "-Infinity", "-Infinity"],
  [numeric, "1e131072", tooLong],
  [numeric, "1e-16384", "it has more than 16383 digits after the point"],
  [numeric, "1e999999999", "it has too large an exponent"],
  [numeric, "0x10", "it is not a number"],
  [money, "999.994", "999.99"],
  [money, "999.995", "it has more than 3 digits before the point"],
  [money, "-0.005", "-0.01"],
  [money, "-0.004", "0.00"],
  [money, "1e-900000", "0.00"],
  [money, "NaN", "NaN"],
  [money, "Infinity", "it is infinite, and the column has a precision"],
  [thousands, "12345.6", "12000"],
  [thousands, "499", "0"],
  [thousands, "500", "1000"],
  [thousands, "999500", "it has more than 6 digits before the point"],
  [tiny, "0.00123456", "0.00123"],
  [tiny, "0.01", "it is not below 1e-2"],
  [float64, "1e20", "100000000000000000000"],
  [float64, "-0", "0"],
  [float64, "1e400", "it is beyond the range of a float of 64 bits"],
  [float64, "1e-400", "it is beyond the range of a float of 64 bits"],
  [float64, "one", "it is not a number"],
  [float32, "0.1", "0.1"],
  [float32, "16777217", "16777216"],
  [float32, "3.4028236e38", "it is beyond the range of a float of 32 bits"],
  // Halfway between two floats and a little more: by way of a double it would be the lower one.
  [float32, "1.00000005960464477539062500000000000001", "1.0000001"],
  [affinity, "1e400", "it is a number beyond the range of a float of 64 bits"],
  [affinity, "1_000", "1_000"],
  [affinity, "9223372036854774784.0", "9223372036854774784"],
  [affinity, "-9223372036854775808.0", "-9223372036854776000"],
  [affinity, "-9223372036854775808", "-9223372036854775808"],
  [{ kind: "boolean" }, "oN", "true"],
  [{ kind: "boolean" }, "F", "false"],
  [{ kind: "boolean" }, "2", "it is neither true nor false"],
  [{ kind: "text", charsMax: 3, padded: false }, "üüüü", "it is longer than 3 characters"],
  [{ kind: "text", charsMax: 3, padded: true }, "üüü  ", "üüü"],
  [{ kind: "text", charsMax: null, padded: false }, "a\0", "it has a zero byte"],
  [{ kind: "enum", labels }, "ü x", "ü x"],
  [{ kind: "enum", labels }, "New", "it is none of new, paid, sent, ü x"],
  [{ kind: "enum", labels: Array.from({ length: 21 }, (_, at) => `n${at}`) }, "x", expectedOfMany()],
  [{ kind: "uuid" }, "a0ee", "it is not a UUID"],
  [date, "2026-02-30", notADay],
  [date, "0000-01-01", notADay],
  [date, "2026-1-1", "it is not a date such as 2026-11-24"],
  [date, "0001-02-29 BC", "0001-02-29 BC"],
  [date, "0002-02-29 BC", "it is not a date such as 2026-11-24"],
  [date, "12026-01-01", "12026-01-01"],
  [date, "-infinity", "-infinity"],
  [time, "21:43", "21:43:00.000"],
  [time, "21:43:18.1200007", "21:43:18.120001"],
  [time, "21:43:18.0000005", "21:43:18.000"],
  [time, "21:43:18.0000015", "21:43:18.000002"],
  [time, "24:00:00", "it is not a time of day such as 21:43:18.120"],
  [time, "23:59:60", "it is not a time of day such as 21:43:18.120"],
  [timeOfSeconds, "21:59:59.5", "22:00:00.000"],
  [timeOfSeconds, "23:59:59.5", "it rounds to 24:00:00"],
  [moment, "2026-11-24 21:43:18.12+00", "2026-11-24T21:43:18.120Z"],
  [moment, "2026-11-24T23:43:18.1234+0200", "2026-11-24T21:43:18.123400Z"],
  [moment, "2026-11-24T21:43:18", "it has no zone at its end (Z, or an offset such as +02:00)"],
  [moment, "2026-11-24T21:43:18+16", "it has an offset beyond 15:59"],
  [moment, "2026-11-24", notAMoment],
  [moment, "0001-01-01T00:00:00+01", notADay],
  [moment, "9999-12-31T23:59:59.9999999Z", notADay],
  [moment, "0044-03-15 12:00:00.5+00 BC", "0044-03-15 12:00:00.5+00 BC"],
  [moment, "0044-03-15 12:00:00.50+00 BC", notAMoment],
  [local, "2026-11-24 21:43:18.12", "2026-11-24T21:43:18.120"],
  [local, "2026-11-24T21:43:18Z", "it has a zone at its end, and the column has none"],
  [local, "infinity", "infinity"],
  // PostgreSQL counts from 2000 on and rounds ties away from there.
  [localOfSeconds, "2000-01-01 00:00:00.5", "2000-01-01T00:00:01.000"],
  [localOfSeconds, "1999-12-31 23:59:58.5", "1999-12-31T23:59:58.000"],
  [localOfSeconds, "0044-03-15 12:00:00.5 BC", "it is not a time such as 2026-11-24T21:43:18.120"],
  [{ kind: "unknown" }, "1", "it is of a type that is left alone"],
])("%o: %s is %s", (type, text, expected) => expect(said(type, text)).toBe(expected));

function expectedOfMany(): string {
  return `it is none of ${Array.from({ length: 20 }, (_, at) => `n${at}`).join(", ")}, …`;
}

test("hostile texts take no time that grows faster than they do", () => {
  const hostile = ["0", "1", " ", "-", "[", '"', "9.", "0-", ":", "\\"].flatMap((each) => [
    `${each.repeat(200_000)}x`,
    `1${each.repeat(200_000)}x`,
    `"${each.repeat(200_000)}x`,
  ]);
  for (const { type } of kindsOfColumns) for (const text of hostile) given(type, text);
});
