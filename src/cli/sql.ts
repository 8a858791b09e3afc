/** `write-behind sql --store URL`: the statements that make the own tables, for who makes them by hand. It runs none. */
import { loadStoreModule } from "../store/load-store.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes } from "./exit.js";
import { print } from "./output.js";
import { namedStore, type NamedStore } from "./store-url.js";

/** Runs the verb. */
export async function sql(flags: Flags): Promise<void> {
  const { data, store } = someOptions(flags, ["data", "store"]);
  const text = await sqlOf(namedStore(store, data));
  print({ sql: text }, flags["json"] === true, () => `${text.trimEnd()}\n`);
}

/** The statements of a store. */
export async function sqlOf({ place, descriptor }: Pick<NamedStore, "place" | "descriptor">): Promise<string> {
  const { sqlOfOwnTables } = await loadStoreModule(descriptor.module);
  if (sqlOfOwnTables === undefined)
    throw new CliError(
      exitCodes.failed,
      `the store at ${place} has no statements for its own tables`,
      "npx write-behind sql --store sqlite:./app.db",
    );
  return sqlOfOwnTables(descriptor.options);
}
