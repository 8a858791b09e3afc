/** The load of the benchmark: 100-byte values, uniform (or Zipf) over 100,000 keys, from dice that a seed decides. */

export const keyCount = 100_000;
const valueBytes = 100;

/** Every key. */
export const keys: readonly string[] = Array.from({ length: keyCount }, (_, i) => keyOf(i));

function keyOf(i: number): string {
  return `key:${String(i).padStart(12, "0")}`;
}

/** Dice: numbers in [0, 1) from a seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Some thousand different values; a value is ASCII, so its length is its bytes. */
export const values: readonly string[] = makeValues(4096);

function makeValues(count: number): string[] {
  const roll = dice(1);
  return Array.from({ length: count }, () => {
    let value = "";
    while (value.length < valueBytes) value += Math.floor(roll() * 36 ** 6).toString(36);
    return value.slice(0, valueBytes);
  });
}

/** A write: which key, which value. */
export interface Write {
  readonly key: string;
  readonly value: string;
}

/** Writes, uniform over the keys. */
export function uniformWrites(seed: number): () => Write {
  const roll = dice(seed);
  return () => ({
    key: keys[Math.floor(roll() * keyCount)] as string,
    value: values[Math.floor(roll() * values.length)] as string,
  });
}

/** Every key once, or so many of them and others like them, in an order that the seed decides. */
export function everyKeyOnce(seed: number, count = keyCount): Write[] {
  const roll = dice(seed);
  const shuffled = Array.from({ length: count }, (_, i) => keys[i] ?? keyOf(i));
  for (let i = shuffled.length - 1; i > 0; i -= 1) {
    const other = Math.floor(roll() * (i + 1));
    [shuffled[i], shuffled[other]] = [shuffled[other] as string, shuffled[i] as string];
  }
  return shuffled.map((key, i) => ({ key, value: values[i % values.length] as string }));
}

/** Writes whose keys follow Zipf's law: the k-th key is asked for in proportion to 1 / k^skew. */
export function zipfWrites(seed: number, skew: number): () => Write {
  const roll = dice(seed);
  const upTo = new Float64Array(keyCount);
  let sum = 0;
  for (let k = 0; k < keyCount; k += 1) {
    sum += 1 / (k + 1) ** skew;
    upTo[k] = sum;
  }
  return () => {
    const wanted = roll() * sum;
    let low = 0;
    let high = keyCount - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((upTo[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return { key: keys[low] as string, value: values[Math.floor(roll() * values.length)] as string };
  };
}

/** `total` calls from `callers` callers; each makes its next call when the one before is answered. */
export async function manyCallers(callers: number, total: number, call: () => Promise<unknown>): Promise<void> {
  let left = total;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}
