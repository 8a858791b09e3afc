/**
 * WAIT and WAITAOF. The database counts as the one replica, the journal on disk as the append-only file.
 */
import type { Bytes } from "../bytes.js";
import type { WriteBehindError } from "../errors.js";
import { noKeys, type Session, type SessionCommand } from "./command.js";
import { parseInteger } from "./integer.js";
import { failure, notAnInteger, replyOfError, type ErrorReply, type Reply } from "./reply.js";

/** How far this connection's writes have come. */
interface Progress {
  onDisk: boolean;
  /** The database's position has passed all of them. */
  passed: boolean;
  failed: WriteBehindError | null;
}

/** The longest time that a timer takes. */
const timerMsMax = 2 ** 31 - 1;

function parseTimeout(text: Bytes): number | ErrorReply {
  const value = parseInteger(text);
  if (value === null) return failure("ERR timeout is not an integer or out of range");
  if (value < 0) return failure("ERR timeout is negative");
  return Math.min(Number(value), timerMsMax);
}

/** What an answer waits for. `disk` "say": not waited for, but asked for, because the answer says it. */
interface Wants {
  readonly disk: "wait" | "say" | "no";
  readonly store: boolean;
}

/** Answers as soon as what is wanted has come, the time is over (0: never), or the client is gone. */
function watch(
  session: Session,
  wants: Wants,
  timeoutMs: number,
  answer: (progress: Progress) => Reply,
): Reply | Promise<Reply> {
  const { heart, clock } = session.server;
  const sequence = session.written.last;
  const progress: Progress = { onDisk: false, passed: heart.stored >= sequence, failed: null };
  let settle: () => void = () => undefined;
  const came = (what: "onDisk" | "passed") => (error: WriteBehindError | null) => {
    if (error === null) progress[what] = true;
    else progress.failed = error;
    if (isDone()) settle();
  };
  const isDone = () =>
    progress.failed !== null || ((wants.disk !== "wait" || progress.onDisk) && (!wants.store || progress.passed));
  const reply = () => (progress.failed === null ? answer(progress) : replyOfError(progress.failed));
  if (wants.disk !== "no") heart.whenDurable(sequence, came("onDisk"));
  if (isDone() || session.executing) return reply();
  const callOff = wants.store && !progress.passed ? heart.whenStored(sequence, came("passed")) : () => undefined;
  if (isDone()) return reply();
  return new Promise((resolve) => {
    const timer = timeoutMs === 0 ? null : clock.after(timeoutMs, () => settle());
    settle = () => {
      settle = () => undefined;
      timer?.cancel();
      callOff();
      session.gone.removeEventListener("abort", left);
      resolve(reply());
    };
    const left = () => settle();
    session.gone.addEventListener("abort", left, { once: true });
  });
}

/** 1 where the database has taken everything; 0 where it has not yet, or has parked a write since the last WAIT. */
function inStore({ written }: Session, { passed }: Progress): number {
  if (!passed) return 0;
  const all = !written.anyParked;
  written.answered();
  return all ? 1 : 0;
}

function wait(session: Session, args: readonly Bytes[]): Reply | Promise<Reply> {
  const replicas = parseInteger(args[1] as Bytes);
  if (replicas === null) return notAnInteger;
  const timeoutMs = parseTimeout(args[2] as Bytes);
  if (typeof timeoutMs !== "number") return timeoutMs;
  return watch(session, { disk: "no", store: replicas > 0 }, timeoutMs, (progress) => inStore(session, progress));
}

function waitaof(session: Session, args: readonly Bytes[]): Reply | Promise<Reply> {
  const local = parseInteger(args[1] as Bytes);
  if (local !== 0 && local !== 1) return failure("ERR value is out of range, value must between 0 and 1");
  const replicas = parseInteger(args[2] as Bytes);
  if (replicas === null || replicas < 0) return failure("ERR value is out of range, must be positive");
  const timeoutMs = parseTimeout(args[3] as Bytes);
  if (typeof timeoutMs !== "number") return timeoutMs;
  const wants: Wants = { disk: local === 1 ? "wait" : "say", store: replicas > 0 };
  return watch(session, wants, timeoutMs, (progress) => [progress.onDisk ? 1 : 0, inStore(session, progress)]);
}

/** The commands. */
export const waitCommands: readonly SessionCommand[] = [
  {
    kind: "session",
    name: "wait",
    arity: 3,
    flags: ["blocking"],
    keys: noKeys,
    group: "generic",
    syntax: "numreplicas timeout",
    summary:
      "Waits until this connection's writes are in the database. Answers 1 when they are; 0 at the timeout (milliseconds; 0 is none), or where it refused one of those since the last WAIT.",
    run: wait,
  },
  {
    kind: "session",
    name: "waitaof",
    arity: 4,
    flags: ["blocking"],
    keys: noKeys,
    group: "generic",
    syntax: "numlocal numreplicas timeout",
    summary:
      "Waits until this connection's writes are on disk (numlocal 1) and in the database (numreplicas 1). Answers two numbers: 1 where they are on disk, 1 where they are in the database.",
    run: waitaof,
  },
];
