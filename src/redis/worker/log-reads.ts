/** What both who writes a partition and who tells of it read of its log. */
import { recordsOfBytes } from "../base-entry.js";
import type { BasePage, BaseSeen, Keeper, PartitionState } from "../keeper.js";

/** So much log travels at once. */
export const pieceBytes = 512 * 1024;

/** How one partition is. */
export async function stateOf(keeper: Pick<Keeper, "states">, partition: number): Promise<PartitionState> {
  const [state] = (await keeper.states([partition])).states;
  if (state === undefined) throw new Error("broken invariant: the keeper says nothing of a partition");
  return state;
}

/** The records of a base, page by page: each once at least. */
export async function* pagesOfBase(
  keeper: Pick<Keeper, "baseRecords">,
  partition: number,
  base: BaseSeen,
): AsyncIterable<BasePage["changes"]> {
  const limit = recordsOfBytes(base, pieceBytes);
  let cursor: string | null = null;
  do {
    const page: BasePage = await keeper.baseRecords(partition, cursor, limit);
    yield page.changes;
    cursor = page.next;
  } while (cursor !== null);
}
