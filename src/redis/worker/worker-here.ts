/** A worker on the caller's thread: joined to its Redis, which may be down when it starts. */
import { plainError, WriteBehindError } from "../../errors.js";
import type { Host, Timer } from "../../host/host.js";
import type { Store } from "../../store/store.js";
import type { Fleet, Keeper } from "../keeper.js";
import { anotherFleet } from "../keeper-errors.js";
import { RedisKeeper } from "../redis-keeper.js";
import { openLink, type RedisLink } from "../redis-link.js";
import { shownUrl } from "../redis-url.js";
import type { WorkerReport } from "./report.js";
import type { WorkerHandle, WorkerSetup, WorkerTold } from "./worker-messages.js";
import { FleetWorker } from "./worker.js";

/** How long a command waits for a connection, in milliseconds: less than a beat. */
const waitMs = 1000;

/** Between two tries to begin. */
const beginEveryMs = 500;

/** How long a record's absence is remembered, in milliseconds. */
const absentMs = 60_000;

/** A worker on the caller's thread. */
export class WorkerHere implements WorkerHandle {
  readonly #host: Pick<Host, "clock" | "random">;
  readonly #setup: WorkerSetup;
  readonly #store: Store;
  readonly #tell: (told: WorkerTold) => void;
  readonly #beginning: Promise<void>;
  #link: RedisLink | null = null;
  #worker: FleetWorker | null = null;
  #deafen: (() => void) | null = null;
  #stopped = false;
  #pause: { readonly timer: Timer; readonly end: () => void } | null = null;

  constructor(
    host: Pick<Host, "clock" | "random">,
    setup: WorkerSetup,
    store: Store,
    tell: (told: WorkerTold) => void,
  ) {
    this.#host = host;
    this.#setup = setup;
    this.#store = store;
    this.#tell = tell;
    this.#beginning = this.#begin().catch((error: unknown) => tell({ type: "failed", error: plainError(error) }));
  }

  get report(): WorkerReport | null {
    return this.#worker?.report() ?? null;
  }

  async stop(deadlineMs: number): Promise<boolean> {
    this.#stopped = true;
    this.#pause?.timer.cancel();
    this.#pause?.end();
    await this.#beginning;
    this.#deafen?.();
    await this.#worker?.stop(deadlineMs);
    await this.#link?.close();
    return true;
  }

  /** Throws CONFIG and DRIVER_MISSING: what a person must mend before it can begin. */
  async #begin(): Promise<void> {
    await Promise.resolve();
    const { clock, random } = this.#host;
    const { cache, options, identity, routing } = this.#setup;
    const link = await openLink(cache, { clock, waitMs, name: "write-behind work" });
    this.#link = link;
    const confirmation = { wait: "none", timeoutMs: waitMs } as const;
    const parts = { place: shownUrl(cache), link, writing: link, random, confirmation, absentMs };
    const met = await this.#meet(() => new RedisKeeper(parts));
    if (met === null) return;
    const { keeper } = met;
    this.#worker = new FleetWorker({
      ...met,
      store: this.#store,
      host: this.#host,
      options,
      identity,
      routing,
      warn: (text) => this.#tell({ type: "warning", text }),
      beaten: (report) => this.#tell({ type: "report", report }),
    });
    void this.#listen(keeper, this.#worker);
  }

  /** The fleet, as soon as it can be asked; null where the worker is stopped before. */
  async #meet(connect: () => RedisKeeper): Promise<{ keeper: RedisKeeper; fleet: Fleet } | null> {
    while (!this.#stopped) {
      try {
        const keeper = connect();
        const fleet = await keeper.fleet(null);
        if (fleet?.id === this.#setup.fleet) return { keeper, fleet };
        throw anotherFleet(keeper.place);
      } catch (error) {
        this.#tell({ type: "failed", error: plainError(error) });
        await this.#rest();
      }
    }
    return null;
  }

  /** Without it changes are found by looking; with it somebody who waits is heard at once. */
  async #listen(keeper: Keeper, worker: FleetWorker): Promise<void> {
    while (!this.#stopped) {
      try {
        const deafen = await keeper.listen((news) => worker.heard(news));
        if (this.#stopped) deafen();
        else this.#deafen = deafen;
        return;
      } catch (error) {
        if (!(error instanceof WriteBehindError) || error.code !== "CACHE_DOWN") {
          if (!this.#stopped) this.#tell({ type: "warning", text: `it hears nobody who waits: ${String(error)}` });
          return;
        }
        await this.#rest();
      }
    }
  }

  async #rest(): Promise<void> {
    if (this.#stopped) return;
    await new Promise<void>((end) => (this.#pause = { timer: this.#host.clock.after(beginEveryMs, end, true), end }));
    this.#pause = null;
  }
}
