/** The twins of the host: what a simulated crash keeps, loses and tears, and that the dead stay dead. */
import { describe, expect, it } from "vitest";
import { main } from "../contract/host-thread.js";
import { hostContract, type HostUnderTest } from "../contract/host.js";
import type { DiskFile, FileMode } from "../src/host/host.js";
import { Dice } from "../simulator/host/random.js";
import { Machine, type Process } from "../simulator/machine.js";
import { Trace } from "../simulator/trace.js";

const sector = 512;
const plain: FileMode = { write: true, create: true, dsync: false };

/** A twin for the contract: its world goes on by itself until it is closed. */
async function twin(): Promise<HostUnderTest> {
  const { machine, process } = setup();
  let closed = false;
  const running = (async () => {
    while (!closed) {
      await machine.loop.run(() => closed);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const threadUrl = "contract/host-thread.js";
  machine.threadMains.set(threadUrl, main);
  await process.host.disk.makeFolder("contract");
  const close = async (): Promise<void> => {
    closed = true;
    await running;
  };
  return { host: process.host, folder: "contract", threadUrl, close };
}

describe("the twins keep the contract of every host", () => {
  it.each(hostContract(twin))("$name", ({ run }) => run());
});

interface Bundle {
  readonly machine: Machine;
  readonly process: Process;
  /** Does something inside the machine, to its end. */
  during<T>(work: Promise<T>): Promise<T>;
}

function setup(seed = 1): Bundle {
  const machine = new Machine(new Dice(seed), new Trace(false));
  const during = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    const watched = work.finally(() => (over = true));
    watched.catch(() => {});
    await machine.loop.run(() => over);
    return watched;
  };
  return { machine, process: machine.start(), during };
}

async function madeFile({ process, during }: Bundle, mode: FileMode = plain): Promise<DiskFile> {
  const { disk } = process.host;
  return during(
    (async () => {
      await disk.makeFolder("data");
      const file = await disk.open("data/file", mode);
      await disk.syncFolder("data");
      return file;
    })(),
  );
}

/** The file's bytes, one digit for each sector, as a new process sees them. */
async function sectorsOf({ machine, during }: Bundle): Promise<string> {
  const { disk } = machine.start().host;
  return during(
    (async () => {
      if (!(await disk.list("data")).includes("file")) return "no file";
      const file = await disk.open("data/file", { write: false, create: false, dsync: false });
      const target = new Uint8Array(await file.size());
      await file.read(target, 0, target.length, 0);
      return Array.from({ length: target.length / sector }, (_, at) => target[at * sector]).join("");
    })(),
  );
}

const filled = (sectors: number, digit: number): Uint8Array => new Uint8Array(sectors * sector).fill(digit);

/** What is found over many seeds after the same thing has happened. */
async function outcomes(happen: (bundle: Bundle) => Promise<void>, seeds = 60): Promise<Set<string>> {
  const found = new Set<string>();
  for (let seed = 1; seed <= seeds; seed++) {
    const bundle = setup(seed);
    await happen(bundle);
    found.add(await sectorsOf(bundle));
  }
  return found;
}

describe("the simulated disk, after a power loss", () => {
  it("keeps what was synced", async () => {
    const found = await outcomes(async (bundle) => {
      const file = await madeFile(bundle);
      await bundle.during(file.write(filled(3, 1), 0, 3 * sector, 0));
      await bundle.during(file.sync());
      bundle.machine.losePower();
    });
    expect([...found]).toEqual(["111"]);
  });

  it("keeps what was written with dsync, but not what was written beside it", async () => {
    const found = await outcomes(async (bundle) => {
      const beside = await madeFile(bundle);
      await bundle.during(beside.write(filled(3, 1), 0, 3 * sector, 0));
      const { disk } = bundle.process.host;
      const file = await bundle.during(disk.open("data/file", { write: true, create: false, dsync: true }));
      await bundle.during(file.write(filled(1, 2), 0, sector, sector));
      bundle.machine.losePower();
    });
    expect(found.has("121")).toBe(true);
    expect(found.has("02")).toBe(true);
    expect([...found].every((sectors) => sectors[1] === "2")).toBe(true);
  });

  it("tears and reorders what was not synced, sector by sector", async () => {
    const found = await outcomes(async (bundle) => {
      const file = await madeFile(bundle);
      await bundle.during(file.write(filled(3, 1), 0, 3 * sector, 0));
      await bundle.during(file.sync());
      await bundle.during(file.write(filled(3, 2), 0, 3 * sector, 0));
      bundle.machine.losePower();
    }, 200);
    expect([...found].sort()).toEqual(["111", "112", "121", "122", "211", "212", "221", "222"]);
  });

  it("does not let a sync keep what was written after it was asked for", async () => {
    const found = await outcomes(async (bundle) => {
      bundle.machine.disk.temper.latencyMs = 10;
      const file = await madeFile(bundle);
      await bundle.during(file.write(filled(1, 1), 0, sector, 0));
      const synced = file.sync();
      void file.write(filled(1, 2), 0, sector, 0);
      await bundle.during(synced);
      bundle.machine.losePower();
    }, 200);
    expect([...found].sort()).toEqual(["1", "2"]);
  });

  it("never keeps the bytes of a failed sync, although they can be read before", async () => {
    const found = await outcomes(async (bundle) => {
      const file = await madeFile(bundle);
      await bundle.during(file.write(filled(1, 1), 0, sector, 0));
      await bundle.during(file.sync());
      await bundle.during(file.write(filled(1, 2), 0, sector, 0));
      bundle.machine.disk.temper.syncFails = 1;
      await expect(bundle.during(file.sync())).rejects.toMatchObject({ kind: "failed" });
      bundle.machine.disk.temper.syncFails = 0;
      expect(await sectorsOf(bundle)).toBe("2");
      await bundle.during(file.sync());
      bundle.machine.losePower();
    });
    expect([...found]).toEqual(["1"]);
  });

  it("may lose a file whose folder was not synced", async () => {
    const found = await outcomes(async (bundle) => {
      const { disk } = bundle.process.host;
      await bundle.during(disk.makeFolder("data"));
      const file = await bundle.during(disk.open("data/file", plain));
      await bundle.during(file.write(filled(1, 1), 0, sector, 0));
      await bundle.during(file.sync());
      bundle.machine.losePower();
    });
    expect([...found].sort()).toEqual(["1", "no file"]);
  });

  it("may bring a removed file back, until the folder is synced", async () => {
    const removed = async (bundle: Bundle): Promise<void> => {
      const file = await madeFile(bundle);
      await bundle.during(file.write(filled(1, 1), 0, sector, 0));
      await bundle.during(file.sync());
      await bundle.during(bundle.process.host.disk.remove("data/file"));
    };
    const unsynced = await outcomes(async (bundle) => {
      await removed(bundle);
      bundle.machine.losePower();
    });
    expect([...unsynced].sort()).toEqual(["1", "no file"]);
    const synced = await outcomes(async (bundle) => {
      await removed(bundle);
      await bundle.during(bundle.process.host.disk.syncFolder("data"));
      bundle.machine.losePower();
    });
    expect([...synced]).toEqual(["no file"]);
  });
});

describe("the simulated disk, after a process was killed", () => {
  it("keeps everything that was written, synced or not", async () => {
    const found = await outcomes(async (bundle) => {
      const file = await madeFile(bundle);
      await bundle.during(file.write(filled(2, 1), 0, 2 * sector, 0));
      bundle.machine.kill(bundle.process);
    });
    expect([...found]).toEqual(["11"]);
  });

  it("keeps a prefix of a write in flight", async () => {
    const found = await outcomes(async (bundle) => {
      const file = await madeFile(bundle);
      await bundle.during(file.write(filled(3, 1), 0, 3 * sector, 0));
      void file.write(filled(3, 2), 0, 3 * sector, 0);
      bundle.machine.kill(bundle.process);
    }, 200);
    expect(found.has("111")).toBe(true);
    expect(found.has("211")).toBe(true);
    expect(found.has("222")).toBe(true);
    expect(found.has("112")).toBe(false);
  });

  it("frees what it owned", async () => {
    const { machine, process, during } = setup();
    const newcomer = machine.start();
    expect(await during(process.host.disk.own("data"))).not.toBeNull();
    expect(await during(newcomer.host.disk.own("data"))).toBeNull();
    machine.kill(process);
    expect(await during(newcomer.host.disk.own("data"))).not.toBeNull();
  });

  it("never runs anything of it again", async () => {
    const { machine, process } = setup();
    const ran: string[] = [];
    process.host.clock.after(5, () => ran.push("timer"));
    void process.host.disk.makeFolder("data").then(() => ran.push("disk"));
    machine.kill(process);
    await machine.loop.run(() => false);
    expect(ran).toEqual([]);
  });
});

describe("the simulated time", () => {
  it("takes the next event only when no promise is ready any more", async () => {
    const { machine, process } = setup();
    const order: string[] = [];
    const { clock } = process.host;
    clock.after(1, () => {
      void (async () => {
        for (let hop = 0; hop < 1000; hop++) await Promise.resolve();
        order.push("after a thousand hops");
      })();
    });
    clock.after(1.000001, () => order.push("next"));
    await machine.loop.run(() => false);
    expect(order).toEqual(["after a thousand hops", "next"]);
  });

  it("runs what comes soon after everything else of its moment", async () => {
    for (let seed = 1; seed < 20; seed++) {
      const { machine, process } = setup(seed);
      const order: string[] = [];
      process.host.clock.soon(() => order.push("soon"));
      process.host.clock.after(0, () => order.push("ready"));
      await machine.loop.run(() => false);
      expect(order).toEqual(["ready", "soon"]);
    }
  });

  it("does not run a cancelled timer", async () => {
    const { machine, process } = setup();
    let ran = false;
    process.host.clock.after(1, () => (ran = true)).cancel();
    await machine.loop.run(() => false);
    expect(ran).toBe(false);
  });

  it("notices when the source of a write changes while it is on its way", async () => {
    const bundle = setup();
    const file = await madeFile(bundle);
    const misuse: string[] = [];
    bundle.machine.disk.onMisuse = (message) => misuse.push(message);
    const source = filled(1, 1);
    const written = file.write(source, 0, sector, 0);
    source.fill(2);
    await bundle.during(written);
    expect(misuse).toHaveLength(1);
  });
});
