/** What the writer's owner may order of it, put into its methods. */
import type { BatchReport } from "../events.js";
import type { WriterAnswers, WriterOrder } from "./messages.js";

/** Who obeys. */
export interface Obeying {
  pause(): Promise<void>;
  step(): Promise<BatchReport | null>;
}

/** Does what is ordered, and answers it. */
export function obey<Order extends WriterOrder>(writer: Obeying, order: Order): Promise<WriterAnswers[Order["type"]]> {
  return answered(writer, order) as Promise<WriterAnswers[Order["type"]]>;
}

async function answered(writer: Obeying, order: WriterOrder): Promise<WriterAnswers[keyof WriterAnswers]> {
  switch (order.type) {
    case "pause":
      await writer.pause();
      return null;
    case "step":
      return writer.step();
    case "list":
      return { items: [], next: null };
    case "retry":
    case "discard":
      return [];
  }
}
