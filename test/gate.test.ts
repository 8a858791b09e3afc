/** The pure parts of the queue's bounds: the gate, and the signposts that lead to single frames. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Gate, lowMark } from "../src/queue/journal/gate.js";
import { Signposts } from "../src/queue/journal/signposts.js";

describe("the gate of the queue", () => {
  it("closes at a limit and opens when a tenth is free, but an empty queue takes a frame of any size", () => {
    const gate = new Gate({ queueBytes: 1000, queueRecords: 10 });
    expect(gate.lets(5000, 0, 0)).toBe(true);
    expect(gate.lets(100, 900, 9)).toBe(true);
    expect(gate.lets(101, 900, 9)).toBe(false);
    expect(gate.lets(50, 900, 5)).toBe(false);
    expect(gate.lets(50, 850, 5)).toBe(true);
    expect(gate.lets(50, 850, 10)).toBe(false);
    expect(gate.lets(50, 850, 9)).toBe(false);
    expect(gate.lets(50, 850, 8)).toBe(true);
  });

  it("never lets in what exceeds a limit, and always lets in what is below the low mark", () => {
    const amount = fc.nat({ max: 150 });
    fc.assert(
      fc.property(fc.array(fc.tuple(amount, amount, amount)), (asked) => {
        const gate = new Gate({ queueBytes: 100, queueRecords: 100 });
        for (const [bytes, pendingBytes, pendingRecords] of asked) {
          const lets = gate.lets(bytes, pendingBytes, pendingRecords);
          if (pendingBytes > 0 && (bytes + pendingBytes > 100 || pendingRecords >= 100)) expect(lets).toBe(false);
          if (bytes + pendingBytes <= 100 * lowMark && pendingRecords < 100 * lowMark) expect(lets).toBe(true);
        }
      }),
    );
  });
});

describe("signposts", () => {
  it("lead to a frame that is not behind the asked one, and not far before it", () => {
    const frames = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 200_000 }), turn: fc.boolean() }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(frames, fc.nat(), (made, asked) => {
        const posts = new Signposts(0);
        const offsets: number[] = [];
        let offset = 0;
        made.forEach(({ bytes, turn }, index) => {
          posts.note(index + 1, offset, turn);
          offsets.push(offset);
          offset += bytes;
        });
        const sequence = 1 + (asked % made.length);
        posts.forget(sequence);
        const post = posts.before(sequence);
        expect(post?.sequence).toBeLessThanOrEqual(sequence);
        expect(post?.offset).toBe(offsets[(post?.sequence ?? 0) - 1]);
        // Not across a turn, and less than one spacing away.
        expect(made.slice(post?.sequence, sequence).some(({ turn }) => turn)).toBe(false);
        expect((offsets[sequence - 1] as number) - (post?.offset as number)).toBeLessThan(64 * 1024);
      }),
    );
  });
});
