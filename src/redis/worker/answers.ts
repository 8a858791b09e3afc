/** Orders of operators, as the owner of a partition does and answers them. */
import { plainError } from "../../errors.js";
import { jsonOfLetter } from "../../heart/dead-letters.js";
import type { DeadLetterPage } from "../../writer/messages.js";
import { obey, type Obeying } from "../../writer/orders.js";
import type { FleetAnswer, FleetAnswers, FleetOrder } from "../orders.js";

/** Does an order and gives its answer. Never rejects. */
export async function answerTo(writer: Obeying, text: string): Promise<FleetAnswer> {
  try {
    return { value: await answerOf(writer, JSON.parse(text) as FleetOrder) };
  } catch (error) {
    return { error: plainError(error) };
  }
}

async function answerOf(writer: Obeying, order: FleetOrder): Promise<FleetAnswers[keyof FleetAnswers]> {
  const { verb, ...more } = order;
  const answer = await obey(writer, { type: verb, ...more } as Parameters<typeof obey>[1]);
  if (verb !== "list") return answer as FleetAnswers[keyof FleetAnswers];
  const { items, next } = answer as DeadLetterPage;
  return { items: items.map(jsonOfLetter), next };
}
