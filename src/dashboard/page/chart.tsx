/** Numbers of the last 15 minutes as lines: https://github.com/leeoniya/uPlot */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { theme } from "./theme.js";

/** One line of a chart. `tone`: the name of its colour in style.css. */
export interface Line {
  readonly name: string;
  readonly tone: "accent" | "queue" | "writer" | "store";
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  /** Seconds since 1970, one for each value. */
  readonly at: readonly number[];
  readonly lines: readonly Line[];
  /** A value as text: on the axis, and for the last one. */
  readonly show: (value: number) => string;
}

const windowSeconds = 15 * 60;
/** A server that began lately has little to show: that is shown wide. */
const windowSecondsMin = 60;
const height = 150;

/** A chart. Its last values stand beside its name as text, so it is of use to those who do not see it, too. */
export function Chart({ title, at, lines, show }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = [[...at], ...lines.map(({ values }) => [...values])] as unknown as uPlot.AlignedData;
  const shownTheme = theme.value;
  useEffect(() => {
    const target = place.current as HTMLDivElement;
    const made = new uPlot(optionsOf(target, lines, show), data, target);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: target.clientWidth, height }));
    resized.observe(target);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shownTheme]);
  useEffect(() => plot.current?.setData(data), [at]);
  return (
    <figure class="sheet chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="legend number">
          {lines.map(({ name, tone, values }) => (
            <span key={name} class={`tone-${tone === "accent" ? "cache" : tone}`}>
              <i aria-hidden="true" />
              {name} {lastOf(values, show)}
            </span>
          ))}
        </span>
      </figcaption>
      <div class="plot" ref={place} aria-hidden="true" />
    </figure>
  );
}

function lastOf(values: readonly (number | null)[], show: (value: number) => string): string {
  const last = values.at(-1);
  return last === undefined || last === null ? "–" : show(last);
}

function optionsOf(target: HTMLElement, lines: readonly Line[], show: (value: number) => string): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("soft"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return {
    width: target.clientWidth,
    height,
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { range: (_, first, last) => windowOf(first, Math.max(last ?? 0, Date.now() / 1000)) },
      y: { range: (_, __, most) => [0, Math.max(most ?? 0, 1) * 1.1] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 80, values: (_, splits) => timesOfDay(splits) },
      { ...axis, size: 62, space: 36, values: (_, splits) => splits.map(show) },
    ],
    series: [
      {},
      ...lines.map(({ tone }) => ({ stroke: colour(tone), width: 1.75, points: { show: false }, spanGaps: false })),
    ],
  };
}

/** From the first sample, or from 15 minutes before the end; never less than a minute. */
function windowOf(first: number | null, end: number): [number, number] {
  return [Math.max(end - windowSeconds, Math.min(first ?? 0, end - windowSecondsMin)), end];
}

/** Times of day; with seconds where there are many within a minute. */
function timesOfDay(splits: readonly number[]): string[] {
  const [first = 0, second = first + 60] = splits;
  const format: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (second - first < 60) format.second = "2-digit";
  return splits.map((seconds) => new Date(seconds * 1000).toLocaleTimeString([], format));
}
