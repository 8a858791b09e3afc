/** News as the text of a message: its kind, then partition and sequence where it has them. Pure. */
import type { News } from "./keeper.js";

/** The text. */
export function textOfNews(news: News): string {
  if (news.kind === "fleet") return news.kind;
  if (news.kind === "order") return `${news.kind} ${news.partition}`;
  return `${news.kind} ${news.partition} ${news.sequence}`;
}

/** The news; null where the text is none that this version knows. */
export function newsOfText(text: string): News | null {
  const [kind, partition, sequence] = text.split(" ");
  if (kind === "fleet") return { kind };
  if (kind === "order") return { kind, partition: Number(partition) };
  if (kind !== "stored" && kind !== "hurry") return null;
  return { kind, partition: Number(partition), sequence: Number(sequence) };
}
