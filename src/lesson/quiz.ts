/** Asks the questions of a quiz one by one. Where answers come from and where texts go is the caller's business. */
import type { QuizQuestion } from "./lesson.js";

/** Shows a text and gives the next line that the person types; null when there is no more. */
export type Prompt = (text: string) => Promise<string | null>;

/** How it went. */
export interface QuizResult {
  readonly right: number;
  readonly asked: number;
}

/** Asks all of them, or until the person leaves. `say` gets what is to be shown after each answer. */
export async function askQuiz(
  questions: readonly QuizQuestion[],
  prompt: Prompt,
  say: (text: string) => void,
): Promise<QuizResult> {
  let [right, asked] = [0, 0];
  for (const question of questions) {
    const line = await prompt(textOf(question, asked + 1));
    if (line === null) break;
    asked += 1;
    const isRight = chosen(question, line) === question.answer;
    if (isRight) right += 1;
    say(`${isRight ? "Right." : `No: ${question.answer}`} ${question.why}\n\n`);
  }
  return { right, asked };
}

function textOf({ question, choices }: QuizQuestion, number: number): string {
  const lines = choices.map((choice, index) => `   ${letter(index)}) ${choice}\n`);
  return `${number}. ${question}\n${lines.join("")}${number === 1 ? "Type a letter" : ""}> `;
}

/** A letter chooses; the answer itself counts too. */
function chosen({ choices }: QuizQuestion, line: string): string | undefined {
  const typed = line.trim();
  const byLetter = choices.find((_, index) => letter(index) === typed.toLowerCase());
  return byLetter ?? choices.find((choice) => choice.toLowerCase() === typed.toLowerCase());
}

function letter(index: number): string {
  return String.fromCharCode(97 + index);
}
