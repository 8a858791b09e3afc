/**
 * The twin of src/host/disk.ts: one disk of one machine, on which several processes may work.
 *
 * The fault model. For every file the disk keeps what a reader sees (live) apart from what a power loss leaves
 * (durable); the same for the entries of every folder.
 *
 *  - A write reaches the page cache at some moment between call and completion, and nothing else of it is promised.
 *    With `dsync` its sectors are durable when it completes; other sectors of the file are not.
 *  - `sync` makes durable what had been written when it was called. The length of a file comes with its bytes.
 *  - Creations, renames and removals are durable after `syncFolder`, and not before; syncing the file itself does not
 *    help (POSIX promises no more; ext4 is kinder). They become durable in the order in which they were made, as in
 *    every journaling file system. A folder itself is durable once `makeFolder` has returned.
 *  - The system may write any dirty sector back at any time.
 *  - Killing a process (SIGKILL) keeps all that is live. A write in flight is there, or not, or a prefix of it.
 *  - Power loss keeps what is durable and any subset of the dirty sectors of 512 bytes, in any combination: unsynced
 *    writes are torn, lost and reordered. A grown length may be there without its bytes (zeros). No sector is torn.
 *  - Folder operations that are not durable are kept up to any one of them.
 *  - A crash may come before, inside and after every call (crash-points.ts). Inside a write: a prefix has reached the
 *    page cache; inside a sync, or the end of a write with dsync: any of its sectors are on disk; inside a folder call:
 *    it is done, and the folder durable up to any of its operations.
 *  - Faults, when the world turns them on: a write fails with EIO or ENOSPC and has written any part; a sync fails and
 *    its sectors will never be durable although they can be read (as on Linux); any other call fails, and what it
 *    should have done is done or not. A file that could not be closed is closed. Which calls fail: faults.ts.
 *  - The disk returns no other bytes than were written, but for bit rot, which rot.ts brings about.
 *
 * It also asserts what no disk checks: that nobody changes the source of a write before the write has completed.
 */
import { DiskError, type Disk, type DiskFile, type FileMode, type Ownership } from "../../src/host/host.js";
import { CrashPoints } from "../crash-points.js";
import type { EventLoop, Owner } from "./clock.js";
import { Faults, type FaultTemper } from "./faults.js";
import { Folder } from "./folder.js";
import { Inode } from "./inode.js";
import type { Dice } from "./random.js";

/** How the disk behaves. The world changes it while it runs. */
export interface DiskTemper extends FaultTemper {
  /** A call takes up to this long; now and then ten times as long. */
  latencyMs: number;
  /** Probability that the system writes dirty sectors back at a write. */
  writeBack: number;
  capacityBytes: number;
}

/** What is asked of the disk, and by whom. */
interface Call {
  readonly call: string;
  readonly path: string;
  readonly owner: Owner;
}

/** What a call does at its completion. */
interface Deed<T> {
  readonly whole: () => T;
  /** What there is of it where a crash comes inside. */
  readonly half?: () => unknown;
  /** What it has done although it fails; by default all, or nothing. */
  readonly failed?: () => unknown;
}

/** What a write goes to. */
interface Target {
  readonly owner: Owner;
  readonly path: string;
  readonly inode: Inode;
  readonly dsync: boolean;
}

/** A write between call and completion. */
interface Flight {
  readonly owner: Owner;
  readonly inode: Inode;
  readonly bytes: Uint8Array;
  readonly offset: number;
  arrived: boolean;
}

/** The disk of a machine. `of` gives a process its view of it. */
export class SimulatedDisk {
  readonly temper: DiskTemper = {
    latencyMs: 1,
    writeFails: 0,
    syncFails: 0,
    callFails: 0,
    writeBack: 0,
    capacityBytes: 2 ** 40,
  };
  readonly faults: Faults;
  /** Called when the engine breaks a rule of the disk. */
  onMisuse: (message: string) => void = (message) => {
    throw new Error(message);
  };
  readonly #loop: EventLoop;
  readonly #dice: Dice;
  readonly #crashes: CrashPoints;
  readonly #folders = new Map<string, Folder>();
  readonly #flights = new Set<Flight>();
  readonly #owners = new Map<string, Owner>();

  constructor(loop: EventLoop, dice: Dice, crashes = new CrashPoints(dice)) {
    this.#loop = loop;
    this.#dice = dice;
    this.#crashes = crashes;
    this.faults = new Faults(this.temper, dice);
  }

