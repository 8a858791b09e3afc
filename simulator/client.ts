/** A simulated client: it thinks, sends a burst of operations, waits for every reply, and begins again. */
import type { Bytes } from "../src/bytes.js";
import type { Dice } from "./host/random.js";
import { refusedMark, type Operation, type Step } from "./operation.js";
import { stepKinds, type WorldOptions } from "./swarm.js";

/** What decides what clients ask for. */
export type ClientOptions = Pick<
  WorldOptions,
  | "keys"
  | "thinkMs"
  | "burst"
  | "valueBytes"
  | "sameLength"
  | "rows"
  | "ends"
  | "refused"
  | "ttlMs"
  | "transactions"
  | "steps"
>;

/** Who does what a client asks for. */
export interface Server {
  readonly serves: boolean;
  /** `done` is called when the client has its reply, or an error instead. */
  submit(client: string, operation: Operation, readOnly: boolean, done: () => void): void;
}

/** What a client needs of its world. */
export interface Town {
  readonly dice: Dice;
  readonly options: ClientOptions;
  /** The process that clients can use now, if there is one. */
  serving(): Server | null;
  /** Calls back once a process serves. */
  whenServing(call: () => void): void;
  /** Takes one of the operations that are still to be done; false where there is none. */
  takeOperation(): boolean;
  later(delayMs: number, call: () => void): void;
}

/** A client. */
export class Client {
  readonly name: string;
  readonly #town: Town;
  /** Grows when replies are given up: what still comes of the older ones is none of its business. */
  #life = 0;
  #server: Server | null = null;
  #waiting = 0;
  #written = 0;
  #finished = false;

  constructor(name: string, town: Town) {
    this.name = name;
    this.#town = town;
    this.#think();
  }

  /** Whether it waits for a reply. */
  get waits(): boolean {
    return this.#waiting > 0;
  }

  get finished(): boolean {
    return this.#finished && this.#waiting === 0;
  }

  /** A process has died: what it owes this client will never come. */
  abandon(instance: Server): void {
    if (this.#server !== instance) return;
    this.#life++;
    if (this.#waiting === 0) return;
    this.#waiting = 0;
    this.#think();
  }

  #think(): void {
    const { dice, options } = this.#town;
    this.#town.later(dice.number() * options.thinkMs, () => this.#act());
  }

  #act(): void {
    const { dice, options } = this.#town;
    const life = this.#life;
    const instance = this.#town.serving();
    if (instance === null) return this.#town.whenServing(() => this.#act());
    this.#server = instance;
    const burst = dice.between(1, options.burst);
    for (let i = 0; i < burst && instance.serves; i++) {
      if (!this.#town.takeOperation()) {
        this.#finished = true;
        return;
      }
      this.#waiting++;
      instance.submit(this.name, this.#operation(), dice.chance(0.5), () => {
        if (life === this.#life && --this.#waiting === 0 && !this.#finished) this.#think();
      });
    }
    if (this.#waiting === 0) this.#think();
  }

  #operation(): Operation {
    const { dice, options } = this.#town;
    const count = dice.chance(options.transactions) ? dice.between(2, 4) : 1;
    const steps = Array.from({ length: count }, () => this.#step());
    const clear = steps.find((step) => step.kind === "clear");
    return clear === undefined ? steps : [clear];
  }

  #step(): Step {
    const { dice, options } = this.#town;
    const kind = stepKinds[dice.weighted(options.steps)] as Step["kind"];
    const key = `k${dice.below(options.keys)}` as Bytes;
    const field = `f${dice.below(3)}` as Bytes;
    switch (kind) {
      case "set":
        return {
          kind,
          key,
          value: this.#value(),
          ttlMs: dice.chance(options.ends) ? dice.between(1, options.ttlMs) : null,
        };
      case "increment":
        return { kind, key, by: dice.between(1, 1000) };
      case "hashSet":
        return { kind, key, field, value: this.#value(), ...this.#inRow() };
      case "hashUnset":
        return { kind, key, field, ...this.#inRow() };
      case "expire":
        return { kind, key, ttlMs: dice.chance(0.2) ? null : dice.between(1, options.ttlMs) };
      case "clear":
        return { kind };
      case "rename":
        return { kind, key, to: `k${dice.below(options.keys)}` as Bytes };
      case "get":
        return options.rows && dice.chance(0.3) ? { kind, key, column: field } : { kind, key };
      default:
        return { kind, key };
    }
  }

  #inRow(): { readonly row?: "whole" | "column" } {
    const { dice, options } = this.#town;
    return options.rows ? { row: dice.chance(0.5) ? "column" : "whole" } : {};
  }

  /** A value that nobody else ever writes; now and then a number, so that there is something to increment. */
  #value(): Bytes {
    const { dice, options } = this.#town;
    const mark = dice.chance(options.refused) ? refusedMark : "";
    const number = `${++this.#written}${this.name.slice(1).padStart(3, "0")}`;
    if (options.sameLength) return `${this.name}-${number}-${mark}`.padEnd(options.valueBytes + 12, "x") as Bytes;
    if (mark === "" && dice.chance(0.3)) return number as Bytes;
    return `${this.name}-${number}-${mark}${"x".repeat(dice.below(options.valueBytes))}` as Bytes;
  }
}
