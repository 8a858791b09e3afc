/** Who a process of a fleet is, for people: shown in status. */
import { hostname } from "node:os";
import { version } from "../version.js";
import type { WorkerIdentity } from "./worker/report.js";

/** This process. */
export function identity(): WorkerIdentity {
  return { version: version(), pid: process.pid, host: hostname() };
}
