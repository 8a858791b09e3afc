/**
 * What every host keeps: the real one (src/host) and its simulated twin. Plain async cases without a test runner; a
 * case throws where the promise is broken. Power loss is the simulator's own: no real host can be asked to lose it.
 */
import { DiskError, type Disk, type Host } from "../src/host/host.js";

/** A host to try, and a folder on its disk that is its own. */
export interface HostUnderTest {
  readonly host: Host;
  /** Exists and is empty. */
  readonly folder: string;
  /** URL under which the host finds contract/host-thread.js; null where it has no threads. */
  readonly threadUrl: string | null;
  close(): Promise<void>;
}

/** One promise. */
export interface ContractCase {
  readonly name: string;
  run(): Promise<void>;
}

type Body = (under: HostUnderTest) => Promise<void>;

const readWrite = { write: true, create: false, dsync: false };
const created = { write: true, create: true, dsync: false };

/** The cases, each with a host of its own. */
export function hostContract(make: () => Promise<HostUnderTest>): readonly ContractCase[] {
  return Object.entries({ ...clockCases, ...randomCases, ...diskCases, ...folderCases, ...threadCases }).map(
    ([name, body]) => ({
      name,
      run: async () => {
        const under = await make();
        try {
          await body(under);
        } finally {
          await under.close();
        }
      },
    }),
  );
}

const clockCases: Record<string, Body> = {
  "a timer fires once, not before its time": async ({ host: { clock } }) => {
    const began = clock.monotonic();
    let calls = 0;
    await new Promise<void>((resolve) => {
      clock.after(20, () => {
        calls++;
        resolve();
      });
    });
    isTrue(clock.monotonic() - began >= 20, "the timer was early");
    await new Promise<void>((resolve) => clock.after(30, resolve));
    equal(calls, 1);
  },
  "a cancelled timer never fires, and a timer may be cancelled twice": async ({ host: { clock } }) => {
    let fired = false;
    const timer = clock.after(5, () => (fired = true));
    timer.cancel();
    timer.cancel();
    await new Promise<void>((resolve) => clock.after(20, resolve));
    equal(fired, false);
  },
  "timers fire in the order of their time": async ({ host: { clock } }) => {
    const order: number[] = [];
    await new Promise<void>((resolve) => {
      clock.after(40, () => {
        order.push(40);
        resolve();
      });
      clock.after(10, () => order.push(10));
    });
    equal(order.join(), "10,40");
  },
  "soon comes after every promise that is ready": async ({ host: { clock } }) => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      clock.soon(() => {
        order.push("soon");
        resolve();
      });
      void Promise.resolve()
        .then(() => order.push("first"))
        .then(() => order.push("second"));
    });
    equal(order.join(), "first,second,soon");
  },
  "the wall clock tells milliseconds since 1970": async ({ host: { clock } }) => {
    isTrue(clock.now() > 1_700_000_000_000 && Number.isSafeInteger(clock.now()), `it is ${clock.now()}`);
  },
};

const randomCases: Record<string, Body> = {
  "numbers are in [0, 1) and differ": async ({ host: { random } }) => {
    const numbers = Array.from({ length: 100 }, () => random.number());
    isTrue(
      numbers.every((number) => number >= 0 && number < 1),
      "out of range",
    );
    isTrue(new Set(numbers).size > 90, "they repeat");
  },
  "hex gives two digits for each byte, and differs": async ({ host: { random } }) => {
    const [a, b] = [random.hex(16), random.hex(16)];
    isTrue(/^[0-9a-f]{32}$/.test(a), `it is ${a}`);
    isTrue(a !== b, "two are equal");
  },
};

const diskCases: Record<string, Body> = {
  "bytes come back from where they were written, also with dsync": async ({ host: { disk }, folder }) => {
    for (const dsync of [false, true]) {
      const file = await disk.open(`${folder}/file-${dsync}`, { ...created, dsync });
      await file.write(Buffer.from("..hello.."), 2, 5, 10);
      equal(await file.size(), 15);
      const target = Buffer.alloc(7, "-");
      equal(await file.read(target, 1, 5, 10), 5);
      equal(target.toString(), "-hello-");
      await file.sync();
      await file.close();
    }
  },
  "a gap before a write reads as zeros": async ({ host: { disk }, folder }) => {
    const file = await disk.open(`${folder}/file`, created);
    await file.write(Buffer.from("x"), 0, 1, 5000);
    const target = Buffer.alloc(5001, 1);
    equal(await file.read(target, 0, 5001, 0), 5001);
    isTrue(target.subarray(0, 5000).every((byte) => byte === 0) && target[5000] === 120, "other bytes");
    await file.close();
  },
  "a read behind the end gives what there is": async ({ host: { disk }, folder }) => {
    const file = await disk.open(`${folder}/file`, created);
    await file.write(Buffer.from("abc"), 0, 3, 0);
    const target = Buffer.alloc(10);
    equal(await file.read(target, 0, 10, 1), 2);
    equal(await file.read(target, 0, 10, 3), 0);
    equal(await file.read(target, 0, 10, 100), 0);
    await file.close();
  },
  "large writes arrive whole": async ({ host: { disk }, folder }) => {
    const bytes = Buffer.alloc(3_000_001, "abcdefg");
    const file = await disk.open(`${folder}/file`, created);
    await file.write(bytes, 0, bytes.length, 3);
    const target = Buffer.alloc(bytes.length);
    equal(await file.read(target, 0, target.length, 3), bytes.length);
    isTrue(target.equals(bytes), "other bytes");
    await file.close();
  },
  "an open file outlives its name": async ({ host: { disk }, folder }) => {
    const file = await disk.open(`${folder}/a`, created);
    await file.write(Buffer.from("old"), 0, 3, 0);
    const reader = await disk.open(`${folder}/a`, { ...readWrite, write: false });
    await disk.rename(`${folder}/a`, `${folder}/b`);
    await file.write(Buffer.from("new"), 0, 3, 0);
    const target = Buffer.alloc(3);
    await reader.read(target, 0, 3, 0);
    equal(target.toString(), "new");
    await disk.remove(`${folder}/b`);
    equal(await reader.read(target, 0, 3, 0), 3);
    await reader.close();
    await file.close();
  },
  "errors say their kind": async ({ host: { disk }, folder }) => {
    await fails("missing", () => disk.open(`${folder}/none`, readWrite));
    await fails("missing", () => disk.remove(`${folder}/none`));
    await fails("missing", () => disk.rename(`${folder}/none`, `${folder}/other`));
    await (await disk.open(`${folder}/there`, created)).close();
    await fails("exists", () => disk.open(`${folder}/there`, created));
    const file = await disk.open(`${folder}/there`, { ...readWrite, write: false });
    await fails("failed", () => file.write(Buffer.from("x"), 0, 1, 0));
    await file.close();
  },
  "there is room on the disk": async ({ host: { disk }, folder }) => {
    isTrue((await disk.freeBytes(folder)) > 0, "no room");
  },
};

