/**
 * A shop: each thing that it does is one transaction. The client is answered when that is on the disk of this machine;
 * the database gets it whole, a moment later. This file is what to copy; everything else in the folder tries it hard.
 */
import { collection, type Transaction, type WriteBehind } from "write-behind";
import type { Status } from "./tables.js";

export interface Customer {
  readonly id: number;
  readonly email: string;
  readonly name: string;
  /** How many orders there are of this customer. */
  readonly orders: number;
}

export interface Product {
  readonly id: number;
  readonly name: string;
  /** In cents. */
  readonly price: number;
}

export interface Stock {
  readonly product: number;
  /** Ever delivered to the shop. */
  readonly delivered: number;
  /** Still there. */
  readonly units: number;
}

export interface Order {
  readonly id: number;
  readonly customer: number;
  readonly status: Status;
  readonly total: number;
}

export interface OrderLine {
  readonly order_id: number;
  readonly no: number;
  readonly product: number;
  readonly units: number;
  readonly price: number;
}

export const customers = collection("customer:{id}", { table: "customers" }).typed<Customer>();
export const products = collection("product:{id}", { table: "products" }).typed<Product>();
export const stock = collection("stock:{product}", { table: "stock" }).typed<Stock>();
export const orders = collection("order:{id}", { table: "orders" }).typed<Order>();
export const lines = collection("line:{order_id}:{no}", { table: "order_lines" }).typed<OrderLine>();

/** What to open the write-behind with. */
export const routes = [customers, products, stock, orders, lines];

/** What is wanted of one product. */
export interface Wanted {
  readonly product: number;
  readonly units: number;
}

/** Why the shop does not do something. Nothing has been written then. */
export class Refusal extends Error {}

/**
 * Does something once for each request of a client: who got no answer (the shop was killed) sends the request again,
 * and gets the answer of the first time if it was done. Client and number say which request it is; numbers only grow.
 */
export function once<T>(
  wb: WriteBehind,
  { client, no }: { readonly client: string; readonly no: number },
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return wb.transaction(async (tx) => {
    // A key of no route: it is kept in write-behind's own table, and in the same transaction.
    const last = JSON.parse((await tx.get(`last:${client}`)) ?? "null") as { no: number; answer: T } | null;
    if (last?.no === no) return last.answer;
    const answer = await work(tx);
    tx.set(`last:${client}`, JSON.stringify({ no, answer }));
    return answer;
  });
}

export async function deliver(tx: Transaction, product: Product, units: number): Promise<void> {
  await tx.collection(products).set(product, { name: product.name, price: product.price });
  const there = await tx.collection(stock).get({ product: product.id });
  await tx
    .collection(stock)
    .set({ product: product.id }, { delivered: (there?.delivered ?? 0) + units, units: (there?.units ?? 0) + units });
}

export async function openAccount(tx: Transaction, id: number, email: string, name: string): Promise<void> {
  await tx.collection(customers).set({ id }, { email, name, orders: 0 });
}

export async function changeEmail(tx: Transaction, id: number, email: string): Promise<void> {
  await customerOf(tx, id);
  tx.collection(customers).update({ id }, { email });
}

export async function closeAccount(tx: Transaction, id: number): Promise<void> {
  const { orders: count } = await customerOf(tx, id);
  if (count > 0) throw new Refusal(`customer ${id} has ${count} orders`);
  tx.collection(customers).delete({ id });
}

/** The order, its lines, the stock and the customer change together, or not at all. Gives the order's number. */
export async function placeOrder(tx: Transaction, customer: number, wanted: readonly Wanted[]): Promise<number> {
  await customerOf(tx, customer);
  const id = await tx.increment("next:order");
  let total = 0;
  for (const [no, { product, units }] of wanted.entries()) {
    const found = await tx.collection(products).get({ id: product });
    if (found === null) throw new Refusal(`there is no product ${product}`);
    const left = await tx.collection(stock).increment({ product }, "units", -units);
    if (left < 0) throw new Refusal(`product ${product} is sold out`);
    await tx.collection(lines).set({ order_id: id, no }, { product, units, price: found.price });
    total += units * found.price;
  }
  await tx.collection(orders).set({ id }, { customer, status: "placed", total });
  await tx.collection(customers).increment({ id: customer }, "orders");
  return id;
}

export function pay(tx: Transaction, id: number): Promise<void> {
  return moveOn(tx, id, ["placed"], "paid");
}

export function ship(tx: Transaction, id: number): Promise<void> {
  return moveOn(tx, id, ["paid"], "shipped");
}

/** The units go back into the stock. */
export async function cancel(tx: Transaction, id: number): Promise<void> {
  await moveOn(tx, id, ["placed", "paid"], "cancelled");
  for (const { product, units } of await linesOf(tx, id))
    await tx.collection(stock).increment({ product }, "units", units);
}

/** Deletes a cancelled order. Its lines are deleted with it: what refers to a row is deleted before the row. */
export async function forget(tx: Transaction, id: number): Promise<void> {
  const order = await orderOf(tx, id);
  if (order.status !== "cancelled") throw new Refusal(`order ${id} is ${order.status}`);
  for (const { no } of await linesOf(tx, id)) tx.collection(lines).delete({ order_id: id, no });
  tx.collection(orders).delete({ id });
  await tx.collection(customers).increment({ id: order.customer }, "orders", -1);
}

async function moveOn(tx: Transaction, id: number, from: readonly Status[], to: Status): Promise<void> {
  const { status } = await orderOf(tx, id);
  if (!from.includes(status)) throw new Refusal(`order ${id} is ${status}`);
  tx.collection(orders).update({ id }, { status: to });
}

async function customerOf(tx: Transaction, id: number): Promise<Customer> {
  const customer = await tx.collection(customers).get({ id });
  if (customer === null) throw new Refusal(`there is no customer ${id}`);
  return customer;
}

async function orderOf(tx: Transaction, id: number): Promise<Order> {
  const order = await tx.collection(orders).get({ id });
  if (order === null) throw new Refusal(`there is no order ${id}`);
  return order;
}

/** Lines are numbered from 0 without holes, so they are found by their keys. */
async function linesOf(tx: Transaction, id: number): Promise<OrderLine[]> {
  const found: OrderLine[] = [];
  for (;;) {
    const line = await tx.collection(lines).get({ order_id: id, no: found.length });
    if (line === null) return found;
    found.push(line);
  }
}
