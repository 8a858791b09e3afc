/** JSON: which texts are, and the one text of a value where the database keeps the value and not the text. Pure. */
import { type Bytes, bytesOfText, textOfBytes, textOrNull } from "../../bytes.js";
import { decimal } from "./decimal.js";
import { WrongValue } from "./wrong-value.js";

/** A parser that calls itself, here or in a database, can go so deep. */
const depthMax = 1000;
/** Numbers are written out without exponents: few bytes must not become very many. Doubles end at 1e308 and 5e-324. */
const exponentMax = 400;
/** Stays as it is, whatever a number may be. */
const plainInteger = /^(?:0|-?[1-9][0-9]{0,99})$/;
const quote = 0x22;
const backslash = 0x5c;
const loneSurrogate = /\p{Surrogate}/u;

/**
 * Valid JSON. `verbatim`: as it is. Else without spaces, keys in the order of their bytes, of equal keys the last one,
 * strings as JSON.stringify writes them, numbers with every digit they have, as PostgreSQL's jsonb keeps them.
 */
export function json(verbatim: boolean, value: Bytes): Bytes | WrongValue {
  const text = textOrNull(value);
  if (text === null) return new WrongValue("is not UTF-8");
  // Before JSON.parse sees it, for the same reason as above.
  if (isDeeperThan(depthMax, value)) return new WrongValue(`is JSON nested deeper than ${depthMax}`);
  try {
    JSON.parse(text);
  } catch {
    return new WrongValue("is not JSON");
  }
  return verbatim ? value : new Rewriter(value).rewrite();
}

function isDeeperThan(limit: number, value: Bytes): boolean {
  if (value.length <= limit) return false;
  let depth = 0;
  for (let at = 0; at < value.length; at++) {
    const char = value[at];
    if (char === '"') at = endOfString(value, at) - 1;
    else if (char === "[" || char === "{") depth++;
    else if (char === "]" || char === "}") depth--;
    if (depth > limit) return true;
  }
  return false;
}

/** Behind the closing quote of the string that begins here; the end of the text where there is none. */
function endOfString(value: Bytes, start: number): number {
  for (let at = start + 1; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code === backslash) at++;
    else if (code === quote) return at + 1;
  }
  return value.length;
}

/** Writes valid JSON anew. It works on the bytes, so that keys are ordered as databases order them. */
class Rewriter {
  readonly #source: Bytes;
  #at = 0;
  /** The first thing that no database would keep. */
  #wrong: WrongValue | null = null;

  constructor(source: Bytes) {
    this.#source = source;
  }

  rewrite(): Bytes | WrongValue {
    const text = this.#value();
    return this.#wrong ?? text;
  }

  #value(): Bytes {
    const char = this.#next();
    if (char === '"') return quoted(this.#string());
    if (char === "{") return this.#object();
    if (char === "[") return this.#array();
    const token = this.#token();
    return token === "true" || token === "false" || token === "null" ? token : this.#number(token);
  }

  #object(): Bytes {
    const members = new Map<Bytes, Bytes>();
    this.#at++;
    while (this.#next() !== "}") {
      if (this.#next() === ",") this.#skip(",");
      const key = this.#string();
      this.#skip(":");
      members.set(key, this.#value());
    }
    this.#at++;
    let text = "";
    for (const key of [...members.keys()].sort())
      text += `${text === "" ? "{" : ","}${quoted(key)}:${members.get(key)}`;
    return (text === "" ? "{}" : `${text}}`) as Bytes;
  }

  #array(): Bytes {
    // Put together with +, which copies nothing: joining would copy what is deep inside once for each level.
    let text = "";
    this.#at++;
    while (this.#next() !== "]") {
      if (this.#next() === ",") this.#skip(",");
      text += (text === "" ? "[" : ",") + this.#value();
    }
    this.#at++;
    return (text === "" ? "[]" : `${text}]`) as Bytes;
  }

  /** The next character that is no space. */
  #next(): string | undefined {
    while (this.#source.charCodeAt(this.#at) <= 0x20) this.#at++;
    return this.#source[this.#at];
  }

  #skip(char: string): void {
    if (this.#next() === char) this.#at++;
    this.#next();
  }

  /** A string's content. */
  #string(): Bytes {
    const start = this.#at;
    this.#at = endOfString(this.#source, start);
    const token = this.#source.slice(start, this.#at) as Bytes;
    if (!token.includes("\\")) return token.slice(1, -1) as Bytes;
    const text = JSON.parse(textOfBytes(token)) as string;
    if (text.includes("\0")) this.#wrong ??= new WrongValue("is JSON with \\u0000 in a string");
    if (loneSurrogate.test(text)) this.#wrong ??= new WrongValue("is JSON with half a surrogate pair in a string");
    return bytesOfText(text);
  }

  /** A number or a word. */
  #token(): Bytes {
    const start = this.#at;
    while (isOfToken(this.#source.charCodeAt(this.#at))) this.#at++;
    return this.#source.slice(start, this.#at) as Bytes;
  }

  #number(token: Bytes): Bytes {
    if (plainInteger.test(token)) return token;
    const exponent = Number(/[eE](.*)$/.exec(token)?.[1] ?? 0);
    if (Math.abs(exponent) > exponentMax) {
      this.#wrong ??= new WrongValue(`is JSON with an exponent beyond ${exponentMax}`);
      return token;
    }
    const number = decimal(null, null, token);
    if (typeof number === "string") return number;
    this.#wrong ??= new WrongValue(`is JSON with a number that ${number.why}`);
    return token;
  }
}

/** Digits, letters, point and signs: what a number or a word goes on with, and nothing that follows one. */
function isOfToken(code: number): boolean {
  return code > 0x2a && code !== 0x2c && code !== 0x5d && code !== 0x7d;
}

/** A string's content as JSON.stringify writes it. */
function quoted(content: Bytes): Bytes {
  // Most need no escape; UTF-8 goes through as it is.
  if (!/["\\\x00-\x1f]/.test(content)) return `"${content}"` as Bytes;
  return bytesOfText(JSON.stringify(textOfBytes(content)));
}
