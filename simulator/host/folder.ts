/** One folder of the simulated disk. See disk.ts for the fault model. */
import type { Inode } from "./inode.js";

type FolderChange = { readonly name: string; readonly inode: Inode | null };

/** Entries now, entries after a power loss, and the operations between the two. */
export class Folder {
  readonly live = new Map<string, Inode>();
  readonly durable = new Map<string, Inode>();
  /** Each operation is a few changes that happen together. */
  pending: (readonly FolderChange[])[] = [];

  change(...changes: FolderChange[]): void {
    applyChanges(this.live, changes);
    this.pending.push(changes);
  }

  /** The first operations become durable. */
  settle(count: number): void {
    for (const changes of this.pending.splice(0, count)) applyChanges(this.durable, changes);
  }
}

function applyChanges(entries: Map<string, Inode>, changes: readonly FolderChange[]): void {
  for (const { name, inode } of changes) {
    if (inode === null) entries.delete(name);
    else entries.set(name, inode);
  }
}
