/** An application process of a fleet: does with the library what its parent asks, and says what was answered. */
import { once } from "node:events";
import { bytesOfText, textOfBytes } from "../../src/bytes.js";
import { writeBehind, type WriteBehind } from "../../src/index.js";
import { redis } from "../../src/redis/index.js";
import { postgres } from "../../src/store/postgres/index.js";
import type { Answer, AppSetup, Looked, Question, Verb } from "./messages.js";

const say = (message: unknown): void => void process.send?.(message);

async function main(): Promise<void> {
  const { cache, store, options } = JSON.parse(process.argv[2] as string) as AppSetup;
  const wb = await writeBehind({ cache: redis(cache), store: postgres(store), worker: false, ...options });
  process.on("message", (question: Question) => void answer(wb, question).then(say));
  say("ready");
  await once(process, "disconnect");
  await wb.close({ deadlineMs: 0 });
}

async function answer(wb: WriteBehind, { id, ...verb }: Question): Promise<Answer> {
  try {
    return { id, value: (await perform(wb, verb)) ?? null };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { id, error: { code: code ?? "none", message } };
  }
}

async function perform(wb: WriteBehind, verb: Verb): Promise<unknown> {
  switch (verb.verb) {
    case "set":
      return void (await wb.set(verb.key, verb.value, verb.ttlMs === null ? {} : { ttlMs: verb.ttlMs }));
    case "increment":
      if (verb.inTransaction) return wb.transaction((tx) => tx.increment(verb.key));
      return wb.increment(verb.key);
    case "hashSet":
      return void (await wb.hash(verb.key).set(verb.fields));
    case "hashDelete":
      return void (await wb.hash(verb.key).delete(verb.field));
    case "delete":
      return void (await wb.delete(verb.key));
    case "expire":
      return wb.expire(verb.key, verb.ttlMs);
    case "transaction":
      return transaction(wb, verb);
    case "transfer":
      return wb.transaction(async (tx) => {
        const [from, to] = [Number((await tx.get(verb.from)) ?? 0), Number((await tx.get(verb.to)) ?? 0)];
        tx.set(verb.from, String(from - verb.amount));
        tx.set(verb.to, String(to + verb.amount));
      });
    case "look":
      return look(wb, verb.keys);
    case "flush":
      return void (await wb.flush({ keys: verb.keys, signal: AbortSignal.timeout(5000) }));
  }
}

function transaction(wb: WriteBehind, { reads, steps }: Verb & { verb: "transaction" }): Promise<(string | null)[]> {
  return wb.transaction(async (tx) => {
    const read: (string | null)[] = [];
    for (const key of reads) read.push(await tx.get(key));
    for (const step of steps) {
      if (step.do === "set") tx.set(step.key, step.value);
      else if (step.do === "delete") tx.delete(step.key);
      else tx.setHash(step.key, step.fields);
    }
    return read;
  });
}

function look(wb: WriteBehind, keys: readonly string[]): Promise<Looked[]> {
  return wb.read((workspace) =>
    keys.map((text) => {
      const key = bytesOfText(text);
      const content = workspace.get(key);
      if (content === null) return null;
      const expiresAt = workspace.expiryOf(key) ?? null;
      if (typeof content === "string") return { value: textOfBytes(content), expiresAt };
      const fields = [...content];
      return { fields: fields.map(([name, value]) => [textOfBytes(name), textOfBytes(value)] as const), expiresAt };
    }),
  );
}

await main();
