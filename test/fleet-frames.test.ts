/** What a process of a fleet knows of the frames that it has made. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { MadeFrames } from "../src/redis/front/made-frames.js";

test("frames are numbered as they were kept, and stored up to the first that is not", () => {
  const kept = fc.array(fc.nat(3), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(kept, fc.array(fc.nat(20), { minLength: 4, maxLength: 4 }), (partitions, stored) => {
      const frames = new MadeFrames(4);
      const heads = [0, 0, 0, 0];
      const places = partitions.map((partition) => {
        const sequence = (heads[partition] = (heads[partition] as number) + 1);
        expect(frames.add(partition, sequence)).toBe(frames.last);
        return { partition, sequence };
      });
      places.forEach((place, index) => {
        const first = index + 1;
        expect(frames.between(first, first)).toEqual([{ first, count: 1, ...place }]);
      });
      const first = places.findIndex(({ partition, sequence }) => sequence > (stored[partition] as number));
      expect(frames.storedUpTo(stored)).toBe(first === -1 ? places.length : first);
    }),
  );
});
