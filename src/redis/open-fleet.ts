/** Opens a process of a fleet: its keeper, its road to the database, its worker. */
import { WriteBehindError } from "../errors.js";
import type { Heart } from "../heart.js";
import { withRoutes } from "../heart/addressing.js";
import type { SharedHeartParts } from "../shared-cache.js";
import { openReader } from "../store/thread-reader.js";
import { connect } from "./connect.js";
import { withoutRoutes } from "./front/fleet-addressing.js";
import { FleetHeart } from "./front/fleet-heart.js";

/** Opens it. Rejects CACHE_DOWN, CONFIG, QUEUE_MISMATCH, and what the store finds wrong. */
export async function openFleetHeart(url: string, parts: SharedHeartParts): Promise<Heart> {
  const { host, options } = parts;
  const store = withRoutes(parts.store, options.routes);
  if (options.routes.length > 0) throw new WriteBehindError("CONFIG", "routes");
  const { keeper, fleet, keeps, roomBytes, close } = await connect(url, host, options, true);
  try {
    return await FleetHeart.open({
      host,
      keeper,
      fleet,
      keeps,
      options,
      roomBytes,
      reader: openReader(store, host),
      storeKind: store.kind ?? "unknown",
      limits: store.limits ?? null,
      addressing: withoutRoutes,
      worker: null,
      end: close,
    });
  } catch (error) {
    await close();
    throw error;
  }
}
