/**
 * What a simulated client asks for, twice: as work on the engine's workspace, and as an independent statement of what
 * must come of it. Both see the same moment; any difference is somebody's fault.
 */
import type { Bytes } from "../src/bytes.js";
import type { RecordValue } from "../src/change.js";
import { WriteBehindError } from "../src/errors.js";
import type { Workspace } from "../src/workspace.js";

/** What a change of a hash is in a mapped table: `column` by the column's own key, and a row stays without fields. */
interface InRow {
  readonly row?: "whole" | "column";
}

/** One thing to do with one key, or with two. `column`: the key of one column of the row. */
export type Step =
  | { readonly kind: "get"; readonly key: Bytes; readonly column?: Bytes }
  | { readonly kind: "set"; readonly key: Bytes; readonly value: Bytes; readonly ttlMs: number | null }
  | { readonly kind: "delete"; readonly key: Bytes }
  | { readonly kind: "increment"; readonly key: Bytes; readonly by: number }
  | ({ readonly kind: "hashSet"; readonly key: Bytes; readonly field: Bytes; readonly value: Bytes } & InRow)
  | ({ readonly kind: "hashUnset"; readonly key: Bytes; readonly field: Bytes } & InRow)
  | { readonly kind: "expire"; readonly key: Bytes; readonly ttlMs: number | null }
  | { readonly kind: "clear" }
  | { readonly kind: "rename"; readonly key: Bytes; readonly to: Bytes };

/** A command (one step) or a transaction (several). */
export type Operation = readonly Step[];

/** What came of it: a text for each step, or the code of the error that it ended with. */
export type Reply = string;

/** What the operation does to records, and what it replies. Null effects: it must change nothing. */
export interface Outcome {
  readonly reply: Reply;
  readonly effects: ReadonlyMap<Bytes, RecordValue | null>;
  readonly clears: boolean;
}

/** The records that an operation names. */
export function recordsOf(operation: Operation): Bytes[] {
  return operation.flatMap((step) => {
    if (step.kind === "clear") return [];
    return step.kind === "rename" ? [step.key, step.to] : [step.key];
  });
}

/** Those that a reply says something about where nothing was changed: of a rename of nothing not the target. */
export function lookedAt(operation: Operation): Bytes[] {
  return operation.flatMap((step) => (step.kind === "clear" ? [] : [step.key]));
}

/** Whether it only reads. */
export function isReading(operation: Operation): boolean {
  return operation.every((step) => step.kind === "get");
}

/** An operation in words. */
export function describe(operation: Operation): string {
  return operation.map((step) => Object.values(step).map(shortOf).join(" ")).join("; ");
}

const shortOf = (value: unknown): string => withoutFilling(String(value));

/** A text without the filling that makes values long. */
export function withoutFilling(text: string): string {
  return text.replaceAll(/x{8,}/g, (filling) => `x…${filling.length}`);
}

/** What the database of a world may refuse: a value with this in it. */
export const refusedMark = "!";

/** Whether the database refuses a record for its value. */
export function isRefused(value: RecordValue | null): boolean {
  if (value === null) return false;
  const { content } = value;
  if (typeof content === "string") return content.includes(refusedMark);
  return [...content.values()].some((text) => text.includes(refusedMark));
}

/** A value in words, the same for equal values. */
export function textOf(value: RecordValue | null): string {
  if (value === null) return "nothing";
  const { content, expiresAt } = value;
  const fields = typeof content === "string" ? null : [...content].sort(([a], [b]) => (a < b ? -1 : 1));
  const text =
    fields === null ? JSON.stringify(content) : `{${fields.map(([name, is]) => `${name}: ${is}`).join(", ")}}`;
  return expiresAt === null ? text : `${text} until ${expiresAt}`;
}

/** The key of one column of a row (rows.ts). */
function columnKey(record: Bytes, field: Bytes): Bytes {
  return `${record}:${field}` as Bytes;
}

/** Does the operation on the engine's workspace. Throws what the engine throws. */
export function perform(operation: Operation, workspace: Workspace): Reply {
  return operation.map((step) => performStep(step, workspace)).join(" | ");
}

function performStep(step: Step, workspace: Workspace): string {
  switch (step.kind) {
    case "get": {
      const key = step.column === undefined ? step.key : columnKey(step.key, step.column);
      const content = workspace.get(key);
      return textOf(content === null ? null : { content, expiresAt: workspace.expiryOf(key) ?? null });
    }
    case "set":
      workspace.setString(step.key, step.value, step.ttlMs === null ? null : workspace.now + step.ttlMs);
      return "ok";
    case "delete":
      workspace.remove(step.key);
      return "ok";
    case "increment": {
      const sum = added(workspace.getString(step.key), step.by);
      workspace.setString(step.key, sum as Bytes, workspace.expiryOf(step.key) ?? null);
      return sum;
    }
    case "hashSet":
    case "hashUnset":
      return performInHash(step, workspace);
    case "expire": {
      const there = workspace.get(step.key) !== null;
      workspace.setExpiry(step.key, step.ttlMs === null ? null : workspace.now + step.ttlMs);
      return String(there);
    }
    case "clear":
      workspace.clear();
      return "ok";
    case "rename":
      if (workspace.get(step.key) === null) return "none";
      if (step.key !== step.to) workspace.transfer(step.key, step.to, "move");
      return "ok";
  }
}

