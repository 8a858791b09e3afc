/** What can be asked of the shop, as values that travel between processes. */
import type { Transaction } from "write-behind";
import * as shop from "./shop.js";

export type Wish =
  | { readonly kind: "deliver"; readonly product: shop.Product; readonly units: number }
  | { readonly kind: "openAccount"; readonly id: number; readonly email: string; readonly name: string }
  | { readonly kind: "changeEmail"; readonly id: number; readonly email: string }
  | { readonly kind: "closeAccount"; readonly id: number }
  | { readonly kind: "placeOrder"; readonly customer: number; readonly wanted: readonly shop.Wanted[] }
  | { readonly kind: "pay" | "ship" | "cancel" | "forget"; readonly id: number };

/** A wish of a client, who numbers them. */
export interface Request {
  readonly client: string;
  readonly no: number;
  readonly wish: Wish;
}

/** The answer: done (with the number of the order that was placed), refused, or not possible now. */
export type Outcome =
  | { readonly is: "done"; readonly order: number | null }
  | { readonly is: "refused"; readonly why: string }
  | { readonly is: "failed"; readonly why: string };

export interface Answer extends Pick<Request, "client" | "no"> {
  readonly outcome: Outcome;
}

/** How the shop was when it closed. */
export interface Closed {
  readonly drained: boolean;
  readonly deadLetters: readonly string[];
}

/** Does what is wished; gives the number of the order that was placed. */
export async function fulfil(tx: Transaction, wish: Wish): Promise<number | null> {
  switch (wish.kind) {
    case "placeOrder":
      return shop.placeOrder(tx, wish.customer, wish.wanted);
    case "deliver":
      await shop.deliver(tx, wish.product, wish.units);
      return null;
    case "openAccount":
      await shop.openAccount(tx, wish.id, wish.email, wish.name);
      return null;
    case "changeEmail":
      await shop.changeEmail(tx, wish.id, wish.email);
      return null;
    case "closeAccount":
      await shop.closeAccount(tx, wish.id);
      return null;
    default:
      await shop[wish.kind](tx, wish.id);
      return null;
  }
}
