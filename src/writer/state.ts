/**
 * The states of the writer and the ways between them. Pure.
 *
 *     resting ──► opening ──► ready ◄──► running ──► resting
 *
 * resting: before the first try, and after a failure until the next. opening: the store is being opened; from ready and
 * running at once, where it is not known what became of a commit. ready: it is open, and there is nothing to do yet.
 * running: something is being made and committed. stopped: for ever.
 */

/** What the writer is doing. */
export type WriterState = "opening" | "ready" | "running" | "resting" | "stopped";

const transitions: { readonly [From in WriterState]: readonly WriterState[] } = {
  opening: ["ready", "resting", "stopped"],
  ready: ["running", "resting", "opening", "stopped"],
  running: ["ready", "resting", "opening", "stopped"],
  resting: ["opening", "running", "resting", "stopped"],
  stopped: [],
};

/** What must agree with the state. */
export interface StateFacts {
  /** The store is open and its claim is ours. */
  readonly open: boolean;
  /** A try has failed, and the next has its time. */
  readonly failed: boolean;
  readonly stopping: boolean;
}

/** Asserts that the writer may go from one state to the other, and that what must be true there is. */
export function assertTransition(from: WriterState, to: WriterState, facts: StateFacts): void {
  assert(transitions[from].includes(to), `the writer goes from ${from} to ${to}`);
  assert(to !== "opening" || !facts.open, "an open store is opened");
  assert((to !== "ready" && to !== "running") || facts.open, `${to} without an open store`);
  assert(to !== "resting" || facts.failed, "resting without a failure");
  assert(to !== "stopped" || facts.stopping, "stopped unasked");
}

/** A broken invariant is a fault of the program and is not handled. */
export function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`broken invariant: ${what}`);
}
