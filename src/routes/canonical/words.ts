/** Values that are one of a few words or have one shape: booleans, labels of an enum, UUIDs. Pure. */
import { type Bytes, textOrNull } from "../../bytes.js";
import { WrongValue } from "./wrong-value.js";

const yes = /^(?:true|t|yes|y|on|1)$/i;
const no = /^(?:false|f|no|n|off|0)$/i;
const canonicalUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** PostgreSQL takes a hyphen after every four digits, or none. */
const anyUuid = /^(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}$/i;
/** More labels than these make no message that anybody reads. */
const labelsNamed = 20;

/** `true` or `false`, from the words that PostgreSQL takes for them. */
export function boolean(value: Bytes): Bytes | WrongValue {
  if (value === "true" || value === "false") return value;
  if (yes.test(value)) return "true" as Bytes;
  if (no.test(value)) return "false" as Bytes;
  return new WrongValue("is neither true nor false");
}

/** One of the labels, exactly. */
export function label(labels: readonly string[], value: Bytes): Bytes | WrongValue {
  const text = textOrNull(value);
  if (text !== null && labels.includes(text)) return value;
  const named = labels.slice(0, labelsNamed).join(", ");
  return new WrongValue(`is none of ${named}${labels.length > labelsNamed ? ", …" : ""}`);
}

/** 8-4-4-4-12 digits in lower case, from any spelling that PostgreSQL takes. */
export function uuid(value: Bytes): Bytes | WrongValue {
  if (canonicalUuid.test(value)) return value;
  const bare = value.startsWith("{") && value.endsWith("}") ? value.slice(1, -1) : value;
  if (!anyUuid.test(bare)) return new WrongValue("is not a UUID");
  const digits = bare.replaceAll("-", "").toLowerCase();
  const groups = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20),
  ];
  return groups.join("-") as Bytes;
}
