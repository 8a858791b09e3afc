/** What the writer's owner may order of it from another thread, put into its methods. */
import type { BatchReport } from "../events.js";
import type { DeadLetterPage, LetterIds, LetterOutcome, WriterAnswers, WriterOrder } from "./messages.js";
import type { LettersOrder } from "./suspects.js";

/** Who obeys. */
export interface Obeying {
  pause(): Promise<void>;
  step(): Promise<BatchReport | null>;
  list(limit: number, after: string | null): Promise<DeadLetterPage>;
  settleLetters(what: LettersOrder, ids: LetterIds): Promise<readonly LetterOutcome[]>;
}

/** Does what is ordered, and answers it. */
export async function obey(writer: Obeying, order: WriterOrder): Promise<WriterAnswers[keyof WriterAnswers]> {
  switch (order.type) {
    case "pause":
      await writer.pause();
      return null;
    case "step":
      return writer.step();
    case "list":
      return writer.list(order.limit, order.after);
    case "retry":
      return writer.settleLetters("retry", order.ids);
    case "discard":
      return writer.settleLetters(order.behind ? "discardBehind" : "discard", order.ids);
  }
}
