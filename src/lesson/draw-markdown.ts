/** The lesson as a page of markdown: docs/lesson.md. Times are left out, because every run has others. Pure. */
import { notBorneOut } from "./draw-terminal.js";
import type { KeyMoment, Lesson, LessonClaim, QuizQuestion } from "./lesson.js";
import { executionTable, trackerTable, type Table } from "./tables.js";

const introduction = [
  "Every cell on this page was read from a running engine: its cache, its write queue, and its SQLite database through a",
  "connection of its own. `npx write-behind trace` does it again, here and now; `npx write-behind trace --quiz` asks you;",
  '`npx write-behind trace "SET a 1" "INCR a" step "GET a"` shows the same for commands of your own.',
].join("\n");

/** The whole page; for own commands without what they do not have. */
export function drawMarkdown(lesson: Lesson): string {
  const { flow, moments, quiz, snapshot, title } = lesson;
  const sections = [
    "<!-- Made from a real run by `write-behind trace --markdown`. Do not edit. -->",
    `# ${title}`,
    introduction,
    ...(flow.length === 0 ? [] : flowOf(flow)),
    "## Step by step",
    tableOf(executionTable(lesson)),
    "## Each variable over time",
    tableOf(trackerTable(lesson)),
    ...(moments.length === 0 ? [] : ["## Key moments", ...moments.map(momentOf)]),
    ...(quiz.length === 0 ? [] : ["## Quiz", quiz.map(questionOf).join("\n")]),
    "## In five lines",
    snapshot.map((line) => `- ${line}`).join("\n"),
  ];
  return `${sections.join("\n\n")}\n`;
}

/** A table of markdown, each row in one line. */
export function tableOf({ heads, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `|${cells.map((cell) => ` ${escaped(cell)}`.trimEnd()).join(" |")} |`;
  return [line(heads), `|${"---|".repeat(heads.length)}`, ...rows.map(line)].join("\n");
}

function flowOf(flow: readonly LessonClaim[]): string[] {
  const stages = flow.map((stage, index) => `${index + 1}. **${stage.text}**: ${shown(stage)}`);
  return ["## The flow", flow.map((stage) => stage.text).join(" → "), stages.join("\n")];
}

function questionOf({ question, answer, why }: QuizQuestion): string {
  return `- ${question}\n  **${answer}** ${why}`;
}

function momentOf(moment: KeyMoment): string {
  const proofs = moment.proofs.map((proof) => `- ${proof.text}: ${shown(proof)}`);
  const times =
    moment.measured.length === 0
      ? []
      : [`- measured in each run, and different in each: ${moment.measured.map(({ what }) => what).join("; ")}`];
  return `### ${moment.question}\n\n${moment.answer}\n\n${[...proofs, ...times].join("\n")}`;
}

function shown(claim: LessonClaim): string {
  return claim.holds ? claim.shown : `${claim.shown} **${notBorneOut}**`;
}

function escaped(cell: string): string {
  return cell.replaceAll("|", "\\|");
}
