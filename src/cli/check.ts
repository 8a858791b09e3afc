/** `write-behind check --data DIR`: reads a journal from end to end and says what is in it. It changes nothing. */
import { nodeHost } from "../host/node-host.js";
import { inspectJournal, type JournalReport } from "../queue/journal/inspect.js";
import { positionText } from "../queue/queue.js";
import { someOptions, type Flags } from "./config.js";
import { CliError, exitCodes, type ExitCode } from "./exit.js";
import { columns, counted, print, size } from "./output.js";

/** Runs the verb. Failed where the next start would refuse the journal. */
export async function check(flags: Flags): Promise<ExitCode> {
  const { data } = someOptions(flags, ["data"]);
  const report = await inspectJournal(nodeHost().disk, `${data}/journal`);
  if (report === null) {
    throw new CliError(exitCodes.failed, `there is no journal in ${data}`, "name the folder of a server: --data DIR");
  }
  print(journalJson(report), flags["json"] === true, () => journalText(report, data));
  return report.damage === null ? exitCodes.done : exitCodes.failed;
}

/** The report as JSON; positions are text. */
function journalJson(report: JournalReport): unknown {
  const { base, last, damage } = report;
  return {
    ...report,
    base: base === null ? null : positionText(base),
    last: last === null ? null : positionText(last),
    damage: damage === null ? null : { code: damage.code, message: damage.message, hint: damage.hint },
  };
}

/** The report for people. */
export function journalText(report: JournalReport, data: string): string {
  const { logId, oldest, last, frames, segments, durable, torn, beyond, damage } = report;
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const lines: [string, string][] = [
    ["journal", `${data}/journal, log ${logId ?? "unknown"}`],
    ["frames", frames === 0 ? "none" : `${counted(frames, "frame")}, ${oldest} to ${last?.sequence}, ${size(bytes)}`],
    ["files", counted(segments.length, "segment")],
    ["durable", `up to ${durable} by what the log itself says`],
  ];
  if (torn) lines.push(["end", "torn: a write that was cut off lies behind the last frame; the next start cuts it"]);
  if (beyond.length > 0) lines.push(["beyond", beyond.join(", ")]);
  lines.push(["verdict", damage === null ? "sound" : `${damage.code}: ${damage.message}`]);
  const hint = damage?.hint ?? null;
  return columns(lines) + (hint === null ? "" : `hint: ${hint}\n`);
}
