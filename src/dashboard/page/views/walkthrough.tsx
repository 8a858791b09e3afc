/** Walkthrough: one write from cache to database, step by step. */

/** The view. */
export function WalkthroughView() {
  return <p class="sheet empty">…</p>;
}
