/** What the tables must hold: the same requests, done on maps. */
import type { Request } from "./requests.js";
import type { Customer, Order, OrderLine, Product, Stock } from "./shop.js";

/** The rows of all tables. */
export interface Rows {
  readonly customers: readonly Customer[];
  readonly products: readonly Product[];
  readonly stock: readonly Stock[];
  readonly orders: readonly Order[];
  readonly order_lines: readonly OrderLine[];
}

export class Model {
  readonly customers = new Map<number, Customer>();
  readonly products = new Map<number, Product>();
  readonly stock = new Map<number, Stock>();
  readonly orders = new Map<number, Order & { readonly lines: readonly OrderLine[] }>();

  /** A request was done. `placed` is the number that an order got. */
  done({ wish }: Request, placed: number | null): void {
    switch (wish.kind) {
      case "deliver":
        this.products.set(wish.product.id, wish.product);
        this.#move(wish.product.id, wish.units, wish.units);
        return;
      case "openAccount":
        this.customers.set(wish.id, { id: wish.id, email: wish.email, name: wish.name, orders: 0 });
        return;
      case "changeEmail":
        this.customers.set(wish.id, { ...this.#customer(wish.id), email: wish.email });
        return;
      case "closeAccount":
        this.customers.delete(wish.id);
        return;
      case "placeOrder": {
        if (placed === null || this.orders.has(placed)) throw new Error(`order ${placed} was placed before`);
        const lines = wish.wanted.map(({ product, units }, no): OrderLine => {
          this.#move(product, 0, -units);
          return { order_id: placed, no, product, units, price: this.products.get(product)?.price ?? 0 };
        });
        const total = lines.reduce((sum, { units, price }) => sum + units * price, 0);
        this.orders.set(placed, { id: placed, customer: wish.customer, status: "placed", total, lines });
        this.#count(wish.customer, 1);
        return;
      }
      case "pay":
        return this.#status(wish.id, "paid");
      case "ship":
        return this.#status(wish.id, "shipped");
      case "cancel":
        for (const { product, units } of this.#order(wish.id).lines) this.#move(product, 0, units);
        return this.#status(wish.id, "cancelled");
      case "forget":
        this.#count(this.#order(wish.id).customer, -1);
        this.orders.delete(wish.id);
    }
  }

  /** Everything, in the order of the keys. */
  rows(): Rows {
    const orders = [...this.orders.values()].toSorted((a, b) => a.id - b.id);
    return {
      customers: [...this.customers.values()].toSorted((a, b) => a.id - b.id),
      products: [...this.products.values()].toSorted((a, b) => a.id - b.id),
      stock: [...this.stock.values()].toSorted((a, b) => a.product - b.product),
      orders: orders.map(({ id, customer, status, total }) => ({ id, customer, status, total })),
      order_lines: orders.flatMap(({ lines }) => lines),
    };
  }

  #move(product: number, delivered: number, units: number): void {
    const there = this.stock.get(product) ?? { product, delivered: 0, units: 0 };
    this.stock.set(product, { product, delivered: there.delivered + delivered, units: there.units + units });
  }

  #count(customer: number, orders: number): void {
    const there = this.#customer(customer);
    this.customers.set(customer, { ...there, orders: there.orders + orders });
  }

  #status(id: number, status: Order["status"]): void {
    this.orders.set(id, { ...this.#order(id), status });
  }

  #customer(id: number): Customer {
    const customer = this.customers.get(id);
    if (customer === undefined) throw new Error(`customer ${id} is not there, and something was done with it`);
    return customer;
  }

  #order(id: number): Order & { readonly lines: readonly OrderLine[] } {
    const order = this.orders.get(id);
    if (order === undefined) throw new Error(`order ${id} is not there, and something was done with it`);
    return order;
  }
}
