/** `write-behind dead list|show|retry|discard`: what the database has refused, and what becomes of it. */
import type { DeadLetter, DeadLetterOutcome, DeadLetterPage, DeadLetterReport } from "../heart.js";
import { ask } from "./client.js";
import type { Flags } from "./config.js";
import { CliError, exitCodes, tryLine, type ExitCode } from "./exit.js";
import { columns, counted, duration, print, shownBytes, shownChange } from "./output.js";

const listedDefault = 20;

/** Lists dead letters, oldest first. */
export async function listDead(flags: Flags): Promise<void> {
  const { limit = listedDefault, after } = flags;
  const from = typeof after === "string" ? `&after=${encodeURIComponent(after)}` : "";
  const page = await ask(flags, "GET", `/api/dead-letters?limit=${encodeURIComponent(String(limit))}${from}`);
  print(page, flags["json"] === true, () => listText(page as DeadLetterPage, Date.now()));
}

/** Shows one with everything that is known of it. */
export async function showDead(id: string, flags: Flags): Promise<void> {
  // A frame's number; that of a fleet has the partition before it.
  const [, partition = "", sequence] = /^(\d{1,4}-)?([1-9]\d{0,14})$/.exec(id) ?? [];
  if (sequence === undefined)
    throw new CliError(exitCodes.usage, `${JSON.stringify(id)} is no dead letter's id`, listHint);
  // So the page that begins before it begins with it.
  const before = `${partition}${Number(sequence) - 1}`;
  const page = (await ask(flags, "GET", `/api/dead-letters?limit=1&after=${before}`)) as DeadLetterPage;
  const letter = page.items.find((each) => each.id === `${partition}${sequence}`);
  if (letter === undefined) throw new CliError(exitCodes.failed, `there is no dead letter ${id}`, listHint);
  print(letter, flags["json"] === true, () => letterText(letter, Date.now()));
}

/** Tries some or all again. Failed where the database refuses one of them again. */
export async function retryDead(ids: readonly string[], flags: Flags): Promise<ExitCode> {
  return done(
    flags,
    await ask(flags, "POST", "/api/dead-letters/retry", { ids: chosen(ids, flags) }),
    "is refused again",
  );
}

/** Gives some or all up. Failed where the database refuses what waits behind one of them: then that group stays. */
export async function discardDead(ids: readonly string[], flags: Flags): Promise<ExitCode> {
  const body = { ids: chosen(ids, flags), behind: flags["behind"] === true };
  return done(flags, await ask(flags, "POST", "/api/dead-letters/discard", body), "stays as it was");
}

const listHint = "npx write-behind dead list";

function chosen(ids: readonly string[], flags: Flags): readonly string[] | "all" {
  const all = flags["all"] === true;
  if (all !== ids.length > 0) return all ? "all" : ids;
  throw new CliError(exitCodes.usage, "name dead letters by their ids, or give --all", listHint);
}

function done(flags: Flags, answer: unknown, refused: string): ExitCode {
  const { items } = answer as DeadLetterReport;
  print(answer, flags["json"] === true, () => outcomesText(items, refused));
  return items.some(({ became }) => became === "refused") ? exitCodes.failed : exitCodes.done;
}

/** A page for people. */
export function listText({ items, next }: DeadLetterPage, now: number): string {
  if (items.length === 0) return "the database has refused nothing: there are no dead letters\n";
  const letters = items.map((letter) => {
    const { id, group, reason, waitingBehind, changes } = letter;
    const of = group === id ? "" : ` (together with ${group})`;
    const behind = waitingBehind === 0 || group !== id ? "" : `    ${waits(waitingBehind)}\n`;
    const keys = changes.map(({ key, kind }) => `${kind} ${shownBytes(key)}`).join(", ");
    return `${id}  refused ${when(letter, now)}${of}: ${reason}\n    ${keys.length > 200 ? `${keys.slice(0, 200)}…` : keys}\n${behind}`;
  });
  const more = next === null ? "" : `more: npx write-behind dead list --after ${next}\n`;
  return `${letters.join("")}${more}\n${nextSteps("ID")}`;
}

/** One letter for people. */
export function letterText(letter: DeadLetter, now: number): string {
  const { id, group, reason, refusedAt, changes, behind, waitingBehind } = letter;
  const lines: [string, string][] = [
    ["dead letter", group === id ? id : `${id}, retried or discarded together with ${group}`],
    ["refused", `${when(letter, now)} (${new Date(refusedAt).toISOString()})`],
    ["because", reason],
    ...changes.map((change, at): [string, string] => [
      at === 0 ? "change" : "",
      `${shownBytes(change.key)}  ${shownChange(change)}`,
    ]),
    ["behind", waitingBehind === 0 ? "nothing waits behind it" : waits(waitingBehind)],
    ...behind.map((change): [string, string] => [
      "",
      `${shownBytes(change.key)}  ${shownChange(change)}  (of ${counted(change.frames, "change")})`,
    ]),
  ];
  return `${columns(lines)}\n${nextSteps(id)}`;
}

function when({ refusedAt, tries }: DeadLetter, now: number): string {
  const again = tries < 2 ? "" : `, ${tries} times by now`;
  return `${duration(Math.max(0, now - refusedAt))} ago${again}`;
}

function waits(waitingBehind: number): string {
  return waitingBehind === 1
    ? "1 later change waits behind it"
    : `${counted(waitingBehind, "later change")} wait behind it`;
}

function nextSteps(id: string): string {
  return columns([
    ["reads", "show these changes; every other record goes on as usual"],
    ...(id === "ID" ? [["more about one", "npx write-behind dead show ID"] as [string, string]] : []),
    ["mend", `what the database objects to; it is tried again by itself, or now: npx write-behind dead retry ${id}`],
    [
      "give up",
      `npx write-behind dead discard ${id}  (what waits behind it is written; with --behind that is given up, too)`,
    ],
  ]);
}

function outcomesText(items: readonly DeadLetterOutcome[], refused: string): string {
  if (items.length === 0) return "there are no dead letters\n";
  const became = { stored: "is in the database", discarded: "is given up; reads show what the database has", refused };
  return items
    .map((each) => {
      const why = each.reason === null ? "" : `: ${each.reason}`;
      return `${each.id}  ${became[each.became]}${why}\n${each.hint === null ? "" : `${tryLine(each.hint)}\n`}`;
    })
    .join("");
}
