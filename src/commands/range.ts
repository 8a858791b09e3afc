/** Integers that must lie within bounds, with Redis' error for those that do not. Pure. */
import type { Bytes } from "../bytes.js";
import { parseInteger } from "./integer.js";
import { failure, notAnInteger, type ErrorReply } from "./reply.js";

const int32Min = -(2 ** 31);
const int32Max = 2 ** 31 - 1;

/** An integer of 32 bits, or the error. */
export function parseInt32(text: Bytes): number | ErrorReply {
  const value = parseInteger(text);
  if (value === null) return notAnInteger;
  if (value < int32Min || value > int32Max)
    return failure(`ERR value is out of range, value must between ${int32Min} and ${int32Max}`);
  return Number(value);
}
