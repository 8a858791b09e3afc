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

test("a long backlog of large frames takes no memory for each of them, and its count is never low", () => {
  const count = new ChangeCount();
  const frames = 1_000_000;
  for (let sequence = 1; sequence <= frames; sequence++) count.accepted(sequence, 3);
  expect(count.remembered).toBeLessThan(70_000);
  expect(count.of(frames)).toBe(3 * frames);
  for (const stored of [1, 10_000, 499_999, 500_000, 999_999]) {
    count.stored(stored);
    const pending = frames - stored;
    expect(count.of(pending)).toBeGreaterThanOrEqual(3 * pending);
    expect(count.of(pending)).toBeLessThan(3 * pending + frames / 1000);
  }
  count.stored(frames);
  expect(count.of(0)).toBe(0);
});
