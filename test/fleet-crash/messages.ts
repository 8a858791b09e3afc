/** What the processes of a fleet campaign and their parent say to each other. Plain values: they travel as JSON. */

/** How an application process is started. */
export interface AppSetup {
  readonly cache: string;
  readonly store: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** One step of a transaction. */
export type Step =
  | { readonly do: "set"; readonly key: string; readonly value: string }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "setHash"; readonly key: string; readonly fields: Readonly<Record<string, string>> };

/** What is asked of an application process. */
export type Verb =
  | { readonly verb: "set"; readonly key: string; readonly value: string; readonly ttlMs: number | null }
  /** `inTransaction`: in a transaction of its own, which is begun again where it meets another one. */
  | { readonly verb: "increment"; readonly key: string; readonly inTransaction: boolean }
  | { readonly verb: "hashSet"; readonly key: string; readonly fields: Readonly<Record<string, string>> }
  | { readonly verb: "hashDelete"; readonly key: string; readonly field: string }
  | { readonly verb: "delete"; readonly key: string }
  | { readonly verb: "expire"; readonly key: string; readonly ttlMs: number }
  /** Reads strings, then does the steps, all in one transaction. Answers what was read. */
  | { readonly verb: "transaction"; readonly reads: readonly string[]; readonly steps: readonly Step[] }
  /** Moves an amount from one integer to another. */
  | { readonly verb: "transfer"; readonly from: string; readonly to: string; readonly amount: number }
  /** Reads records at one moment. Answers `Looked`. */
  | { readonly verb: "look"; readonly keys: readonly string[] }
  /** Answered when what is pending of these keys is in the database. */
  | { readonly verb: "flush"; readonly keys: readonly string[] };

/** A record as an application process sees it. */
export type Looked =
  | { readonly value: string; readonly expiresAt: number | null }
  | { readonly fields: readonly (readonly [string, string])[]; readonly expiresAt: number | null }
  | null;

/** A question with its number. */
export type Question = Verb & { readonly id: number };

/** The answer: a value, or why not. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };
