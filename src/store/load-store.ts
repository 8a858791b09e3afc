/** Makes a store from its descriptor: imports the module and calls its `createStore`. What is wrong is said plainly. */
import { WriteBehindError } from "../errors.js";
import type { Store, StoreDescriptor, StoreModule } from "./store.js";

/** The store that a descriptor describes. Throws DRIVER_MISSING or CONFIG. */
export async function loadStore(descriptor: StoreDescriptor): Promise<Store> {
  const loaded = await loadStoreModule(descriptor.module);
  if (typeof loaded.createStore !== "function") {
    throw new WriteBehindError("CONFIG", `the store module ${descriptor.module} exports no function createStore`, {
      hint: "a store module has: export function createStore(options) { return … }",
    });
  }
  return loaded.createStore(descriptor.options, descriptor.routes);
}

/** What a descriptor's module exports. Throws DRIVER_MISSING or CONFIG. */
export async function loadStoreModule(url: string): Promise<Partial<StoreModule>> {
  try {
    return (await import(url)) as Partial<StoreModule>;
  } catch (error) {
    const driver = missingPackage(error);
    if (driver !== null) {
      const message = `the store module ${url} needs the package ${driver}, which is not installed`;
      throw new WriteBehindError("DRIVER_MISSING", message, { hint: `npm install ${driver}`, cause: error });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new WriteBehindError("CONFIG", `the store module ${url} cannot be loaded: ${reason}`, {
      hint: 'a store\'s `module` is the URL of a file, as in new URL("./my-store.js", import.meta.url).href',
      cause: error,
    });
  }
}

/** The package that Node did not find, or null where the error is another one. */
function missingPackage(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_MODULE_NOT_FOUND") return null;
  return /Cannot find package '([^']+)'/.exec(error.message)?.[1] ?? null;
}
