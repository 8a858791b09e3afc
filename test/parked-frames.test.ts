/** What is remembered of parked frames: by the heart, and by a connection of its own. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ParkedFrames } from "../src/heart/parked-frames.js";
import { WrittenFrames } from "../src/server/written-frames.js";

const noReason = (): null => null;

/** Fates of frames 1, 2, 3 …: stored, a letter, or behind the letter before. */
const fates = fc.array(fc.constantFrom("stored", "stored", "letter", "behind"), { minLength: 1, maxLength: 60 });

describe("the heart's memory", () => {
  test("every frame has the fate that it had, until its letter is stored", () => {
    fc.assert(
      fc.property(fates, fc.array(fc.nat(60), { maxLength: 10 }), (all, healed) => {
        const frames = new ParkedFrames();
        let letter = 0;
        const model = all.map((fate, index) => {
          const frame = index + 1;
          if (fate === "letter") letter = frame;
          if (fate === "stored" || letter === 0) return null;
          frames.add(frame, fate, String(letter));
          return String(letter);
        });
        for (const id of healed) {
          frames.stored([String(id)]);
          model.forEach((of, index) => of === String(id) && (model[index] = null));
        }
        model.forEach((of, index) => {
          const refusal = frames.refusal(index + 1, () => "CHECK failed");
          expect(refusal?.code ?? null).toBe(of === null ? null : "REFUSED");
          if (of !== null) expect(refusal?.message).toMatch(new RegExp(`dead letter ${of}\\b.*CHECK failed`));
          expect(frames.anyIn(index + 1, index + 3)).toBe(model.slice(index, index + 3).some((one) => one !== null));
          const named = new Set(model.slice(index, index + 5).filter((one) => one !== null));
          expect(frames.lettersIn(index + 1, index + 5)).toEqual([...named]);
        });
      }),
    );
  });

  test.each([false, true])(
    "a letter says that it was refused, what is behind that it waits, and what was given up",
    (gaveUpBehind) => {
      const frames = new ParkedFrames();
      frames.add(5, "letter", "5");
      for (const frame of [7, 8, 9]) frames.add(frame, "behind", "5");
      expect(frames.refusal(5, () => "UNIQUE")).toMatchObject({
        code: "REFUSED",
        message: "the database refused the change, which is dead letter 5 now: UNIQUE",
        hint: expect.stringContaining("write-behind dead show 5") as string,
      });
      expect(frames.refusal(8, noReason)?.message).toBe(
        "the change waits behind dead letter 5, which the database refuses",
      );
      frames.discarded(["5"], gaveUpBehind);
      expect(frames.refusal(5, noReason)).toMatchObject({
        code: "REFUSED",
        message: expect.stringContaining("discarded: it will not be written") as string,
      });
      if (gaveUpBehind)
        expect(frames.refusal(9, noReason)?.message).toContain("discarded with it: it will not be written");
      else expect(frames.refusal(9, noReason)).toBeNull();
      expect(frames.lettersIn(1, 9)).toEqual([]);
      expect(frames.refusal(6, noReason)).toBeNull();
    },
  );

  test("what is not known is said to be unknown", () => {
    const frames = new ParkedFrames();
    frames.addUnknown(10, 19);
    expect([9, 10, 19, 20].map((frame) => frames.refusal(frame, noReason)?.code)).toEqual([
      undefined,
      "UNKNOWN",
      "UNKNOWN",
      undefined,
    ]);
    frames.stored(["12"]);
    frames.discarded(["12"], true);
    expect(frames.refusal(12, noReason)?.code).toBe("UNKNOWN");
  });

  test("it is bounded: the oldest are forgotten, and that is said, too", () => {
    const frames = new ParkedFrames(32);
    for (let frame = 2; frame <= 2 * 33; frame += 2) frames.add(frame, "letter", String(frame));
    expect(frames.refusal(66, noReason)?.code).toBe("REFUSED");
    expect(frames.refusal(5, noReason)).toBeNull();
    expect([1, 2, 3, 4].map((frame) => frames.refusal(frame, noReason)?.code)).toEqual(
      Array.from({ length: 4 }, () => "UNKNOWN"),
    );
    expect(frames.anyIn(1, 1)).toBe(true);
    // Neighbours of one fate are one range: a hot record that is parked costs nothing.
    for (let frame = 100; frame < 1000; frame++) frames.add(frame, "behind", "66");
    expect(frames.refusal(6, noReason)?.code).toBe("REFUSED");
    expect(frames.refusal(999, noReason)?.code).toBe("REFUSED");
  });

  test("where the database went back, what came later is forgotten", () => {
    const frames = new ParkedFrames();
    for (const frame of [3, 4, 5]) frames.add(frame, "behind", "1");
    frames.add(9, "letter", "9");
    frames.cut(4);
    expect([4, 5, 9].map((frame) => frames.refusal(frame, noReason)?.code)).toEqual(["REFUSED", undefined, undefined]);
    frames.add(5, "letter", "5");
    expect(frames.refusal(5, noReason)?.message).toContain("dead letter 5");
  });
});

describe("a connection's memory", () => {
  test("WAIT hears of a parked frame of its own, whenever it was stored, and of no other one's", () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ mine: fc.boolean(), parked: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ stored: fc.nat(8) }) },
      { weight: 1, arbitrary: fc.constant("wait" as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const parked = new Set<number>();
        const heart = {
          stored: 0,
          deadLetters: {
            anyIn: (first: number, last: number) =>
              [...parked].some((frame) => frame <= heart.stored && first <= frame && frame <= last),
          },
        };
        const written = new WrittenFrames(heart);
        let [accepted, mine] = [0, [] as number[]];
        for (const one of steps) {
          if (one === "wait") {
            heart.stored = accepted;
            expect(written.last).toBe(Math.max(written.last, ...mine));
            expect(written.anyParked).toBe(mine.some((frame) => parked.has(frame)));
            written.answered();
            mine = [];
          } else if ("mine" in one) {
            accepted++;
            if (one.parked) parked.add(accepted);
            if (one.mine) written.add(accepted);
            if (one.mine) mine.push(accepted);
          } else {
            heart.stored = Math.min(accepted, heart.stored + one.stored);
            expect(written.anyParked).toBe(mine.some((frame) => parked.has(frame) && frame <= heart.stored));
          }
        }
      }),
    );
  });

  test("it is bounded, and then errs on the side of `parked`", () => {
    const parked = new Set([3_999_800, 4_000_200]);
    let asked = 0;
    const anyIn = (first: number, last: number): boolean => {
      asked++;
      return [...parked].some((frame) => first <= frame && frame <= last);
    };
    const heart = { stored: 0, deadLetters: { anyIn } };
    const written = new WrittenFrames(heart);
    for (let frame = 1; frame <= 1_000_000; frame += 2) written.add(frame);
    heart.stored = 1_000_000;
    expect(written.anyParked).toBe(false);
    expect(asked).toBeLessThan(20_000);
    for (let frame = 2_000_001; frame < 6_000_000; frame += 400) written.add(frame);
    heart.stored = 6_000_000;
    // They are somebody else's, each between two of this connection's.
    expect(written.anyParked).toBe(true);
  });
});
