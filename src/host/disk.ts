/**
 * The disk, through Node's callback functions. Its twin is simulator/host/disk.ts. It is not a place for policy: every
 * error becomes a DiskError and is the caller's to judge; nothing is tried twice.
 */
import * as fs from "node:fs";
import { dirname, resolve as absolute } from "node:path";
import { DiskError, type Disk, type DiskFile, type FileMode } from "./host.js";
import { ownFolder } from "./owner.js";

/** The system's disk. */
export function systemDisk(): Disk {
  return {
    makeFolder,
    list,
    open: openFile,
    rename: (from, to) => call(`renaming ${from} to ${to}`, (done) => fs.rename(from, to, done)),
    remove: (path) => call(`removing ${path}`, (done) => fs.unlink(path, done)),
    syncFolder,
    freeBytes: async (path) => {
      const stat = await call<fs.StatsFs>(`asking for the room beside ${path}`, (done) => fs.statfs(path, done));
      return stat.bavail * stat.bsize;
    },
    own: async (path) => ownFolder(path),
  };
}

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

function call<T = void>(doing: string, start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null || error === undefined) resolve(value as T);
      else reject(diskError(error, doing));
    });
  });
}

function diskError(error: NodeJS.ErrnoException, doing: string): DiskError {
  const code = error.code ?? "UNKNOWN";
  return new DiskError(kindOf(code), code, `${doing}: ${error.message}`, error);
}

function kindOf(code: string): DiskError["kind"] {
  if (code === "ENOSPC" || code === "EDQUOT") return "full";
  if (code === "ENOENT") return "missing";
  return code === "EEXIST" ? "exists" : "failed";
}

/** Promise 1 needs the folder itself to survive power loss, so every folder that was made is synced into its parent. */
async function makeFolder(path: string): Promise<void> {
  const folder = absolute(path);
  const first = await call<string | undefined>(`making the folder ${path}`, (done) =>
    fs.mkdir(folder, { recursive: true }, done),
  );
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

async function list(path: string): Promise<readonly string[]> {
  try {
    const names = await call<string[]>(`listing ${path}`, (done) => fs.readdir(path, done));
    return names.sort();
  } catch (error) {
    if (error instanceof DiskError && error.kind === "missing") return [];
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const doing = `syncing the folder ${path}`;
  const fd = await call<number>(doing, (done) => fs.open(path, fs.constants.O_RDONLY, done));
  try {
    await call(doing, (done) => fs.fsync(fd, done));
  } finally {
    await call(doing, (done) => fs.close(fd, done));
  }
}

async function openFile(path: string, mode: FileMode): Promise<DiskFile> {
  const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DSYNC } = fs.constants;
  const flags = (mode.write ? O_RDWR : O_RDONLY) | (mode.create ? O_CREAT | O_EXCL : 0) | (mode.dsync ? O_DSYNC : 0);
  const fd = await call<number>(`opening ${path}`, (done) => fs.open(path, flags, 0o600, done));
  return new SystemFile(fd, path);
}

class SystemFile implements DiskFile {
  readonly #fd: number;
  readonly #path: string;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  async read(target: Uint8Array, targetOffset: number, length: number, offset: number): Promise<number> {
    let done = 0;
    while (done < length) {
      const count = await call<number>(`reading ${this.#path} at ${offset + done}`, (then) =>
        fs.read(this.#fd, target, targetOffset + done, length - done, offset + done, then),
      );
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  write(source: Uint8Array, sourceOffset: number, length: number, offset: number): Promise<void> {
    return new Promise((resolve, reject) => this.#writeOn(source, sourceOffset, length, offset, resolve, reject));
  }

  /** The kernel may write less than was asked, without an error: then the rest follows. */
  #writeOn(
    source: Uint8Array,
    from: number,
    length: number,
    offset: number,
    resolve: () => void,
    reject: (error: DiskError) => void,
  ): void {
    fs.write(this.#fd, source, from, length, offset, (error, count) => {
      if (error !== null) reject(diskError(error, `writing ${this.#path} at ${offset}`));
      else if (count === length) resolve();
      else if (count === 0)
        reject(new DiskError("failed", "EIO", `writing ${this.#path} at ${offset}: nothing was written`));
      else this.#writeOn(source, from + count, length - count, offset + count, resolve, reject);
    });
  }

  sync(): Promise<void> {
    return call(`syncing ${this.#path}`, (done) => fs.fdatasync(this.#fd, done));
  }

  async size(): Promise<number> {
    const stat = await call<fs.Stats>(`asking for the size of ${this.#path}`, (done) => fs.fstat(this.#fd, done));
    return stat.size;
  }

  close(): Promise<void> {
    return call(`closing ${this.#path}`, (done) => fs.close(this.#fd, done));
  }
}
