/** The real disk with one fault: it fails at the first write that carries a marker, or at the first sync after it. */
import { DiskError, type Disk, type DiskFile } from "../src/host/host.js";

/** A client that writes this reaches the fault. */
export const marker = "the disk fails at this value";

/** What fails, from the marker on: a write before its first byte, a write after half of its bytes, or a sync. */
export type Fault = "EIO" | "ENOSPC" | "half" | "sync";

/** A disk on which journal files fail; everything works until the marker comes. */
export function faultyDisk(disk: Disk, fault: Fault): Disk {
  let failing = false;
  const failed = (doing: string, path: string): DiskError => {
    const code = fault === "ENOSPC" ? fault : "EIO";
    return new DiskError(code === "EIO" ? "failed" : "full", code, `${doing} ${path}: ${code}`);
  };
  const faulty = (file: DiskFile, path: string): DiskFile => ({
    read: (...args) => file.read(...args),
    write: async (source, from, length, offset) => {
      failing ||= Buffer.from(source.buffer, source.byteOffset + from, length).includes(marker);
      if (!failing || fault === "sync") return file.write(source, from, length, offset);
      if (fault === "half") await file.write(source, from, length >> 1, offset);
      throw failed("writing", path);
    },
    sync: async () => {
      if (failing) throw failed("syncing", path);
      return file.sync();
    },
    size: () => file.size(),
    close: () => file.close(),
  });
  return { ...disk, open: async (path, mode) => faulty(await disk.open(path, mode), path) };
}
