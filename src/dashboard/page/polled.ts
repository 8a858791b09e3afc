/** A value that is asked for again and again while a view shows it. */
import { signal, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { said } from "./api.js";

/** What was got last, and why there is nothing newer. */
export interface Polled<T> {
  readonly value: T | null;
  readonly error: string | null;
}

/** An answer that took long is asked for seldom: looking must not cost the server more than a few percent. */
const restShare = 30;
const restMsMax = 10_000;

/**
 * Asks now, whenever `about` changes, and every `everyMs` or later; never twice at once, and not while the page is
 * hidden. What was got stays until there is something newer: a list does not go away because more of it was asked for.
 */
export function usePolled<T>(ask: () => Promise<T>, everyMs: number, about: unknown): ReadonlySignal<Polled<T>> {
  const polled = useMemo(() => signal<Polled<T>>({ value: null, error: null }), []);
  useEffect(() => {
    let ended = false;
    let timer: ReturnType<typeof setTimeout>;
    const look = async (): Promise<void> => {
      const began = performance.now();
      if (!document.hidden) {
        try {
          const value = await ask();
          if (!ended) polled.value = { value, error: null };
        } catch (error) {
          if (!ended) polled.value = { value: polled.value.value, error: said(error) };
        }
      }
      const rest = Math.min(restMsMax, restShare * (performance.now() - began));
      if (!ended) timer = setTimeout(() => void look(), Math.max(everyMs, rest));
    };
    void look();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [about]);
  return polled;
}
