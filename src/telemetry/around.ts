/** What stands around a heart that is traced: two of its verbs are others, all the rest is its own. */
import type { Heart } from "../heart.js";
import type { Traces } from "./traces.js";

/** The heart with its writes traced (null: as they are), which calls `ended` once it is closed. */
export function around(heart: Heart, traces: Traces | null, ended: () => void): Heart {
  const execute: Heart["execute"] = (work, options) =>
    traces === null ? heart.execute(work, options) : traces.execute(work, options);
  const close: Heart["close"] = (options) => heart.close(options).finally(ended);
  const verbs = new Map<PropertyKey, unknown>(Object.entries({ execute, close }));
  return new Proxy(heart, {
    get: (_, name) => {
      const known = verbs.get(name);
      if (known !== undefined) return known;
      // The heart's own fields are private: a verb must be called on itself, not on what stands around it.
      const member: unknown = Reflect.get(heart, name, heart);
      if (typeof member !== "function") return member;
      const verb: unknown = member.bind(heart);
      verbs.set(name, verb);
      return verb;
    },
  });
}
