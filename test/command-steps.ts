/** Stories: lines of commands on a map, and what they answer. */
import { expect } from "vitest";
import { isError, type Reply } from "../src/commands/reply.js";
import { Model } from "./commands-model.js";

/** A reply as the tables below write it. */
export function plain(reply: Reply): unknown {
  if (isError(reply)) return `-${reply.text}`;
  if (typeof reply === "object" && reply !== null && "kind" in reply && reply.kind === "simple")
    return `+${reply.text}`;
  if (reply instanceof Map) return Object.fromEntries(reply);
  return reply;
}

/** Lines that are run one after the other, and what each of them answers; `after N` lets milliseconds pass. */
export type Steps = readonly (readonly [string, unknown])[];

/** Runs them. */
export function checkSteps(steps: Steps): void {
  const model = new Model();
  for (const [line, wanted] of steps) {
    if (line.startsWith("after ")) model.now += Number(line.slice("after ".length));
    else expect([line, plain(model.run(...line.split(" ")))]).toEqual([line, wanted]);
  }
}
