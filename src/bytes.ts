/**
 * Byte strings: how keys and values look inside the engine.
 *
 * A `Bytes` is a JavaScript string in which every character is one byte (code 0 to 255). V8 keeps such a string in
 * one byte a character, it can be a key of a Map, and `<` orders it exactly as memcmp orders the bytes. It is not
 * text: text is turned into UTF-8 bytes at the edge of the system and back again there.
 */

declare const oneCharacterPerByte: unique symbol;

/** A string whose characters are bytes (0 to 255). Comparing with `<` is comparing the bytes. */
export type Bytes = string & { readonly [oneCharacterPerByte]: true };

const ascii = /^[\x00-\x7f]*$/;

/** The UTF-8 bytes of a text. A lone surrogate becomes U+FFFD, as everywhere in Node. */
export function bytesOfText(text: string): Bytes {
  if (ascii.test(text)) return text as Bytes;
  return Buffer.from(text, "utf8").toString("latin1") as Bytes;
}

/** The bytes of a buffer, copied. */
export function bytesOfBuffer(buffer: Uint8Array): Bytes {
  return Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength).toString("latin1") as Bytes;
}

/** A new buffer that holds the bytes. */
export function bufferOfBytes(bytes: Bytes): Buffer {
  return Buffer.from(bytes, "latin1");
}

/** The text whose UTF-8 these bytes are; bytes that are not UTF-8 become U+FFFD. */
export function textOfBytes(bytes: Bytes): string {
  if (ascii.test(bytes)) return bytes;
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** The text whose UTF-8 these bytes are, or null where they are not valid UTF-8. */
export function textOrNull(bytes: Bytes): string | null {
  if (ascii.test(bytes)) return bytes;
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  return Buffer.from(text, "utf8").toString("latin1") === bytes ? text : null;
}

/** How bytes are written in JSON: a string where they are UTF-8, else their base64. */
export type JsonBytes = string | { readonly base64: string };

/** Bytes as JSON shows them. */
export function jsonOfBytes(bytes: Bytes): JsonBytes {
  return textOrNull(bytes) ?? { base64: bufferOfBytes(bytes).toString("base64") };
}

/** Bytes from their form in JSON. */
export function bytesOfJson(json: JsonBytes): Bytes {
  return typeof json === "string" ? bytesOfText(json) : bytesOfBuffer(Buffer.from(json.base64, "base64"));
}
