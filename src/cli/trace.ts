/** `write-behind trace`: the lesson, from real runs in a folder that is thrown away afterwards. */
import { createInterface } from "node:readline";
import { bytesOfBuffer } from "../bytes.js";
import { drawMarkdown } from "../lesson/draw-markdown.js";
import { drawTerminal } from "../lesson/draw-terminal.js";
import { lessonHolds, type Lesson, type LessonAction } from "../lesson/lesson.js";
import { askQuiz } from "../lesson/quiz.js";
import { runLesson, runOwnCommands } from "../lesson/run-lesson.js";
import type { Flags } from "./config.js";
import { CliError, exitCodes, type ExitCode } from "./exit.js";
import { print } from "./output.js";
import { splitLine } from "./redis-format.js";
import { inTemporaryFolder } from "./temporary-folders.js";

/** Runs the verb: the worked example, or commands of one's own. Failed where the run does not bear out the lesson. */
export async function trace(commands: readonly string[], flags: Flags): Promise<ExitCode> {
  const quiz = flags["quiz"] === true;
  if (quiz && commands.length > 0)
    throw new CliError(exitCodes.usage, "--quiz asks about the worked example only", "npx write-behind trace --quiz");
  // As `send` takes it: what was meant is one command, not one for each word.
  if (commands.length > 1 && commands.every((text) => !/\s/.test(text)) && !commands.some(isStep))
    throw new CliError(
      exitCodes.usage,
      `${commands.length} commands of one word each: a command with its arguments is one argument here`,
      `npx write-behind trace "${commands.join(" ")}" step`,
    );
  const actions = commands.map(actionOf);
  const lesson = await inTemporaryFolder((parts) =>
    actions.length === 0 ? runLesson(parts) : runOwnCommands(parts, actions),
  );
  if (quiz) await ask(lesson);
  else if (flags["markdown"] === true) process.stdout.write(drawMarkdown(lesson));
  else print(lesson, flags["json"] === true, () => drawTerminal(lesson));
  return lessonHolds(lesson) ? exitCodes.done : exitCodes.failed;
}

function isStep(text: string): boolean {
  return text.trim().toLowerCase() === "step";
}

function actionOf(text: string): LessonAction {
  const args = splitLine(text);
  if (args === null || args.length === 0) {
    throw new CliError(
      exitCodes.usage,
      `${JSON.stringify(text)} is not a command`,
      'npx write-behind trace "SET a 1" step "GET a"',
    );
  }
  if (isStep(text)) return { kind: "step" };
  return { kind: "command", text: text.trim(), args: args.map((arg) => bytesOfBuffer(arg)) };
}

async function ask(lesson: Lesson): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const say = (text: string): void => void process.stdout.write(text);
  const prompt = async (text: string): Promise<string | null> => {
    say(text);
    const line: IteratorResult<string, unknown> = await lines.next();
    return line.done === true ? null : line.value;
  };
  const { right, asked } = await askQuiz(lesson.quiz, prompt, say);
  say(`${right} of ${asked} right. npx write-behind trace shows the whole run.\n`);
}
