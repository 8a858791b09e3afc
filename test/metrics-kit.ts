/** What the tests of metrics share: the text of `/metrics`, parsed, and a database that fails as it is told. */
import parsePrometheusText from "parse-prometheus-text-format";
import { metrics } from "../src/metrics/table.js";
import { memoryStore } from "../src/store/memory/memory-store.js";
import { StoreError, type Store } from "../src/store/store.js";

/** A metric as the parser has it. */
export interface Parsed {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly {
    readonly value?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly buckets?: Readonly<Record<string, string>>;
    readonly count?: string;
    readonly sum?: string;
  }[];
}

/** The metrics of a text, by name. */
export function parsed(text: string): ReadonlyMap<string, Parsed> {
  const list = parsePrometheusText(text) as Parsed[];
  return new Map(list.map((metric) => [metric.name, metric]));
}

/** The value of a metric that has these labels, or the count of a histogram; NaN where there is none. */
export function valueOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const found = parsed(text)
    .get(name)
    ?.metrics.find((each) => Object.entries(labels).every(([label, value]) => each.labels?.[label] === value));
  return Number(found?.value ?? found?.count ?? NaN);
}

/** The metrics of the table that say the same in all of these texts, or are in none of them. */
export function unmoved(texts: readonly string[]): readonly string[] {
  const all = texts.map(parsed);
  return metrics
    .map(({ name }) => name)
    .filter((name) => new Set(all.map((each) => JSON.stringify(each.get(name)?.metrics ?? null))).size < 2);
}

/** A database in memory, and what is to go wrong with it. */
export interface FaultyStore extends Store {
  fault: "none" | "down" | "broken";
}

/** A database that refuses records whose names begin with `bad`. */
export function faultyStore(): FaultyStore {
  const store = memoryStore();
  const faulty: FaultyStore = {
    kind: "faulty",
    place: store.place,
    limits: store.limits,
    fault: "none",
    open: (claim) => store.open(claim),
    read: (records, reached) => store.read(records, reached),
    scan: (after, limit, nowMs, table) => store.scan(after, limit, nowMs, table),
    close: () => store.close(),
    commit: (batch) => {
      if (faulty.fault === "down") return Promise.reject(new StoreError("retryable", "it is down"));
      if (faulty.fault === "broken") return Promise.reject(new StoreError("broken", "it has no such table"));
      if ([...batch.rows.keys()].some((record) => record.startsWith("bad")))
        return Promise.reject(new StoreError("refused", "it is bad"));
      return store.commit(batch);
    },
  };
  return faulty;
}
