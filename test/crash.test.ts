/** A short crash campaign; `npm run crash -- --kills N` is the long one. */
import { expect, test } from "vitest";
import { runCampaign } from "./crash/campaign.js";

test("kill -9 at random instants loses nothing that was answered", async () => {
  const report = await runCampaign(Date.now() % 1_000_000, { kills: 5, seconds: 8 }, () => {});
  expect(report.kills).toBeGreaterThan(0);
  expect(report.answered).toBeGreaterThan(100);
}, 60_000);
