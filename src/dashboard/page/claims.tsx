/** What is said of write-behind, with what the run has shown of it. */
import type { KeyMoment, LessonClaim } from "../../lesson/lesson.js";

/** Claims, each with its evidence. */
export function Claims({ claims }: { readonly claims: readonly LessonClaim[] }) {
  return (
    <ul class="claims">
      {claims.map(({ text, shown, holds }) => (
        <li key={text} class={holds ? "holds" : "fails"}>
          {text}
          {": "}
          <span class="bytes">{shown}</span>
          {!holds && <strong> not so in this run</strong>}
        </li>
      ))}
    </ul>
  );
}

/** A key moment: the question that everybody asks here, its answer, and the proofs. */
export function Moment({ moment }: { readonly moment: KeyMoment }) {
  return (
    <details class="moment" open>
      <summary>{moment.question}</summary>
      <div class="stack">
        <p>{moment.answer}</p>
        <Claims claims={moment.proofs} />
        {moment.measured.length > 0 && (
          <p class="soft small">
            measured in this run: {moment.measured.map(({ what, ms }) => `${what} ${ms.toFixed(1)} ms`).join("; ")}
          </p>
        )}
      </div>
    </details>
  );
}
