/**
 * What the compiler says of typed collections: the build fails where a wrong use compiles, or a right one does not. The
 * row types are written as query builders and ORMs write them.
 */
import { collection, type WriteBehind } from "../src/index.js";

/** As Prisma writes a model. */
export type User = {
  id: number;
  name: string;
  email: string | null;
  visits: number;
  big: bigint | null;
  active: boolean | null;
  born: Date | null;
  meta: { tags: string[] } | null;
  photo: Uint8Array | null;
  score: number | null;
};

/** As Kysely writes what a query gives, and what an insert needs. */
export interface Order {
  readonly customer: number;
  readonly no: bigint;
  readonly total: string | null;
  readonly made: Date;
}
interface NewOrder {
  readonly customer: number;
  readonly no?: bigint | undefined;
  readonly total?: string | null | undefined;
  readonly made?: Date | undefined;
}

/** As Drizzle infers what an insert needs: what has a default may be left out. */
type NewUser = { name: string; id?: number; email?: string | null; visits?: number; big?: bigint | null };

export const users = collection("user:{id}", { table: "users" }).typed<User, NewUser>();
export const strict = collection("user:{id}", { table: "users" }).typed<User>();
export const orders = collection("order:{customer}:{no}", { table: "orders" }).typed<Order, NewOrder>();
export const untyped = collection("user:{id}", { table: "users" });

/** Uses that the compiler refuses. They are never run. */
export function wrongUses(wb: WriteBehind): readonly (() => Promise<unknown>)[] {
  const user = { name: "A", email: null, visits: 1 };
  return [
    // @ts-expect-error: there is no such placeholder
    () => wb.collection(users).get({ nope: 1 }),
    // @ts-expect-error: the key is missing
    () => wb.collection(users).get({}),
    // @ts-expect-error: the key is a number in the row
    () => wb.collection(users).get({ id: "1" }),
    // @ts-expect-error: both columns of the key are needed
    () => wb.collection(orders).get({ customer: 1 }),
    // @ts-expect-error: a bigint in the row
    () => wb.collection(orders).get({ customer: 1, no: 1 }),
    // @ts-expect-error: name is needed
    () => wb.collection(users).set({ id: 1 }, { email: "x" }),
    // @ts-expect-error: without an insert type what takes no NULL is needed
    () => wb.collection(strict).set({ id: 1 }, { name: "x" }),
    // @ts-expect-error: the key is not in the row
    () => wb.collection(strict).set({ id: 1 }, { id: 1, ...user }),
    // @ts-expect-error: a number
    () => wb.collection(users).set({ id: 1 }, { name: "x", visits: "1" }),
    // @ts-expect-error: takes no NULL
    () => wb.collection(strict).update({ id: 1 }, { name: null }),
    // @ts-expect-error: no such column
    () => wb.collection(users).update({ id: 1 }, { nope: 1 }),
    // @ts-expect-error: not a number
    () => wb.collection(users).increment({ id: 1 }, "name"),
    // @ts-expect-error: the key
    () => wb.collection(users).increment({ id: 1 }, "id"),
    // @ts-expect-error: a row may be missing
    async () => (await wb.collection(users).get({ id: 1 })).name,
    // @ts-expect-error: meta may be NULL
    async () => (await wb.collection(users).get({ id: 1 }))?.meta.tags,
    // @ts-expect-error: no type says that this is a number
    () => wb.collection(untyped).increment({ id: 1 }, "visits"),
    () =>
      wb.transaction(async (tx) => {
        // @ts-expect-error: takes no NULL
        tx.collection(strict).update({ id: 1 }, { visits: null });
        // @ts-expect-error: the key is a number in the row
        tx.collection(users).delete({ id: "1" });
        // @ts-expect-error: not a number
        await tx.collection(users).increment({ id: 1 }, "email");
      }),
  ];
}
