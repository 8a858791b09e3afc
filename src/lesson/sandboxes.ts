/** The sandboxes of one server: a few at the same time, each closed after a while without a call. */
import { WriteBehindError } from "../errors.js";
import type { Random, Timer } from "../host/host.js";
import type { Lesson } from "./lesson.js";
import { closedSandbox, LiveSandbox, openHint, type SandboxParts } from "./live-sandbox.js";
import { nothingDone, sandboxLimits, type SandboxAction, type SandboxAnswer, type Sandboxes } from "./sandbox.js";

/** What they are made with. `runLesson`: a run of the worked example in folders of its own. */
export interface SandboxesParts extends SandboxParts {
  readonly random: Random;
  runLesson(): Promise<Lesson>;
}

/** Opens none yet. */
export function sandboxesOf(parts: SandboxesParts): Sandboxes {
  return new LiveSandboxes(parts);
}

/** So many closed ones are remembered, to tell why. */
const closedMax = 100;

/** A place for a sandbox. */
interface Held {
  /** Null while it is being opened. */
  sandbox: LiveSandbox | null;
  /** Calls that are under way. */
  calls: number;
  idle: Timer | null;
}

class LiveSandboxes implements Sandboxes {
  readonly #parts: SandboxesParts;
  /** By id; what was used last stands last. */
  readonly #held = new Map<string, Held>();
  /** Why they were closed, by id. */
  readonly #closedBy = new Map<string, string>();
  /** What closes and opens at this moment: the end waits for it. */
  readonly #underWay = new Set<Promise<unknown>>();
  #lesson: Promise<Lesson> | null = null;
  #isClosed = false;

  constructor(parts: SandboxesParts) {
    this.#parts = parts;
  }

  lesson(): Promise<Lesson> {
    if (this.#isClosed) throw stopping();
    // Whoever asks meanwhile gets the same run: a lesson costs a second of the server's.
    this.#lesson ??= this.#wait(this.#parts.runLesson()).finally(() => (this.#lesson = null));
    return this.#lesson;
  }

  async open(): Promise<SandboxAnswer> {
    if (this.#isClosed) throw stopping();
    const room = this.#makeRoom();
    const id = this.#parts.random.hex(8);
    const held: Held = { sandbox: null, calls: 1, idle: null };
    this.#held.set(id, held);
    try {
      const { sandbox, answer } = await this.#wait(room.then(() => LiveSandbox.open(id, this.#parts)));
      held.sandbox = sandbox;
      this.#left(id, held);
      return answer;
    } catch (error) {
      this.#held.delete(id);
      throw error;
    }
  }

  async act(id: string, action: Exclude<SandboxAction, { kind: "open" }>): Promise<SandboxAnswer> {
    const held = this.#held.get(id);
    if (held === undefined || held.sandbox === null) throw this.#gone(id);
    if (action.kind === "close") {
      await this.#close(id, held, "it was asked to close");
      return { id, kind: "close", ...nothingDone, action: "Sandbox closed", now: null };
    }
    held.idle?.cancel();
    held.calls += 1;
    this.#held.delete(id);
    this.#held.set(id, held);
    try {
      return await held.sandbox.act(action);
    } finally {
      this.#left(id, held);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // One that is being opened can be closed once it is open.
    while (this.#underWay.size > 0 || this.#held.size > 0) {
      for (const [id, held] of this.#held) void this.#close(id, held, "the server stops");
      await Promise.allSettled(this.#underWay);
    }
  }

  /** A call has been answered: the time without one begins. */
  #left(id: string, held: Held): void {
    held.calls -= 1;
    if (held.calls > 0 || this.#held.get(id) !== held) return;
    const { idleMs } = sandboxLimits;
    const close = (): void => void this.#close(id, held, `nobody used it for ${idleMs / 60_000} minutes`);
    held.idle = this.#parts.clock.after(idleMs, close);
  }

  /** The one that was left alone longest goes where there are too many. Throws REFUSED where all are at work. */
  #makeRoom(): Promise<void> {
    const { sandboxesMax } = sandboxLimits;
    if (this.#held.size < sandboxesMax) return Promise.resolve();
    const oldest = [...this.#held].find(([, held]) => held.calls === 0);
    if (oldest === undefined) {
      const message = `${sandboxesMax} sandboxes are open, and all of them at work`;
      throw new WriteBehindError("REFUSED", message, { hint: "try again in a moment" });
    }
    return this.#close(...oldest, "a newer one took its place");
  }

  #close(id: string, held: Held, why: string): Promise<void> {
    const { sandbox } = held;
    if (sandbox === null || this.#held.get(id) !== held) return Promise.resolve();
    held.idle?.cancel();
    this.#held.delete(id);
    this.#closedBy.set(id, why);
    for (const first of this.#closedBy.keys()) if (this.#closedBy.size > closedMax) this.#closedBy.delete(first);
    return this.#wait(sandbox.close(why));
  }

  #gone(id: string): WriteBehindError {
    const why = this.#closedBy.get(id);
    if (why !== undefined) return closedSandbox(id, why);
    return new WriteBehindError("BAD_VALUE", `there is no sandbox ${JSON.stringify(id)}`, { hint: openHint });
  }

  #wait<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const over = (): void => void this.#underWay.delete(work);
    work.then(over, over);
    return work;
  }
}

function stopping(): WriteBehindError {
  return new WriteBehindError("CLOSED", "the server stops", { hint: "start it again" });
}
