/**
 * The outside world, as the engine sees it. Everything timed, random or kept outside memory goes through these few
 * interfaces, so that the simulator can put its twins in their place (simulator/host/, same file names) and a seed
 * decides a whole run. contract/host.ts is the suite that both pass.
 */

/** Time. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump in both directions. */
  now(): number;
  /** Milliseconds since some moment, never going back. For ages and waits. */
  monotonic(): number;
  /**
   * Calls back once, not earlier than after `delayMs`. A timer does not keep the process alive, unless it is the end of
   * a wait that somebody was promised: `keepsAlive`.
   */
  after(delayMs: number, call: () => void, keepsAlive?: boolean): Timer;
  /** Calls back when everything that is ready in this turn of the event loop has run. */
  soon(call: () => void): void;
}

/** A timer that can be called off. */
export interface Timer {
  cancel(): void;
}

/** What a process takes of its machine, for people. */
export interface Usage {
  readonly pid: number;
  /** The machine's system, for people. */
  readonly os: string;
  /** Memory of the process, and of the machine. */
  readonly residentBytes: number;
  readonly machineBytes: number;
  readonly userSec: number;
  readonly systemSec: number;
}

/** Dice. */
export interface Random {
  /** In [0, 1). */
  number(): number;
  /** `count` random bytes as hexadecimal digits. */
  hex(count: number): string;
}

/** How a file is opened. `create` fails where the file exists. `dsync`: a write returns when its data is on disk. */
export interface FileMode {
  readonly write: boolean;
  readonly create: boolean;
  readonly dsync: boolean;
}

/** An open file. Every call throws a DiskError. */
export interface DiskFile {
  /** Reads up to `length` bytes at `offset` into `target`; says how many there were. */
  read(target: Uint8Array, targetOffset: number, length: number, offset: number): Promise<number>;
  /** Writes all of the bytes at `offset`. After a failure it is not known how many of them are there. */
  write(source: Uint8Array, sourceOffset: number, length: number, offset: number): Promise<void>;
  /** Everything written to this file before the call is on disk (fdatasync). */
  sync(): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** A disk. Paths are plain strings joined with "/". */
export interface Disk {
  /** Makes a folder and those above it, where they are missing; they are on disk then. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, sorted; an absent folder is empty. */
  list(path: string): Promise<readonly string[]>;
  open(path: string, mode: FileMode): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Creations, renames and removals in this folder before the call are on disk. */
  syncFolder(path: string): Promise<void>;
  /** Bytes that this disk still has room for. */
  freeBytes(path: string): Promise<number>;
  /** Owns a folder until `release`, or the end of the process however it ends; null where somebody else owns it. */
  own(path: string): Promise<Ownership | null>;
}

/** The ownership of a folder. */
export interface Ownership {
  release(): Promise<void>;
}

/** What went wrong on the disk, in the few kinds that make a difference. `code` is the system's own (ENOSPC, EIO). */
export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly kind: "full" | "missing" | "exists" | "failed";
  readonly code: string;

  constructor(kind: DiskError["kind"], code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = code;
  }
}

/** A two-way channel of messages that structured clone can copy. Messages arrive in order, each in a later turn. */
export interface Channel<Out, In> {
  post(message: Out): void;
  /** Exactly one receiver; set it before the first message can arrive. */
  receive(call: (message: In) => void): void;
}

/** A thread that runs a module. */
export interface Thread<Out, In> extends Channel<Out, In> {
  /** Called once when the thread has ended; with an error where it was not asked to. */
  ended(call: (error: Error | null) => void): void;
  /** Ends it between two turns of its event loop: one that hangs in native code ends when that returns. */
  terminate(): Promise<void>;
}

/** What the module of a thread exports as `main`: called once, in the thread. */
export type ThreadMain = (channel: Channel<unknown, unknown>, data: unknown) => void;

/** Threads. */
export interface Threads {
  /** Starts the `main` of the module at this URL in a thread of its own and hands it `data`. */
  start<Out, In>(moduleUrl: string, data: unknown): Thread<Out, In>;
}

/** A process of its own that runs a module: unlike a thread it can be killed at any moment. */
export interface Process<Out, In> extends Channel<Out, In> {
  /** The system's number; null where it could not be started. */
  readonly pid: number | null;
  /** Resolves once it has ended, whyever: says how, in words. */
  readonly ended: Promise<string>;
  /** SIGKILL. Resolves once it is gone. */
  kill(): Promise<void>;
}

/** Processes. None is part of the engine, so the simulator has no twin of them. */
export interface Processes {
  /** Starts the `main` of the module at this URL in a process of its own and hands it `data`. It ends with this one. */
  start<Out, In>(moduleUrl: string, data: unknown): Process<Out, In>;
}

/** All of it. */
export interface Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly threads: Threads;
}
