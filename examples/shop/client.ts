/** A client of the shop, who wishes what dice say: always something that can be done, as far as the client knows. */
import type { Model } from "./model.js";
import type { Wish } from "./requests.js";

/** Numbers in [0, 1). */
export type Dice = () => number;

/** Dice from a seed (mulberry32). */
export function diceOf(seed: number): Dice {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export const productCount = 12;
/** Accounts of one client, and addresses for them: those that become free are taken again. */
const accounts = 4;
const addresses = 6;
/** More orders than this and the client begins to put them away. */
const ordersMax = 30;

/** Wishes of the client with this number, who has accounts of its own; only the stock is shared with the others. */
export class Client {
  readonly name: string;
  readonly #number: number;
  readonly #model: Model;
  readonly #dice: Dice;

  constructor(number: number, model: Model, dice: Dice) {
    this.name = `client${number}`;
    this.#number = number;
    this.#model = model;
    this.#dice = dice;
  }

  next(): Wish {
    const ids = Array.from({ length: accounts }, (_, i) => this.#number * accounts + i + 1);
    const mine = ids.flatMap((id) => this.#model.customers.get(id) ?? []);
    const absent = ids.filter((id) => !this.#model.customers.has(id));
    const customer = this.#one(mine);
    if (customer === null || (absent.length > 0 && this.#dice() < 0.1)) {
      const id = this.#one(absent) as number;
      return { kind: "openAccount", id, email: this.#freeAddress(), name: `Customer ${id}` };
    }
    const roll = this.#dice();
    if (roll < 0.1) return { kind: "changeEmail", id: customer.id, email: this.#freeAddress() };
    if (roll < 0.2 && customer.orders === 0) return { kind: "closeAccount", id: customer.id };
    if (roll < 0.25) return this.#delivery();
    const orders = [...this.#model.orders.values()].filter((order) => ids.includes(order.customer));
    const order = this.#one(orders);
    if (order === null || (roll < 0.6 && orders.length < ordersMax)) return this.#order(customer.id);
    const { id, status } = order;
    if (status === "cancelled") return { kind: "forget", id };
    if (status === "shipped") return this.#order(customer.id);
    if (this.#dice() < 0.4) return { kind: "cancel", id };
    return { kind: status === "placed" ? "pay" : "ship", id };
  }

  #order(customer: number): Wish {
    const first = Math.floor(this.#dice() * productCount);
    const count = 1 + Math.floor(this.#dice() * 4);
    const wanted = Array.from({ length: count }, (_, i) => ({
      product: ((first + i) % productCount) + 1,
      units: 1 + Math.floor(this.#dice() * 5),
    }));
    return { kind: "placeOrder", customer, wanted };
  }

  #delivery(): Wish {
    const id = 1 + Math.floor(this.#dice() * productCount);
    return { kind: "deliver", product: productOf(id), units: 50 + Math.floor(this.#dice() * 100) };
  }

  #freeAddress(): string {
    const taken = new Set([...this.#model.customers.values()].map(({ email }) => email));
    const all = Array.from({ length: addresses }, (_, i) => `${this.name}-${i}@example.org`);
    return this.#one(all.filter((email) => !taken.has(email))) as string;
  }

  #one<T>(list: readonly T[]): T | null {
    return list[Math.floor(this.#dice() * list.length)] ?? null;
  }
}

/** A product: its price never changes. */
export function productOf(id: number): { readonly id: number; readonly name: string; readonly price: number } {
  return { id, name: `Product ${id}`, price: 100 + id * 7 };
}
