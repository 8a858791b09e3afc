/** Calls of the admin API. The token, where one is wanted, is kept for this tab only. */
import { signal } from "@preact/signals";
import type { JsonBytes } from "../../bytes.js";

/** An error that the API answered, or that kept the answer away. */
export class ApiError extends Error {
  readonly code: string;
  readonly hint: string | null;

  constructor(code: string, message: string, hint: string | null) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

const tokenName = "write-behind-token";

/** The admin token; null: none was given. */
export const token = signal<string | null>(sessionStorage.getItem(tokenName));

/** The server wants a token, or another one. */
export const tokenWanted = signal(false);

/** Uses a token from now on. */
export function useToken(given: string): void {
  sessionStorage.setItem(tokenName, given);
  token.value = given;
  tokenWanted.value = false;
}

/** A request with the token. Throws ApiError where there is no answer, or one that says no. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token.value !== null) headers.set("Authorization", `Bearer ${token.value}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiError("NO_ANSWER", "the server does not answer", "is it running? This page goes on by itself");
  }
  if (response.status === 401) tokenWanted.value = true;
  if (response.ok || response.status === 503) return response;
  throw await errorOf(response);
}

/** What a GET gives. */
export async function get<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
  const text = new URLSearchParams(query).toString();
  return read<T>(await request(text === "" ? path : `${path}?${text}`));
}

/** What a POST gives. */
export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return read<T>(await request(path, init));
}

async function read<T>(response: Response): Promise<T> {
  if (!response.ok) throw await errorOf(response);
  return (await response.json()) as T;
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string; hint: string | null } };
    return new ApiError(error.code, error.message, error.hint);
  } catch {
    return new ApiError("UNKNOWN", `the server answered ${response.status}`, null);
  }
}

/** An error in one sentence. */
export function said(error: unknown): string {
  if (error instanceof ApiError) return error.hint === null ? error.message : `${error.message} (${error.hint})`;
  return error instanceof Error ? error.message : String(error);
}

/** A key as it goes into a query. */
export function keyQuery(key: JsonBytes): Record<string, string> {
  return typeof key === "string" ? { key } : { keyBase64: key.base64 };
}