  /** A process was killed: what it had in flight is there, or not, or in part. What it owned is free. */
  killed(owner: Owner): void {
    for (const flight of this.#flights) {
      if (flight.owner !== owner) continue;
      this.#flights.delete(flight);
      if (flight.arrived) continue;
      const count = this.#dice.pick([0, flight.bytes.length, this.#dice.between(0, flight.bytes.length)]);
      flight.inode.write(flight.bytes.subarray(0, count), flight.offset);
    }
    for (const [path, by] of this.#owners) if (by === owner) this.#owners.delete(path);
  }

  /** The machine lost power. Every process on it must have been killed before. */
  losePower(): void {
    const kept = this.#dice.pick([0, 0.5, 0.9, 1]);
    const inodes = new Set<Inode>();
    for (const folder of this.#folders.values()) {
      for (const inode of [...folder.live.values(), ...folder.durable.values()]) inodes.add(inode);
      for (const changes of folder.pending) for (const { inode } of changes) if (inode !== null) inodes.add(inode);
      folder.settle(this.#dice.chance(0.3) ? 0 : this.#dice.between(0, folder.pending.length));
      folder.pending = [];
      folder.live.clear();
      for (const [name, inode] of folder.durable) folder.live.set(name, inode);
    }
    for (const inode of inodes) inode.losePower(this.#dice, kept);
  }

  /** Bytes in files that have a name, of one folder or of all. */
  usedBytes(path?: string): number {
    let bytes = 0;
    for (const [name, folder] of this.#folders) {
      if (path !== undefined && path !== name) continue;
      for (const inode of folder.live.values()) bytes += inode.size;
    }
    return bytes;
  }

  /** A file as it is now, for those who damage it. */
  inode(path: string): Inode | null {
    const { folder, name } = split(path);
    return this.#folders.get(folder)?.live.get(name) ?? null;
  }

  /** Names in a folder, sorted. */
  files(path: string): readonly string[] {
    return [...(this.#folders.get(path)?.live.keys() ?? [])].sort();
  }

  /** The disk as one process sees it. */
  of(owner: Owner): Disk {
    return {
      makeFolder: (path) =>
        this.#call(
          { call: "mkdir", path, owner },
          {
            whole: () => this.#makeFolders(path, path.length),
            half: () => this.#makeFolders(path, path.lastIndexOf("/")),
          },
        ),
      list: (path) => this.#call({ call: "list", path, owner }, { whole: () => this.files(path) }),
      open: (path, mode) =>
        this.#change(mode.create ? "create" : "open", path, owner, () => this.#open(owner, path, mode)),
      rename: (from, to) => this.#change("rename", from, owner, () => this.#rename(from, to)),
      remove: (path) => this.#change("remove", path, owner, () => this.#remove(path)),
      syncFolder: (path) => this.#syncFolder(owner, path),
      freeBytes: (path) => {
        const whole = (): number => Math.max(0, this.temper.capacityBytes - this.usedBytes());
        return this.#call({ call: "free", path, owner }, { whole });
      },
      own: (path) => this.#call({ call: "own", path, owner }, { whole: () => this.#own(owner, path) }),
    };
  }

  /** A call that happens at its completion. */
  #call<T>({ call, path, owner }: Call, { whole, half, failed }: Deed<T>): Promise<T> {
    const fault = this.faults.of(call, path);
    const step = (): T => {
      if (fault === null) return whole();
      // Whoever is told of a failure does not know how far it came.
      if (failed !== undefined) failed();
      else if (this.#dice.chance(0.5)) whole();
      throw fault;
    };
    return new Promise((resolve, reject) => {
      this.#loop.after(this.latency(), call, owner, () => {
        let settle = (): void => {};
        const make = (): void => {
          try {
            const value = step();
            settle = () => resolve(value);
          } catch (error) {
            settle = () => reject(error);
          }
        };
        if (this.#crashes.pass(owner, call, make, half)) settle();
      });
    });
  }

  /** A call on a name in a folder. A crash inside: it is done, and durable up to any operation of the folder. */
  #change<T>(call: string, path: string, owner: Owner, whole: () => T): Promise<T> {
    const half = (): void => {
      try {
        whole();
      } catch {
        // What cannot be done is not begun.
      }
      const folder = this.#folders.get(split(path).folder);
      folder?.settle(this.#dice.between(0, folder.pending.length));
    };
    return this.#call({ call, path, owner }, call === "open" ? { whole } : { whole, half });
  }

  latency(): number {
    const slow = this.#dice.chance(0.02) ? 10 : 1;
    return this.#dice.number() * this.temper.latencyMs * slow;
  }

  #makeFolders(path: string, length: number): void {
    const parts = path.slice(0, Math.max(0, length)).split("/");
    for (let i = 1; i <= parts.length; i++) {
      const name = parts.slice(0, i).join("/");
      if (name !== "" && !this.#folders.has(name)) this.#folders.set(name, new Folder());
    }
  }

  #folderOf(path: string): { folder: Folder; name: string } {
    const { folder, name } = split(path);
    const found = this.#folders.get(folder);
    if (found === undefined) throw new DiskError("missing", "ENOENT", `no folder ${folder}`);
    return { folder: found, name };
  }

  #open(owner: Owner, path: string, mode: FileMode): DiskFile {
    const { folder, name } = this.#folderOf(path);
    const found = folder.live.get(name);
    if (mode.create) {
      if (found !== undefined) throw new DiskError("exists", "EEXIST", `${path} exists`);
      const inode = new Inode();
      folder.change({ name, inode });
      return this.#file(owner, path, inode, mode);
    }
    if (found === undefined) throw new DiskError("missing", "ENOENT", `no file ${path}`);
    return this.#file(owner, path, found, mode);
  }

  #rename(from: string, to: string): void {
    const source = this.#folderOf(from);
    const target = this.#folderOf(to);
    const inode = source.folder.live.get(source.name);
    if (inode === undefined) throw new DiskError("missing", "ENOENT", `no file ${from}`);
    if (source.folder !== target.folder) throw new DiskError("failed", "EXDEV", `${from} and ${to} are in two folders`);
    source.folder.change({ name: source.name, inode: null }, { name: target.name, inode });
  }

