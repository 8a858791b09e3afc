/** Why a server has not started yet, in a sentence that is true at this moment. */
import type { Emitter } from "../events.js";
import { count, percent } from "../amounts.js";

const steps = { journal: "reading the journal", pending: "taking what is pending into the cache" };

/** Listens to a start. `waitsFor`: what it may wait for as long as nothing else is known. */
export class EarlyReason {
  text: string;

  constructor(events: Emitter, waitsFor: string) {
    this.text = waitsFor;
    events.on("recovering", ({ step, done, total }) => {
      this.text = `${steps[step]}: ${percent(done, total)} of ${count(total)} ${step === "journal" ? "files" : "frames"}`;
      if (step === "journal" && done >= total) this.text = "the journal is read; the database has not answered yet";
    });
    events.on("warming", ({ records }) => {
      this.text = `reading all records into memory: ${count(records)} so far`;
    });
    events.on("retry", ({ error }) => {
      this.text = `the database cannot be reached, and the first start waits for it: ${error.message}`;
    });
  }

  /** It waits for something else. */
  waits(why: string): void {
    this.text = `${why}; it is waited for`;
  }
}
