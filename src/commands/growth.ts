/** How long a string may become by a command that makes it longer. Pure; what a store takes is in heart/door.ts. */
import { WriteBehindError } from "../errors.js";
import { failure, type ErrorReply } from "./reply.js";

/** Redis' proto-max-bulk-len. */
const redisBytesMax = 512 * 1024 * 1024;
/** V8's longest string is a little shorter. */
const stringBytesMax = 2 ** 29 - 24;

const tooLong = failure("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

/** Redis' error where a string would be longer than Redis takes, else null. Throws TOO_LARGE where V8 takes less. */
export function checkGrowth(bytes: number): ErrorReply | null {
  if (bytes > redisBytesMax) return tooLong;
  if (bytes <= stringBytesMax) return null;
  throw new WriteBehindError("TOO_LARGE", `a string of ${bytes} bytes; the most is ${stringBytesMax}`, {
    hint: "make it shorter, or split it over several records",
  });
}
