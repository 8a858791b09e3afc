/**
 * Traces: a span for each write, from when it was asked for until it is kept, in the trace of whoever asked; and a span
 * for each commit, with links to the spans of the writes that it has stored. They are made around a heart and are no
 * part of it: where nobody traces, the road of a write is as it was.
 */
import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from "@opentelemetry/api";
import { WriteBehindError } from "../errors.js";
import type { BatchReport } from "../events.js";
import type { Executed, Heart, WorkOptions } from "../heart.js";
import { positionOfText } from "../queue/queue.js";
import type { Workspace } from "../workspace.js";

/** Links of one commit, at the most: the newest of its writes; as many as an SDK keeps by default. */
export const linksMax = 128;

/** Sampled writes that wait for their commit: beyond that the oldest are linked to none. */
export const writesMax = 10_000;

interface SampledWrite {
  readonly sequence: number;
  readonly span: SpanContext;
}

/** The spans of one heart. */
export class Traces {
  readonly #heart: Heart;
  readonly #tracer: Tracer;
  readonly #now: () => number;
  #writes: SampledWrite[] = [];

  constructor(heart: Heart, tracer: Tracer, now: () => number) {
    this.#heart = heart;
    this.#tracer = tracer;
    this.#now = now;
  }

  /** The heart's own verb, with a span around it. */
  execute<T>(work: (workspace: Workspace) => T, options?: WorkOptions): Executed<T> | Promise<Executed<T>> {
    const startTime = this.#now();
    const asker = context.active();
    try {
      const done = this.#heart.execute(work, options);
      if (!(done instanceof Promise)) {
        this.#done(done, startTime, asker);
        return done;
      }
      return done.then(
        (executed) => {
          this.#done(executed, startTime, asker);
          return executed;
        },
        (error: unknown) => {
          this.#refused(error, startTime, asker);
          throw error;
        },
      );
    } catch (error) {
      this.#refused(error, startTime, asker);
      throw error;
    }
  }

  /** Work that made no frame was no write. */
  #done({ frame }: Executed<unknown>, startTime: number, asker: Context): void {
    if (frame === 0) return;
    const span = this.#span(startTime, asker);
    if (!span.isRecording()) return void span.end();
    span.setAttribute("write_behind.sequence", frame);
    this.#remember({ sequence: frame, span: span.spanContext() });
    this.#heart.whenKept(frame, (error) => {
      if (error !== null) fail(span, error);
      span.end(this.#now());
    });
  }

  #refused(error: unknown, startTime: number, asker: Context): void {
    if (!(error instanceof WriteBehindError)) return;
    const span = this.#span(startTime, asker);
    fail(span, error);
    span.end(this.#now());
  }

  #span(startTime: number, asker: Context): Span {
    const attributes = { "write_behind.durability": this.#heart.durability };
    return this.#tracer.startSpan("write_behind write", { kind: SpanKind.PRODUCER, startTime, attributes }, asker);
  }

  #remember(write: SampledWrite): void {
    if ((write.span.traceFlags & TraceFlags.SAMPLED) === 0) return;
    this.#writes.push(write);
    if (this.#writes.length > 2 * writesMax) this.#writes = this.#writes.slice(-writesMax);
  }

  /** A run was committed: everything up to its end is in the database or parked. */
  committed({ changes, records, from, to, commitMs }: BatchReport): void {
    const upTo = positionOfText(to)?.sequence ?? 0;
    const stored = this.#writes.slice(-writesMax).filter(({ sequence }) => sequence <= upTo);
    if (stored.length > 0) this.#writes = this.#writes.filter(({ sequence }) => sequence > upTo);
    const links: Link[] = stored.slice(-linksMax).map(({ span }) => ({ context: span }));
    const endTime = this.#now();
    const span = this.#tracer.startSpan(
      "write_behind commit",
      {
        kind: SpanKind.CONSUMER,
        root: true,
        startTime: endTime - commitMs,
        links,
        attributes: {
          "write_behind.from": from,
          "write_behind.to": to,
          "write_behind.changes": changes,
          "write_behind.records": records,
          "write_behind.unlinked_writes": stored.length - links.length,
        },
      },
      ROOT_CONTEXT,
    );
    span.end(endTime);
  }
}

function fail(span: Span, error: WriteBehindError): void {
  span.setAttribute("error.type", error.code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}