const folderCases: Record<string, Body> = {
  "names are listed sorted, and an absent folder is empty": async ({ host: { disk }, folder }) => {
    for (const name of ["b", "a", "c"]) await (await disk.open(`${folder}/${name}`, created)).close();
    equal((await disk.list(folder)).join(), "a,b,c");
    equal((await disk.list(`${folder}/none`)).length, 0);
    await disk.syncFolder(folder);
  },
  "folders are made with those above them, also twice": async ({ host: { disk }, folder }) => {
    await disk.makeFolder(`${folder}/x/y`);
    await disk.makeFolder(`${folder}/x/y`);
    await (await disk.open(`${folder}/x/y/file`, created)).close();
    equal((await disk.list(`${folder}/x/y`)).join(), "file");
  },
  "a rename replaces what has the name": async ({ host: { disk }, folder }) => {
    for (const name of ["a", "b"]) {
      const file = await disk.open(`${folder}/${name}`, created);
      await file.write(Buffer.from(name), 0, 1, 0);
      await file.close();
    }
    await disk.rename(`${folder}/a`, `${folder}/b`);
    equal((await disk.list(folder)).join(), "b");
    const file = await disk.open(`${folder}/b`, readWrite);
    const target = Buffer.alloc(1);
    await file.read(target, 0, 1, 0);
    equal(target.toString(), "a");
    await file.close();
  },
  "a folder has one owner, also within one process": async ({ host: { disk }, folder }) => {
    const owner = await disk.own(folder);
    isTrue(owner !== null, "nobody owns it, but it cannot be owned");
    equal(await disk.own(folder), null);
    await owner?.release();
    const next = await disk.own(folder);
    isTrue(next !== null, "it cannot be owned after its owner released it");
    await next?.release();
  },
};

interface Echo {
  readonly message: unknown;
  readonly data: unknown;
}

const threadCases: Record<string, Body> = {
  "a thread gets its data and answers in order": async ({ host: { threads }, threadUrl }) => {
    if (threadUrl === null) return;
    const thread = threads.start<unknown, Echo>(threadUrl, { name: "echo" });
    const answers: Echo[] = [];
    await new Promise<void>((resolve) => {
      thread.receive((echo) => {
        answers.push(echo);
        if (answers.length === 100) resolve();
      });
      for (let i = 0; i < 100; i++) thread.post({ i });
    });
    equal(JSON.stringify(answers[99]), JSON.stringify({ message: { i: 99 }, data: { name: "echo" } }));
    const ended = new Promise<Error | null>((resolve) => thread.ended(resolve));
    await thread.terminate();
    equal(await ended, null);
  },
  "a thread that fails ends with its error": async ({ host: { threads }, threadUrl }) => {
    if (threadUrl === null) return;
    const thread = threads.start<unknown, Echo>(threadUrl, null);
    const ended = new Promise<Error | null>((resolve) => thread.ended(resolve));
    thread.post("fail");
    isTrue((await ended) instanceof Error, "it ended without an error");
  },
};

function isTrue(fact: boolean, message: string): void {
  if (!fact) throw new Error(message);
}

function equal(actual: unknown, expected: unknown): void {
  isTrue(Object.is(actual, expected), `expected ${String(expected)}, got ${String(actual)}`);
}

async function fails(
  kind: DiskError["kind"],
  call: () => ReturnType<Disk["remove"]> | ReturnType<Disk["open"]>,
): Promise<void> {
  try {
    await call();
  } catch (error) {
    isTrue(error instanceof DiskError, `not a DiskError: ${String(error)}`);
    return equal((error as DiskError).kind, kind);
  }
  throw new Error(`expected an error of the kind ${kind}`);
}
