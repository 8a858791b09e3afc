/** The lesson as text for a terminal. No colours, so a file or a pipe gets the same. Pure. */
import type { KeyMoment, Lesson, LessonClaim, QuizQuestion } from "./lesson.js";
import { executionTable, trackerTable, type Table } from "./tables.js";

/** The whole lesson. */
export function drawTerminal(lesson: Lesson): string {
  const { flow, moments, quiz, snapshot } = lesson;
  const parts = [
    `${lesson.title}\n${"=".repeat(lesson.title.length)}\n`,
    flow.length === 0 ? "" : section("The flow", drawFlow(flow)),
    section("Step by step", drawTable(executionTable(lesson))),
    section("Each variable over time", drawTable(trackerTable(lesson))),
    moments.length === 0 ? "" : section("Key moments", moments.map(drawMoment).join("\n")),
    quiz.length === 0 ? "" : section("Quiz (--quiz asks you)", quiz.map(drawQuestion).join("\n")),
    section("In five lines", snapshot.map((line) => `  ${line}\n`).join("")),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

/** How a claim ends that the run did not bear out. */
export const notBorneOut = "NOT SO IN THIS RUN";

function section(head: string, body: string): string {
  return `${head}\n\n${body}`;
}

function drawFlow(flow: readonly LessonClaim[]): string {
  const arrows = flow.map((stage) => stage.text).join(" → ");
  const stages = flow.map((stage, index) => `  ${index + 1}. ${stage.text}\n     ${shown(stage)}\n`);
  return `  ${arrows}\n\n${stages.join("")}`;
}

function drawMoment(moment: KeyMoment, index: number): string {
  const proofs = moment.proofs.map((proof) => `     - ${proof.text}: ${shown(proof)}\n`);
  const measured = moment.measured.map(({ what, ms }) => `     - measured: ${what}: ${ms.toFixed(1)} ms\n`);
  return `  ${index + 1}. ${moment.question}\n     ${moment.answer}\n${[...proofs, ...measured].join("")}`;
}

function drawQuestion({ question, answer }: QuizQuestion, index: number): string {
  return `  ${index + 1}. ${question}\n     ${answer}\n`;
}

function shown(claim: LessonClaim): string {
  return claim.holds ? claim.shown : `${claim.shown}   <-- ${notBorneOut}`;
}

function drawTable({ heads, rows }: Table): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    `  | ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |\n`;
  const rule = `  |${widths.map((width) => "-".repeat(width + 2)).join("|")}|\n`;
  return `${line(heads)}${rule}${rows.map(line).join("")}`;
}
