/**
 * What runs in a sandbox's own process: an engine over an SQLite database that can be made to fail. It answers one
 * question after the other until it is killed; what lies in its folder then is what the next one recovers.
 */
import type { Bytes } from "../bytes.js";
import { commandRunner, type JsonReply } from "../dashboard/command.js";
import { plainError, type PlainError } from "../errors.js";
import type { Heart, Status } from "../heart.js";
import type { ThreadMain } from "../host/host.js";
import { nodeHost } from "../host/node-host.js";
import { resolveEngineOptions } from "../options-resolve.js";
import { loadStore } from "../store/load-store.js";
import { StoreError, type StoreDescriptor } from "../store/store.js";
import { openHeart } from "../write-behind.js";
import { lookInside } from "./engine.js";
import { HinderedStore } from "./hindered-store.js";
import { failedStepInWords, stepInWords } from "./run-rows.js";
import {
  commandInWords,
  nothingDone,
  sandboxLimits,
  type SandboxAction,
  type SandboxOutcome,
  type SandboxState,
  type SandboxStatus,
} from "./sandbox.js";

/** What it is started with. `isFirst`: there is nothing to recover, and the writer is to stand still. */
export interface SandboxStart {
  readonly folder: string;
  readonly store: StoreDescriptor;
  readonly databaseFails: boolean;
  readonly isFirst: boolean;
}

/** What the engine is asked: the answer tells of these keys. */
export interface ToSandbox {
  readonly action: Exclude<SandboxAction, { kind: "kill" | "close" }>;
  readonly keys: readonly Bytes[];
}

/** What it holds. */
export interface SeenInside extends Pick<SandboxState, "cache" | "queue"> {
  readonly status: SandboxStatus;
}

/** What it answers. `failed`: it could not be opened, or looked at. */
export type FromSandbox =
  | { readonly outcome: SandboxOutcome; readonly seen: SeenInside }
  | { readonly failed: PlainError };

/** Small files, and new tries that a person sees: somebody watches. */
const sandboxOptions = {
  segmentBytes: "1mb",
  retainBytes: "1mb",
  cacheBytes: "4mb",
  queueBytes: "64mb",
  queueRecords: 1000,
  diskReserve: "0",
  retryMinMs: 50,
  retryMaxMs: 500,
};

/** The words that tell this failure from a real one. */
const switchedOff = "the database is down (the walkthrough has switched it off)";

/** Called in the process. */
export const main: ThreadMain = (channel, data) => {
  const sandbox = SandboxEngine.open(data as SandboxStart);
  // Whoever asks hears of it.
  sandbox.catch(() => {});
  channel.receive((message) => {
    void sandbox
      .then((engine) => engine.answer(message as ToSandbox))
      .catch((error: unknown): FromSandbox => ({ failed: plainError(error) }))
      .then((answer) => channel.post(answer));
  });
};

class SandboxEngine {
  readonly #heart: Heart;
  readonly #switch: { fails: boolean };
  readonly #run: (args: readonly Bytes[]) => Promise<unknown>;

  private constructor(heart: Heart, databaseSwitch: { fails: boolean }) {
    this.#heart = heart;
    this.#switch = databaseSwitch;
    this.#run = commandRunner(heart, true);
  }

  static async open({ folder, store, databaseFails, isFirst }: SandboxStart): Promise<SandboxEngine> {
    const databaseSwitch = { fails: databaseFails };
    const before = async (): Promise<void> => {
      if (databaseSwitch.fails) throw new StoreError("retryable", switchedOff);
    };
    const { keyBytesMax, valueBytesMax } = sandboxLimits;
    const hindered = new HinderedStore(await loadStore(store), before, { keyBytesMax, valueBytesMax });
    const options = resolveEngineOptions({ ...sandboxOptions, data: `${folder}/data` });
    const heart = await openHeart({ host: nodeHost(), store: hindered, options });
    if (isFirst) await heart.pause();
    return new SandboxEngine(heart, databaseSwitch);
  }

  async answer({ action, keys }: ToSandbox): Promise<FromSandbox> {
    const outcome = await this.#do(action);
    const inside = await lookInside(this.#heart, keys, sandboxLimits.shownChangesMax);
    return { outcome, seen: { ...inside, status: shownOf(this.#heart.status()) } };
  }

  async #do(action: ToSandbox["action"]): Promise<SandboxOutcome> {
    const { pendingChanges } = this.#heart.status().queue;
    switch (action.kind) {
      case "command":
        return this.#command(action.args);
      case "step":
        return this.#step();
      case "auto":
        await (action.on ? this.#heart.resume() : this.#heart.pause());
        return { ...nothingDone, action: `Background process ${action.on ? "runs by itself" : "stands still"}` };
      case "database":
        this.#switch.fails = action.fails;
        return { ...nothingDone, action: `Database ${action.fails ? "fails from now on" : "works again"}` };
      case "open":
        return { ...nothingDone, action: "Engine started, background process stands still" };
      case "restart":
        return { ...nothingDone, action: restartInWords(pendingChanges, this.#switch.fails) };
      case "look":
        return { ...nothingDone, action: "Looked" };
    }
  }

  async #command(args: readonly Bytes[]): Promise<SandboxOutcome> {
    const before = { accepted: this.#heart.accepted, misses: this.#heart.status().cache.misses };
    const output = (await this.#run(args)) as JsonReply;
    const misses = this.#heart.status().cache.misses - before.misses;
    const wrote = this.#heart.accepted > before.accepted;
    return { ...nothingDone, action: commandInWords(args), output, wrote, misses };
  }

  async #step(): Promise<SandboxOutcome> {
    try {
      const step = await this.#heart.step();
      return { ...nothingDone, action: stepInWords(step), step };
    } catch (error) {
      return { ...nothingDone, action: failedStepInWords(error), error: plainError(error) };
    }
  }
}

/** How far the database is only the database knows: until it works, some that it has may count as queued again. */
function restartInWords(pendingChanges: number, databaseFails: boolean): string {
  const queued = `${pendingChanges} ${pendingChanges === 1 ? "change" : "changes"} queued`;
  const unknown = databaseFails ? "; which of them the database has already it cannot ask now" : "";
  return `Engine started again: its journal had ${queued}${unknown}`;
}

function shownOf({ state, reason, store, cache, queue, writer, deadLetters }: Status): SandboxStatus {
  const { records, bytes, hits, misses, evictions } = cache;
  const { pendingChanges, pendingRecords, pendingBytes, oldestAgeMs } = queue;
  return {
    state,
    reason,
    store,
    cache: { records, bytes, hits, misses, evictions },
    queue: { pendingChanges, pendingRecords, pendingBytes, oldestAgeMs },
    writer,
    deadLetters: deadLetters.count,
  };
}
