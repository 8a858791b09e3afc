/** The quiz: one question after the other, the answers as the run gave them. */
import { useSignal } from "@preact/signals";
import type { QuizQuestion } from "../../lesson/lesson.js";

/** All questions, and how many were right. */
export function Quiz({ questions }: { readonly questions: readonly QuizQuestion[] }) {
  const chosen = useSignal<Readonly<Record<number, string>>>({});
  const answered = Object.keys(chosen.value).length;
  const right = questions.filter(({ answer }, index) => chosen.value[index] === answer).length;
  return (
    <section class="sheet stack">
      <h2>Quiz</h2>
      {questions.map((question, index) => (
        <Question
          key={question.question}
          number={index + 1}
          question={question}
          chosen={chosen.value[index] ?? null}
          onChoose={(choice) => (chosen.value = { ...chosen.value, [index]: choice })}
        />
      ))}
      <p role="status">{answered === questions.length && `${right} of ${questions.length} right.`}</p>
    </section>
  );
}

interface QuestionProps {
  readonly number: number;
  readonly question: QuizQuestion;
  readonly chosen: string | null;
  readonly onChoose: (choice: string) => void;
}

function Question({ number, question, chosen, onChoose }: QuestionProps) {
  const { choices, answer, why } = question;
  return (
    <fieldset>
      <legend>
        {number}. {question.question}
      </legend>
      {choices.map((choice) => (
        <label key={choice} class="row">
          <input
            type="radio"
            name={`question-${number}`}
            checked={choice === chosen}
            disabled={chosen !== null}
            onChange={() => onChoose(choice)}
          />
          <span class="bytes">{choice}</span>
        </label>
      ))}
      <div role="status">
        {chosen !== null && (
          <p class={chosen === answer ? "done" : "error"}>
            {chosen === answer ? "Right. " : `No: ${answer}. `}
            {why}
          </p>
        )}
      </div>
    </fieldset>
  );
}
