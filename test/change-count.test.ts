import fc from "fast-check";
import { expect, test } from "vitest";
import { ChangeCount } from "../src/heart/change-count.js";

test("pending changes are those of the frames that are not stored", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(3)), { maxLength: 80 }), (frames) => {
      const count = new ChangeCount();
      const changes = [0];
      let stored = 0;
      for (const [made, ahead] of frames) {
        changes.push(made);
        const accepted = changes.length - 1;
        count.accepted(accepted, made);
        stored = Math.min(accepted, stored + ahead);
        count.stored(stored);
        const pending = changes.slice(stored + 1).reduce((sum, one) => sum + one, 0);
        expect(count.of(accepted - stored)).toBe(pending);
      }
    }),
  );
});
