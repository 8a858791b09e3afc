/** Long values cut short for those who look at many of them: a page of a queue may hold values of megabytes. Pure. */

/** What is left of a long text or of long bytes: its begin as it would be shown, and its length in bytes of JSON. */
export interface CutBytes {
  readonly cut: string;
  readonly bytes: number;
}

/** The same JSON, where every text longer than `max` characters is a CutBytes; so is base64 of more. */
export function cutLong(json: unknown, max: number): unknown {
  if (typeof json === "string") return json.length > max ? cut(json, max, Buffer.byteLength(json)) : json;
  if (Array.isArray(json)) return json.map((each) => cutLong(each, max));
  if (typeof json !== "object" || json === null) return json;
  const { base64 } = json as { readonly base64?: unknown };
  if (typeof base64 === "string") {
    return base64.length > max ? cut(`base64 ${base64}`, max, Math.floor((base64.length * 3) / 4)) : json;
  }
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, cutLong(value, max)]));
}

function cut(text: string, max: number, bytes: number): CutBytes {
  // Half a character would be none.
  const end = /[\ud800-\udbff]/.test(text.charAt(max - 1)) ? max - 1 : max;
  return { cut: text.slice(0, end), bytes };
}
