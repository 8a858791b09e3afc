/**
 * Reads the output of `apt-cache dumpavail`: paragraphs of `Name: value` lines, in which a line that starts with white
 * space belongs to the value above. Strings here hold one byte a character, so nothing is lost whatever the encoding.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** One package: the key it is kept under, and its fields as they are written. */
export interface PackageRecord {
  readonly key: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Every record of a dump. A package that is there twice (two versions, two architectures) has two keys. */
export function parseRecords(dump: Uint8Array): PackageRecord[] {
  const records = new Map<string, PackageRecord>();
  for (const paragraph of Buffer.from(dump).toString("latin1").split(/\n\n+/)) {
    const fields = parseFields(paragraph);
    if (fields.size === 0) continue;
    const name = ["Package", "Version", "Architecture"].map((field) => fields.get(field) ?? "?");
    const key = `debian:${name.join(":")}`;
    records.set(key, { key, fields });
  }
  return [...records.values()];
}

function parseFields(paragraph: string): Map<string, string> {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of paragraph.split("\n")) {
    if (/^\s/.test(line)) {
      fields.set(last, `${fields.get(last) ?? ""}\n${line}`);
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    last = line.slice(0, colon);
    fields.set(last, line.slice(colon + 1).trim());
  }
  return fields;
}

/**
 * The dump of this machine. Where the machine has no package lists, those are used that `npm run servers` fetched for
 * itself.
 */
export function readAvailable(): Uint8Array {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const ownLists = join(cache, "write-behind", "servers", "apt", "apt.conf");
  for (const args of [[], ...(existsSync(ownLists) ? [["-c", ownLists]] : [])]) {
    const { stdout } = spawnSync("apt-cache", [...args, "dumpavail"], { maxBuffer: 1 << 30 });
    if (stdout !== null && stdout.length > 0) return stdout;
  }
  throw new Error("this machine has no package lists: run `apt-get update` or `npm run servers`, or name a file");
}

/** A dump from a file. */
export function readDump(file: string): Uint8Array {
  return readFileSync(file);
}
