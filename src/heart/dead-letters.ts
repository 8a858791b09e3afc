/** Dead letters as people and programs deal with them: lists, retry and discard, which the writer does, as JSON. */
import type { WriteBehindError } from "../errors.js";
import type { DeadLetter, DeadLetterIds, DeadLetterPage, DeadLetterReport, DeadLetters } from "../heart.js";
import { positionText } from "../queue/queue.js";
import type { DeadLetter as ParkedLetter } from "../writer/messages.js";
import type { WriterHandle } from "../writer/writer-handle.js";
import { jsonOfChange } from "./json.js";
import type { Parked } from "./parked.js";

/** The verbs of one engine. */
export class DeadLetterDesk implements DeadLetters {
  readonly #parked: Parked;
  readonly #writer: () => WriterHandle;

  /** `writer` throws where the engine does nothing any more. */
  constructor(parked: Parked, writer: () => WriterHandle) {
    this.#parked = parked;
    this.#writer = writer;
  }

  async list(limit: number, after: string | null): Promise<DeadLetterPage> {
    const { items, next } = await this.#writer().deadLetters(limit, after);
    return { items: items.map(jsonOfLetter), next };
  }

  async retry(ids: DeadLetterIds): Promise<DeadLetterReport> {
    return { items: await this.#writer().retryDeadLetters(ids), next: null };
  }

  async discard(
    ids: DeadLetterIds,
    { behind = false }: { readonly behind?: boolean | undefined } = {},
  ): Promise<DeadLetterReport> {
    return { items: await this.#writer().discardDeadLetters(ids, behind), next: null };
  }

  refusal(sequence: number): WriteBehindError | null {
    return this.#parked.refusal(sequence);
  }

  anyIn(first: number, last: number): boolean {
    return this.#parked.frames.anyIn(first, last);
  }
}

/** A dead letter as JSON. */
export function jsonOfLetter(letter: ParkedLetter): DeadLetter {
  return {
    ...letter,
    position: positionText(letter.position),
    changes: letter.changes.map(jsonOfChange),
    behind: letter.behind.map((waiting) => ({ ...jsonOfChange(waiting), frames: waiting.frames })),
  };
}
