/**
 * CRC-32, as zlib computes it (RFC 1952). For short pieces a table in JavaScript is faster than the call into C++:
 * Node 20 needs 195 ns for 137 bytes, this 90 ns; at 300 bytes they are even. Pure.
 *
 * The table is "slicing by 8" (Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based
 * CRC Generators", 2005): eight bytes a step.
 */
import { crc32 } from "node:zlib";

const shortBytes = 300;
/** The polynomial of zlib, bits reversed. */
const polynomial = 0xedb88320;
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables();

/** The CRC-32 of the bytes from `start` to before `end`, continued from `seed`, the CRC of what came before. */
export function checksum(bytes: Buffer, start: number, end: number, seed: number): number {
  if (end - start > shortBytes) return crc32(bytes.subarray(start, end), seed);
  let crc = ~seed;
  let at = start;
  for (const stop = end - 7; at < stop; at += 8) {
    crc =
      look(t7, (crc ^ byte(bytes, at)) & 255) ^
      look(t6, ((crc >>> 8) ^ byte(bytes, at + 1)) & 255) ^
      look(t5, ((crc >>> 16) ^ byte(bytes, at + 2)) & 255) ^
      look(t4, (crc >>> 24) ^ byte(bytes, at + 3)) ^
      look(t3, byte(bytes, at + 4)) ^
      look(t2, byte(bytes, at + 5)) ^
      look(t1, byte(bytes, at + 6)) ^
      look(t0, byte(bytes, at + 7));
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ look(t0, (crc ^ byte(bytes, at)) & 255);
  return ~crc >>> 0;
}

function byte(bytes: Buffer, at: number): number {
  return bytes[at] as number;
}

function look(table: Int32Array, at: number): number {
  return table[at] as number;
}

type Tables = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

function tables(): Tables {
  const made = Array.from({ length: 8 }, () => new Int32Array(256)) as Tables;
  const [first] = made;
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial;
    first[i] = crc;
  }
  for (let slice = 1; slice < 8; slice++) {
    const [table, before] = [made[slice] as Int32Array, made[slice - 1] as Int32Array];
    for (let i = 0; i < 256; i++) table[i] = (look(before, i) >>> 8) ^ look(first, look(before, i) & 255);
  }
  return made;
}
