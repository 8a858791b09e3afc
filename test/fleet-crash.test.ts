/** Short campaigns with a fleet of real processes; `node dist/test/fleet-crash/main.js --seconds N` is the long one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FleetCampaign, line, runFleetCampaign } from "./fleet-crash/campaign.js";
import { FleetWritten } from "./fleet-crash/database.js";
import type { Disturbance, Way } from "./fleet-crash/fleet.js";
import { Bank, SharedCounter, SharedHash } from "./fleet-crash/shared.js";
import type { Found, Sight } from "./crash/history.js";
import { embeddedPostgres, systemPostgres } from "./postgres-server.js";
import { describeWith } from "./with-programs.js";

const seed = Date.now() % 1_000_000;
const hasPostgres = (embeddedPostgres() ?? systemPostgres()) !== null;

describeWith(["redis-server"], "a fleet of processes", () => {
  describe.skipIf(!hasPostgres)("with PostgreSQL", () => {
    test("killed, stopped, cut off at random: nothing that was answered is lost, nothing is written twice", async () => {
      const report = await runFleetCampaign({ seed, seconds: 4, apps: 3, streams: 3, workersMax: 4 }, () => {});
      expect(report.answered, line(report)).toBeGreaterThan(100);
      expect(report.commits, line(report)).toBeGreaterThan(0);
      expect(report.calms, line(report)).toBeGreaterThan(0);
    }, 90_000);

    describe("on the way between", () => {
      let campaign: FleetCampaign;
      beforeAll(async () => {
        campaign = await FleetCampaign.open({ seed, apps: 2, streams: 3, workersMax: 2, faults: [] });
      }, 60_000);
      afterAll(() => campaign.end());

      const ways: readonly Way[] = ["application-redis", "application-database", "worker-redis", "worker-database"];
      const whats: readonly Disturbance[] = ["cut", "halfClose", "delay"];
      test.for(ways.flatMap((way) => whats.map((what) => [way, what] as const)))(
        "%s: %s, under load",
        { timeout: 60_000 },
        async ([way, what]) => {
          const { answered } = campaign.report;
          try {
            await campaign.storm(500, [() => campaign.fleet.disturb(way, what)]);
            await campaign.calm();
          } catch (error) {
            throw campaign.explained(error);
          }
          expect(campaign.report.answered).toBeGreaterThan(answered);
        },
      );
    });
  });
});

describe("what the campaign looks at is seen", () => {
  const sightOf = (records: Readonly<Record<string, Found>>): Sight => ({
    records: new Map(Object.entries(records)),
    readFrom: 0,
    readTo: 0,
  });
  const text = (value: string): Found => ({ type: "string", value, expiresAt: null });

  test("a value that is written twice, an older one over a newer one, a position that goes back", () => {
    const value = (number: number) => ({ name: "{w1}s0", value: `1-${number}-é`, partition: null, sequence: null });
    const move = (partition: number, sequence: number) => ({ name: null, value: null, partition, sequence });
    const written = new FleetWritten();
    written.look([value(1), move(0, 4), value(3), move(1, 2), move(0, 5)]);
    expect(() => written.look([value(3)])).toThrow("number 3 after number 3");
    expect(() => written.look([value(2)])).toThrow("number 2 after number 3");
    expect(() => written.look([move(0, 5)])).toThrow("went from 5 to 5");
    expect(() => written.look([move(1, 1)])).toThrow("went from 2 to 1");
  });

  test("an increment that is lost or done twice, and two that have one answer", () => {
    const counter = new SharedCounter("count:0");
    expect([counter.answered(1, 1), counter.answered(2, 2)]).toEqual([null, null]);
    expect(counter.answered(2, 1)).toMatch("two increments");
    expect(counter.answered(3, 4)).toMatch("after 3");
    const check = (value: string) => () => counter.check(sightOf({ "count:0": text(value) }));
    expect(check("2")).not.toThrow();
    expect(check("1")).toThrow("2 increments were answered");
    expect(check("3")).toThrow("2 increments were answered");
    counter.unknown = 1;
    expect(check("3")).not.toThrow();
    expect(check("4")).toThrow("1 are unknown");
  });

  test("a field that is lost, and half a transaction", () => {
    const hash = new SharedHash("all");
    hash.answered("f1", "1-1-");
    hash.unanswered("f1", "1-2-");
    const check = (fields: Readonly<Record<string, string>>) => () =>
      hash.check(sightOf({ all: { type: "hash", fields: new Map(Object.entries(fields)), expiresAt: null } }));
    expect(check({ f1: "1-1-" })).not.toThrow();
    expect(check({ f1: "1-2-" })).not.toThrow();
    expect(check({})).toThrow("all/f1 is null");
    expect(check({ f1: "1-1-", f2: "2-1-" })).toThrow("nobody wrote it");
    const bank = new Bank("bank", 2);
    expect(() => bank.check(sightOf({ "{bank}0": text("-5"), "{bank}1": text("5") }))).not.toThrow();
    expect(() => bank.check(sightOf({ "{bank}0": text("-5") }))).toThrow("sum is -5");
  });
});
