/** What is said on the wake channel (keys.ts), as text. Pure. */

/** A message. */
export type WakeMessage =
  /** Who lives or owns what has changed. */
  | { readonly what: "fleet" }
  /** Somebody waits until this sequence of a partition is stored. */
  | { readonly what: "hurry"; readonly partition: number; readonly upTo: number }
  /** There is something to look at. */
  | { readonly what: "look" };

/** Says that somebody waits. */
export function hurryText(partition: number, upTo: number): string {
  return `${partition} ${upTo}`;
}

/** What a text says. One that is not known is something to look at: a newer process may say more. */
export function wakeOf(text: string): WakeMessage {
  if (text === "fleet") return { what: "fleet" };
  const match = /^(\d{1,9}) (\d{1,16})$/.exec(text);
  if (match === null) return { what: "look" };
  return { what: "hurry", partition: Number(match[1]), upTo: Number(match[2]) };
}
