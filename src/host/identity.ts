/** Who a process is, for people: its version, its process id and the machine's name. */
import { hostname } from "node:os";
import { version } from "./version.js";

/** A process. */
export interface Identity {
  readonly version: string;
  readonly pid: number;
  readonly host: string;
}

/** This process. */
export function identity(): Identity {
  return { version: version(), pid: process.pid, host: hostname() };
}
