/**
 * How far a long work has come: a bar that is drawn again in its place on a terminal, elsewhere a plain line now and
 * then. What is drawn is a pure function; where to and when it is comes from a `Screen` (host/screen.ts is stderr).
 */
import { count, duration, percent, size } from "./amounts.js";

/** Where progress is shown. */
export interface Screen {
  /** Whether a line can be drawn again in its place. */
  readonly isTerminal: boolean;
  /** Columns of it. */
  readonly width: () => number;
  readonly write: (text: string) => void;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/** What is counted: bytes, seconds that pass, or things by their name (`files`). */
export type Unit = "bytes" | "seconds" | { readonly things: string };

/** How far it has come. */
export interface Reach {
  readonly what: string;
  readonly unit: Unit;
  readonly done: number;
  /** Null: nobody knows. */
  readonly total: number | null;
  /** Since it began. */
  readonly elapsedMs: number;
  /** What was reached besides: `12 kills`. */
  readonly note: string;
}

const drawnEveryMs = 100;
const lineEveryMs = 10_000;
const barColumns = 20;
/** Before that, what is left is a guess from nothing. */
const guessAfterMs = 1000;

/** The parts of the line, the bar left out. */
function parts({ unit, done, total, elapsedMs, note }: Reach): string[] {
  const rate = elapsedMs > 0 ? done / (elapsedMs / 1000) : 0;
  const leftMs = total === null || rate === 0 ? null : ((total - done) / rate) * 1000;
  return [
    ...(total === null ? [] : [percent(Math.min(done, total), total)]),
    total === null ? shown(done, unit) : `${bare(done, unit)} of ${shown(total, unit)}`,
    ...(unit === "seconds" || elapsedMs < guessAfterMs || rate < 1 ? [] : [`${shown(Math.round(rate), unit)}/s`]),
    ...(leftMs === null || leftMs <= 0 || elapsedMs < guessAfterMs ? [] : [`${duration(leftMs)} left`]),
    ...(note === "" ? [] : [note]),
  ];
}

function shown(value: number, unit: Unit): string {
  if (unit === "bytes") return size(value);
  if (unit === "seconds") return duration(Math.floor(value) * 1000);
  return `${count(value)} ${unit.things}`;
}

function bare(value: number, unit: Unit): string {
  return typeof unit === "string" ? shown(value, unit) : count(value);
}

/** The line of a terminal, no longer than `width`. */
export function progressBar(reach: Reach, width: number): string {
  const { what, done, total } = reach;
  const filled = total === null ? 0 : Math.round((barColumns * Math.min(done, total)) / Math.max(1, total));
  const bar = total === null ? "" : `[${"#".repeat(filled)}${"-".repeat(barColumns - filled)}] `;
  const line = `${what} ${bar}${parts(reach).join(", ")}`;
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}

/** The plain line. */
export function progressLine(reach: Reach): string {
  return `${reach.what}: ${parts(reach).join(", ")}`;
}

/** Shows one work after the other on a screen. Short ones leave no trace where lines cannot be taken back. */
export class Progress {
  readonly #screen: Screen;
  #work: { readonly what: string; readonly beganAt: number } | null = null;
  #shownAt = 0;
  #drawn = "";

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** The work `what` has come so far; a name other than before begins another one. */
  at(what: string, unit: Unit, done: number, total: number | null, note = ""): void {
    const { isTerminal, now } = this.#screen;
    const at = now();
    if (this.#work?.what !== what) {
      this.#work = { what, beganAt: at };
      this.#shownAt = isTerminal ? Number.NEGATIVE_INFINITY : at;
    }
    if (at - this.#shownAt < (isTerminal ? drawnEveryMs : lineEveryMs)) return;
    this.#shownAt = at;
    const reach: Reach = { what, unit, done, total, elapsedMs: at - this.#work.beganAt, note };
    if (isTerminal) this.#draw(progressBar(reach, this.#screen.width() - 1));
    else this.#screen.write(`${progressLine(reach)}\n`);
  }

  /** A line of something else, above the bar. */
  line(text: string): void {
    const drawn = this.#drawn;
    this.#draw("");
    this.#screen.write(`${text}\n`);
    this.#draw(drawn);
  }

  /** Nothing is under way any more: the bar goes. */
  end(): void {
    this.#draw("");
    this.#work = null;
  }

  #draw(line: string): void {
    if (line === this.#drawn) return;
    // Back to the first column, and away with what is there.
    this.#screen.write(`\r\u001B[2K${line}`);
    this.#drawn = line;
  }
}
