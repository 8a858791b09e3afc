/**
 * What an operator asks of the owner of a partition, and how it is answered: as JSON through the keeper, so that it
 * works from any place that reaches it. front/fleet-desk.ts asks, the worker answers.
 */
import type { PlainError } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { DeadLetter, DeadLetterOutcome } from "../heart.js";

/** Asked of one partition. `pause` is answered when its writer stands still. */
export type FleetOrder =
  | { readonly verb: "pause" }
  | { readonly verb: "step" }
  | { readonly verb: "list"; readonly limit: number; readonly after: string | null }
  | { readonly verb: "retry"; readonly ids: readonly string[] | "all" }
  | { readonly verb: "discard"; readonly ids: readonly string[] | "all"; readonly behind: boolean };

/** What each is answered with. Ids of letters are those of the partition: the sequence alone. */
export interface FleetAnswers {
  readonly pause: null;
  readonly step: BatchReport | null;
  readonly list: { readonly items: readonly DeadLetter[]; readonly next: string | null };
  readonly retry: readonly DeadLetterOutcome[];
  readonly discard: readonly DeadLetterOutcome[];
}

/** An answer, or why there is none. */
export type FleetAnswer = { readonly value: FleetAnswers[keyof FleetAnswers] } | { readonly error: PlainError };