  #remove(path: string): void {
    const { folder, name } = this.#folderOf(path);
    if (!folder.live.has(name)) throw new DiskError("missing", "ENOENT", `no file ${path}`);
    folder.change({ name, inode: null });
  }

  #syncFolder(owner: Owner, path: string): Promise<void> {
    const folder = this.#folders.get(path);
    if (folder === undefined) throw new DiskError("missing", "ENOENT", `no folder ${path}`);
    const before = folder.pending.slice();
    // Operations are durable in order: up to the last of those that were there at the call.
    const asked = (): number => {
      const last = before.findLast((changes) => folder.pending.includes(changes));
      return last === undefined ? 0 : folder.pending.indexOf(last) + 1;
    };
    return this.#call(
      { call: "sync folder", path, owner },
      {
        whole: () => folder.settle(asked()),
        half: () => folder.settle(this.#dice.between(0, asked())),
      },
    );
  }

  #own(owner: Owner, path: string): Ownership | null {
    const by = this.#owners.get(path);
    if (by !== undefined && by.alive) return null;
    this.#owners.set(path, owner);
    return {
      release: () =>
        this.#loop.arrive(this.latency(), "release", owner, () => {
          if (this.#owners.get(path) === owner) this.#owners.delete(path);
        }),
    };
  }

  #file(owner: Owner, path: string, inode: Inode, mode: FileMode): DiskFile {
    let open = true;
    const assertOpen = (): void => {
      if (!open) throw new DiskError("failed", "EBADF", "the file is closed");
    };
    return {
      read: async (target, targetOffset, length, offset) => {
        assertOpen();
        const whole = (): number => inode.read(target, targetOffset, length, offset);
        return this.#call({ call: "read", path, owner }, { whole });
      },
      write: async (source, sourceOffset, length, offset) => {
        assertOpen();
        if (!mode.write) throw new DiskError("failed", "EBADF", "the file is open for reading");
        const target = { owner, path, inode, dsync: mode.dsync };
        return this.#write(target, source.subarray(sourceOffset, sourceOffset + length), offset);
      },
      sync: async () => {
        assertOpen();
        return this.#sync(owner, path, inode);
      },
      size: async () => {
        assertOpen();
        return this.#call({ call: "size", path, owner }, { whole: () => inode.size });
      },
      close: async () => {
        assertOpen();
        open = false;
        return this.#call({ call: "close", path, owner }, { whole: () => {} });
      },
    };
  }

  #write({ owner, path, inode, dsync }: Target, source: Uint8Array, offset: number): Promise<void> {
    const flight: Flight = { owner, inode, bytes: source.slice(), offset, arrived: false };
    this.#flights.add(flight);
    const fails = this.faults.of("write", path) ?? this.#full(inode, offset + source.length);
    const total = this.latency();
    return new Promise((resolve, reject) => {
      this.#loop.after(this.#dice.number() * total, "write arrives", owner, () => {
        flight.arrived = true;
        const part = (): number => this.#dice.between(0, source.length);
        const count = fails === null ? source.length : part();
        const arrive = (bytes: number): void => inode.write(flight.bytes.subarray(0, bytes), offset);
        const halfway = (): void => arrive(part());
        if (!this.#crashes.pass(owner, "write", () => arrive(count), halfway)) return;
        if (this.temper.writeBack > 0) inode.writeBack(this.#dice, this.temper.writeBack);
        this.#loop.after(total * 0.5, "write", owner, () => {
          this.#flights.delete(flight);
          if (fails === null && Buffer.compare(source, flight.bytes) !== 0) {
            this.onMisuse("the source of a write was changed before the write had completed");
          }
          if (fails !== null) return reject(fails);
          if (!dsync) return resolve();
          const whole = (): void => inode.flushRange(offset, source.length);
          const some = (): void => inode.flushSome(this.#dice, Inode.sectors(offset, source.length));
          if (this.#crashes.pass(owner, "write with dsync", whole, some)) resolve();
        });
      });
    });
  }

  #sync(owner: Owner, path: string, inode: Inode): Promise<void> {
    const sync = inode.beginSync();
    return this.#call(
      { call: "sync", path, owner },
      {
        whole: () => inode.endSync(sync, false),
        half: () => inode.flushSome(this.#dice, sync),
        failed: () => inode.endSync(sync, true),
      },
    );
  }

  #full(inode: Inode, end: number): DiskError | null {
    if (end <= inode.size || this.usedBytes() + end - inode.size <= this.temper.capacityBytes) return null;
    return new DiskError("full", "ENOSPC", "no space left on the disk");
  }
}

function split(path: string): { folder: string; name: string } {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? { folder: "", name: path } : { folder: path.slice(0, slash), name: path.slice(slash + 1) };
}
