/** What a keeper in a Redis is made with. */
import type { Random } from "../host/host.js";
import type { RedisLink } from "./redis-link.js";

/** How a write is confirmed beyond Redis' answer. */
export interface Confirmation {
  readonly wait: "none" | "waitaof" | "wait";
  /** So long, in milliseconds; then it is UNKNOWN what became of the write. */
  readonly timeoutMs: number;
}

/** What it is made with. */
export interface RedisKeeperParts {
  /** For people. */
  readonly place: string;
  readonly link: RedisLink;
  /** A connection of their own for writes, where confirming one holds up the connection. */
  readonly writing: RedisLink;
  readonly random: Random;
  readonly confirmation: Confirmation;
  /** How long a record's absence is remembered, in milliseconds. */
  readonly absentMs: number;
}
