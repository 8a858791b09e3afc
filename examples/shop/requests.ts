/** What can be asked of the shop, as values that travel between processes. */
import type { Transaction } from "write-behind";
import {
  cancel,
  changeEmail,
  closeAccount,
  deliver,
  forget,
  openAccount,
  pay,
  placeOrder,
  ship,
  type Product,
  type Wanted,
} from "./shop.js";

export type Wish =
  | { readonly kind: "deliver"; readonly product: Product; readonly units: number }
  | { readonly kind: "openAccount"; readonly id: number; readonly email: string; readonly name: string }
  | { readonly kind: "changeEmail"; readonly id: number; readonly email: string }
  | { readonly kind: "closeAccount"; readonly id: number }
  | { readonly kind: "placeOrder"; readonly customer: number; readonly wanted: readonly Wanted[] }
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
  if (wish.kind === "placeOrder") return placeOrder(tx, wish.customer, wish.wanted);
  if (wish.kind === "deliver") await deliver(tx, wish.product, wish.units);
  else if (wish.kind === "openAccount") await openAccount(tx, wish.id, wish.email, wish.name);
  else if (wish.kind === "changeEmail") await changeEmail(tx, wish.id, wish.email);
  else if (wish.kind === "closeAccount") await closeAccount(tx, wish.id);
  else await { pay, ship, cancel, forget }[wish.kind](tx, wish.id);
  return null;
}
