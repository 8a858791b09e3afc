/** Any writes, outages, deaths and lost answers: in the end the database is what was written. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Bytes } from "../src/bytes.js";
import { apply, remove, type Change, type RecordValue } from "../src/change.js";
import { WriteBehindError } from "../src/errors.js";
import { StoreError } from "../src/store/store.js";
import type { KeeperVerb } from "../simulator/redis/memory-keeper.js";
import { FleetWorld, type TestWorker } from "./fleet-kit.js";

const records = ["a", "b", "c", "d", "e", "f"] as readonly string[] as readonly Bytes[];

type Step =
  | { readonly do: "write"; readonly changes: readonly (readonly [number, Change])[] }
  | { readonly do: "flood"; readonly frames: number; readonly record: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "down" | "up" | "kill" | "refuse" | "heal" }
  | { readonly do: "loseCommit" }
  | { readonly do: "lose"; readonly verb: KeeperVerb; readonly when: "before" | "after" };

const text = fc.constantFrom("x", "y", "z");
const change: fc.Arbitrary<Change> = fc.oneof(
  text.map((content): Change => ({ kind: "replace", content: content as Bytes, expiresAt: null, afterRemove: false })),
  fc.tuple(text, text).map(([field, value]): Change => {
    const set = new Map([[field as Bytes, value as Bytes]]);
    return { kind: "merge", fields: { set, unset: new Set() }, expiresAt: undefined };
  }),
  text.map((field): Change => {
    return { kind: "merge", fields: { set: new Map(), unset: new Set([field as Bytes]) }, expiresAt: undefined };
  }),
  fc.constant(remove),
);
const index = fc.nat({ max: records.length - 1 });
const changes = fc.uniqueArray(fc.tuple(index, change), { minLength: 1, maxLength: 3, selector: ([at]) => at });
const verbs = ["aim", "compact", "baseOf", "baseRecords", "settle", "stored", "frames"] as const;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: changes.map((each): Step => ({ do: "write", changes: each })) },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.integer({ min: 4, max: 20 }), index).map(([frames, record]): Step => {
      return { do: "flood", frames, record };
    }),
  },
  { weight: 8, arbitrary: fc.constantFrom(50, 300, 1500, 4000).map((ms): Step => ({ do: "advance", ms })) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "down" }) },
  { weight: 3, arbitrary: fc.constant<Step>({ do: "up" }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Step>({ do: "kill" }, { do: "loseCommit" }, { do: "refuse" }, { do: "heal" }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...verbs), fc.constantFrom("before", "after")).map(([verb, when]): Step => {
      return { do: "lose", verb, when };
    }),
  },
);

/** So large that a few of them are worth a compaction. */
const large = "l".repeat(20_000);

class Script {
  readonly world: FleetWorld;
  readonly #rows = new Map<Bytes, RecordValue | null>();
  #worker: TestWorker | null = null;
  #refused: Bytes | null = null;
  #lose: { readonly verb: KeeperVerb; readonly when: "before" | "after" } | null = null;
  #count = 0;
  compacted = 0;

  constructor(seed: number) {
    this.world = new FleetWorld(1, seed);
    this.world.refuse = ({ rows }) => {
      if (this.#refused !== null && rows.has(this.#refused)) throw new StoreError("refused", "no");
    };
  }

  async run(steps: readonly Step[]): Promise<void> {
    await this.#start();
    for (const each of steps) await this.#do(each);
    this.world.answers = () => {};
    this.world.down = false;
    this.#refused = null;
    this.#lose = null;
    const { world } = this;
    const isDone = (): boolean => {
      const [partition] = world.state.partitions;
      return world.stored && partition?.letters === 0 && partition.waitingBehind === 0 && partition.base === null;
    };
    await world.until(isDone);
    const rows = [...this.#rows].filter(([, value]) => value !== null);
    expect(new Map(world.database.rows())).toEqual(new Map(rows));
    expect((await world.states())[0]).toMatchObject({
      pendingBytes: 0,
      pendingRecords: 0,
      oldestAt: null,
      broken: null,
    });
  }

  async #start(): Promise<void> {
    const worker = await this.world.start({ batchRecords: 2, retryMaxMs: 400 });
    worker.fault = (verb, when) => {
      if (verb === "compact" && when === "after") this.compacted++;
      if (this.#lose === null || this.#lose.verb !== verb || this.#lose.when !== when) return;
      this.#lose = null;
      throw new WriteBehindError(when === "before" ? "CACHE_DOWN" : "UNKNOWN", "cut");
    };
    this.#worker = worker;
  }

  async #do(each: Step): Promise<void> {
    const { world } = this;
    switch (each.do) {
      case "write":
        return this.#write(each.changes.map(([at, made]) => [records[at] as Bytes, made]));
      case "flood":
        for (let frame = 0; frame < each.frames; frame++) await this.#writeLarge(records[each.record] as Bytes);
        return undefined;
      case "advance":
        return world.advance(each.ms);
      case "down":
      case "up":
        world.down = each.do === "down";
        return undefined;
      case "kill":
        this.#worker?.kill();
        return this.#start();
      case "refuse":
      case "heal":
        this.#refused = each.do === "refuse" ? (records[0] as Bytes) : null;
        return undefined;
      case "loseCommit":
        world.answers = ({ expected, to }) => {
          if (expected?.sequence === to.sequence) return;
          world.answers = () => {};
          world.down = true;
          throw new StoreError("retryable", "connection reset");
        };
        return undefined;
      case "lose":
        this.#lose = each;
        return undefined;
    }
  }

  #writeLarge(record: Bytes): Promise<void> {
    const content = `${++this.#count} ${large}` as Bytes;
    return this.#write([[record, { kind: "replace", content, expiresAt: null, afterRemove: false }]]);
  }

  async #write(made: readonly (readonly [Bytes, Change])[]): Promise<void> {
    for (const [record, each] of made) this.#rows.set(record, apply(this.#rows.get(record) ?? null, each));
    await this.world.writeFrames(0, [made.map(([record, each]) => ({ record, change: each }))]);
  }
}

test("in the end the database is what was written", async () => {
  let compacted = 0;
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), fc.nat(), async (steps, seed) => {
    const script = new Script(seed);
    await script.run(steps);
    compacted += script.compacted;
  });
  await fc.assert(property, { numRuns: 200 });
  // It would prove nothing if hardly anything was composed.
  expect(compacted).toBeGreaterThan(100);
});
