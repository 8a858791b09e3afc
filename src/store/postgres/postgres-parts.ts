/** Lists in parts: how much goes with one statement. */

/** So many bytes go with one statement, or one value more: a message of the protocol has less than 1 GB. */
const stepBytesMax = 2 ** 25;

/** A list in parts of so many bytes; no part is empty, so an empty list has none. */
export function inParts<T>(list: readonly T[], bytesOf: (each: T) => number): T[][] {
  const parts: T[][] = [];
  let bytes = Infinity;
  for (const each of list) {
    const more = bytesOf(each);
    if (bytes + more > stepBytesMax) {
      parts.push([]);
      bytes = 0;
    }
    bytes += more;
    parts.at(-1)?.push(each);
  }
  return parts;
}
