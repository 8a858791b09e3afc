/**
 * CRC-32 (zlib) of short texts. Pure. A call into zlib costs as much as some eighty bytes of this loop, and a small
 * write needs four of them.
 */
import { crc32 } from "node:zlib";
import { bufferOfBytes, type Bytes } from "../bytes.js";

/** Longer ones are zlib's. */
const shortMax = 64;

/** For each byte, the CRC-32 of it alone (ISO 3309: the polynomial 0xEDB88320, reflected). */
const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** The CRC-32 of bytes. */
export function crcOfBytes(bytes: Bytes): number {
  if (bytes.length > shortMax) return crc32(bufferOfBytes(bytes));
  let crc = -1;
  for (let at = 0; at < bytes.length; at++) crc = (crc >>> 8) ^ (table[(crc ^ bytes.charCodeAt(at)) & 255] as number);
  return ~crc >>> 0;
}

/**
 * The CRC-32 of the UTF-8 of a text, behind something whose CRC-32 is `before`: what zlib's function says of a
 * string.
 */
export function crcOfText(text: string, before: number = 0): number {
  if (text.length > shortMax) return crc32(text, before);
  let crc = ~before;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 127) return crc32(text, before);
    crc = (crc >>> 8) ^ (table[(crc ^ code) & 255] as number);
  }
  return ~crc >>> 0;
}
