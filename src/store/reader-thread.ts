/** What runs in the reading thread: a store of its own, that answers one question after the other. */
import { plainError } from "../errors.js";
import type { Channel } from "../host/host.js";
import { loadStore } from "./load-store.js";
import type { FromReader, ReaderError, ToReader } from "./reader-messages.js";
import { storeErrorKind, type Store, type StoreDescriptor } from "./store.js";

/** The thread's entry. `data` is the descriptor of the store. */
export function main(channel: Channel<unknown, unknown>, data: unknown): void {
  let store: Promise<Store> | null = null;
  let last: Promise<unknown> = Promise.resolve();
  channel.receive((message) => {
    const request = message as ToReader;
    // A module that could not be loaded is tried again with the next question: a person may have installed it.
    const load = (): Promise<Store> => {
      store ??= loadStore(data as StoreDescriptor).catch((error: unknown) => {
        store = null;
        throw error;
      });
      return store;
    };
    last = last.then(async () => {
      channel.post(await answer(load, request));
      if (request.type === "close") store = null;
    });
  });
}

async function answer(load: () => Promise<Store>, request: ToReader): Promise<FromReader> {
  const { id } = request;
  try {
    const store = await load();
    switch (request.type) {
      case "read":
        return { type: "values", id, values: await store.read(request.records, request.reached) };
      case "scan":
        return { type: "page", id, page: await store.scan(request.after, request.limit, request.nowMs, request.table) };
      case "close":
        await store.close();
        return { type: "closed", id };
    }
  } catch (error) {
    return { type: "failed", id, error: readerError(error) };
  }
}

function readerError(error: unknown): ReaderError {
  const kind = storeErrorKind(error);
  return kind === null ? plainError(error) : { kind, message: (error as Error).message };
}