function performInHash(step: Extract<Step, { kind: "hashSet" | "hashUnset" }>, workspace: Workspace): string {
  const { key, field } = step;
  if (step.row === "column") {
    if (step.kind === "hashSet") workspace.setString(columnKey(key, field), step.value);
    else workspace.remove(columnKey(key, field));
    return "ok";
  }
  const before = workspace.getHash(key);
  const [count, had] = [before?.size ?? 0, before?.has(field) === true];
  if (step.kind === "hashSet") workspace.setFields(key, new Map([[field, step.value]]));
  else workspace.unsetFields(key, [field]);
  return String(step.kind === "hashSet" ? count : had);
}

/** What must come of an operation at a moment, given every record as it is then. */
export function expected(operation: Operation, valueOf: (record: Bytes) => RecordValue | null, now: number): Outcome {
  const effects = new Map<Bytes, RecordValue | null>();
  const look = (key: Bytes): RecordValue | null => {
    const value = effects.has(key) ? (effects.get(key) ?? null) : valueOf(key);
    return value !== null && (value.expiresAt === null || value.expiresAt > now) ? value : null;
  };
  try {
    const reply = operation.map((step) => expectedStep(step, look, effects, now)).join(" | ");
    return { reply, effects, clears: operation.some((step) => step.kind === "clear") };
  } catch (error) {
    if (!(error instanceof WriteBehindError)) throw error;
    return { reply: error.code, effects: new Map(), clears: false };
  }
}

function expectedStep(
  step: Step,
  look: (key: Bytes) => RecordValue | null,
  effects: Map<Bytes, RecordValue | null>,
  now: number,
): string {
  if (step.kind === "clear") return "ok";
  const { key } = step;
  const value = look(key);
  const expiresAt = value?.expiresAt ?? null;
  switch (step.kind) {
    case "get":
      return textOf(step.column === undefined ? value : columnOf(value, step.column));
    case "set":
      effects.set(key, { content: step.value, expiresAt: step.ttlMs === null ? null : now + step.ttlMs });
      return "ok";
    case "delete":
      effects.set(key, null);
      return "ok";
    case "increment": {
      const sum = added(value === null ? null : stringIn(value), step.by);
      effects.set(key, { content: sum as Bytes, expiresAt });
      return sum;
    }
    case "hashSet":
    case "hashUnset":
      return expectedInHash(step, value, effects);
    case "expire":
      if (value !== null)
        effects.set(key, { content: value.content, expiresAt: step.ttlMs === null ? null : now + step.ttlMs });
      return String(value !== null);
    case "rename":
      if (value === null) return "none";
      effects.set(key, null);
      effects.set(step.to, value);
      return "ok";
  }
}

function expectedInHash(
  step: Extract<Step, { kind: "hashSet" | "hashUnset" }>,
  value: RecordValue | null,
  effects: Map<Bytes, RecordValue | null>,
): string {
  const { key, field, row } = step;
  const before = value === null ? new Map<Bytes, Bytes>() : fieldsIn(value);
  const expiresAt = value?.expiresAt ?? null;
  if (step.kind === "hashSet") {
    effects.set(key, { content: new Map([...before, [field, step.value]]), expiresAt });
    return row === "column" ? "ok" : String(before.size);
  }
  const left = new Map([...before].filter(([name]) => name !== field));
  const stays = row !== undefined && value !== null;
  effects.set(key, left.size === 0 && !stays ? null : { content: left, expiresAt });
  return row === "column" ? "ok" : String(before.has(field));
}

function stringIn(value: RecordValue): Bytes {
  if (typeof value.content !== "string") throw new WriteBehindError("WRONG_TYPE", "a hash");
  return value.content;
}

function fieldsIn(value: RecordValue): ReadonlyMap<Bytes, Bytes> {
  if (typeof value.content === "string") throw new WriteBehindError("WRONG_TYPE", "a string");
  return value.content;
}

function columnOf(value: RecordValue | null, column: Bytes): RecordValue | null {
  const content = value === null ? undefined : fieldsIn(value).get(column);
  return content === undefined ? null : { content, expiresAt: value?.expiresAt ?? null };
}

function added(current: Bytes | null, by: number): string {
  if (current === null) return String(by);
  if (!/^-?\d{1,15}$/.test(current)) throw new WriteBehindError("BAD_VALUE", "not an integer");
  return String(Number(current) + by);
}
