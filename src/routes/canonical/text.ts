/** Text: what databases take as UTF-8, and how long it is in characters. Pure. */
import { type Bytes, textOrNull } from "../../bytes.js";
import { WrongValue } from "./wrong-value.js";

/** UTF-8 without zero bytes, of at most `charsMax` characters; `padded`: without the spaces at its end. */
export function text(charsMax: number | null, padded: boolean, value: Bytes): Bytes | WrongValue {
  if (value.includes("\0")) return new WrongValue("has a zero byte");
  if (textOrNull(value) === null) return new WrongValue("is not UTF-8");
  const meant = padded ? withoutSpacesAtEnd(value) : value;
  if (charsMax !== null && meant.length > charsMax && charsOf(meant) > charsMax) {
    return new WrongValue(`is longer than ${charsMax} characters`);
  }
  return meant;
}

function withoutSpacesAtEnd(value: Bytes): Bytes {
  let end = value.length;
  while (value.charCodeAt(end - 1) === 0x20) end--;
  return value.slice(0, end) as Bytes;
}

/** Code points: every byte but those that go on with one. */
function charsOf(value: Bytes): number {
  let chars = 0;
  for (let at = 0; at < value.length; at++) if ((value.charCodeAt(at) & 0xc0) !== 0x80) chars++;
  return chars;
}
