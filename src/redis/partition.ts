/** In which partition a record is, and what its log is called. Pure. */
import type { Bytes } from "../bytes.js";
import { crcOfBytes } from "./crc.js";

/** Digits of a log id that name the fleet; the rest names the partition. */
export const fleetDigits = 24;

/**
 * The part of a record that decides about its partition: what stands in its first {braces}, else all of it. The rule is
 * that of Redis Cluster (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
 */
export function tagOf(record: Bytes): Bytes {
  const open = record.indexOf("{");
  if (open === -1) return record;
  const close = record.indexOf("}", open + 1);
  return close <= open + 1 ? record : (record.slice(open + 1, close) as Bytes);
}

/** The partition of a record: CRC-32 (zlib) of its tag, modulo the number of partitions. */
export function partitionOf(record: Bytes, partitions: number): number {
  return crcOfBytes(tagOf(record)) % partitions;
}

/** The log id of a partition: the fleet's id and the partition as 8 hexadecimal digits. */
export function logIdOf(fleet: string, partition: number): string {
  return fleet + partition.toString(16).padStart(32 - fleetDigits, "0");
}

/** The partition that a log id names. */
export function partitionOfLog(logId: string): number {
  return Number.parseInt(logId.slice(fleetDigits), 16);
}
