/** Which view is shown: what stands behind the # of the address, so that back, forward and links work. */
import { signal } from "@preact/signals";

/** The views, in the order of their keys 1 to 7. */
export const views = ["now", "queue", "record", "letters", "console", "fleet", "walkthrough"] as const;

/** The name of a view. */
export type View = (typeof views)[number];

/** Where the person is. */
export interface Place {
  readonly view: View;
  readonly query: URLSearchParams;
}

/** The place now. */
export const place = signal<Place>(placeOf(location.hash));

/** Follows the address. */
export function followAddress(): void {
  addEventListener("hashchange", () => (place.value = placeOf(location.hash)));
}

/** Goes to a view. */
export function go(view: View, query: Readonly<Record<string, string>> = {}): void {
  const text = new URLSearchParams(query).toString();
  location.hash = `#/${view}${text === "" ? "" : `?${text}`}`;
  // The event comes later than the next key may.
  place.value = placeOf(location.hash);
}

function placeOf(hash: string): Place {
  const [path, query = ""] = hash.replace(/^#\//, "").split(/\?(.*)/s);
  return { view: views.find((view) => view === path) ?? "now", query: new URLSearchParams(query) };
}
