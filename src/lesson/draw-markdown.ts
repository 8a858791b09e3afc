/** The lesson as a page of markdown: docs/lesson.md. Times are left out, because every run has others. Pure. */
import { notBorneOut } from "./draw-terminal.js";
import type { KeyMoment, Lesson, LessonClaim } from "./lesson.js";
import { executionTable, trackerTable, type Table } from "./tables.js";

/** The whole page. */
export function drawMarkdown(lesson: Lesson): string {
  const { flow, moments, quiz, snapshot, title } = lesson;
  const sections = [
    "<!-- Made from a real run (test/lesson.test.ts). Do not edit. -->",
    `# ${title}`,
    'Every cell on this page was read from a running engine: its cache, its write queue, and its SQLite database through a\nconnection of its own. `npx write-behind trace` does it again, here and now; `npx write-behind trace --quiz` asks you;\n`npx write-behind trace "SET a 1" "INCR a" step "GET a"` shows the same for commands of your own.',
    "## The flow",
    flow.map((stage) => stage.text).join(" → "),
    flow.map((stage, index) => `${index + 1}. **${stage.text}**: ${shown(stage)}`).join("\n"),
    "## Step by step",
    tableOf(executionTable(lesson)),
    "## Each variable over time",
    tableOf(trackerTable(lesson)),
    "## Key moments",
    ...moments.map(momentOf),
    "## Quiz",
    quiz.map(({ question, answer, why }) => `- ${question}\n  **${answer}** ${why}`).join("\n"),
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
