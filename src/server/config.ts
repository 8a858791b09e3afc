/**
 * The parameters that CONFIG knows: the limits, which it may change, and what client libraries ask for, which it may
 * not. Each says what this server does. Names, checks and texts are Redis' own (config.c); the command is in commands/.
 */
import { bytesOfText, type Bytes } from "../bytes.js";
import type { ConfigView } from "../commands/command.js";
import { waitingConnectionsMax } from "../host/sockets.js";
import { matches } from "../commands/glob.js";
import { parseInteger } from "../commands/integer.js";
import { parserLimits } from "./resp-parser.js";
import type { ClientClass, Limits, OutputLimit } from "./limits.js";

/** What the parameters that cannot be changed are read from. */
export interface ConfigFacts {
  readonly host: string;
  readonly port: number;
  readonly durability: string;
  readonly cacheBytesMax: number;
  readonly hasPassword: boolean;
  /** Whether a client from elsewhere is refused where there is no password. */
  readonly isProtected: boolean;
}

/** A value that is good, or what is wrong with it. */
type Checked = { readonly apply: () => void } | { readonly problem: string };

interface Parameter {
  read(): string;
  /** Absent: it cannot be changed. */
  check?(text: Bytes): Checked;
  /** The flag of `serve` that sets it. */
  readonly flag?: string;
}

const mb = 1024 * 1024;
const intMax = 2 ** 31 - 1;
const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1_000_000,
  mb,
  g: 1_000_000_000,
  gb: 1024 * mb,
};
const notMemory = { problem: "argument must be a memory value" };
/** A password is never shown: only whether there is one. */
const hidden = "***";

/** Reads and changes the parameters. */
export class ServerConfig implements ConfigView {
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #changed: () => void;

  /** `changed` is called after limits have changed. */
  constructor(limits: Limits, facts: () => ConfigFacts, changed: () => void) {
    this.#parameters = new Map([...Object.entries(changeable(limits)), ...Object.entries(fixed(facts))]);
    this.#changed = changed;
  }

  get(patterns: readonly Bytes[]): ReadonlyMap<Bytes, Bytes> {
    const found = new Map<string, readonly [Bytes, Bytes]>();
    for (const pattern of patterns) {
      const wanted = pattern.toLowerCase() as Bytes;
      // Redis gives a name that is no pattern back as it was written.
      const isPattern = /[[*?]/.test(pattern);
      for (const [name, parameter] of this.#parameters) {
        if (found.has(name) || !(isPattern ? matches(wanted, bytesOfText(name)) : name === wanted)) continue;
        found.set(name, [isPattern ? bytesOfText(name) : pattern, bytesOfText(parameter.read())]);
      }
    }
    return new Map(found.values());
  }

  set(pairs: readonly (readonly [Bytes, Bytes])[]): string | null {
    const named = pairs.map(([name, text]) => ({ name, text, parameter: this.#parameters.get(name.toLowerCase()) }));
    // Redis first looks at all names, then at the values.
    for (const [index, { name, text, parameter }] of named.entries()) {
      if (parameter === undefined) return `Unknown option or number of arguments for CONFIG SET - '${name}'`;
      if (parameter.check === undefined && parameter.read() !== text)
        return failed(name, `can't set immutable config${howToSet(parameter)}`);
      if (named.findIndex((other) => other.parameter === parameter) < index) return failed(name, "duplicate parameter");
    }
    const changes: (() => void)[] = [];
    for (const { name, text, parameter } of named) {
      const checked = parameter?.check?.(text);
      if (checked === undefined) continue;
      if ("problem" in checked) return failed(name.toLowerCase(), checked.problem);
      changes.push(checked.apply);
    }
    for (const change of changes) change();
    this.#changed();
    return null;
  }
}

function failed(name: string, why: string): string {
  return `CONFIG SET failed (possibly related to argument '${name}') - ${why}`;
}

function howToSet({ flag }: Parameter): string {
  return flag === undefined ? "" : `; start the server with ${flag}`;
}

function changeable(limits: Limits): Record<string, Parameter> {
  return {
    maxclients: number(
      () => limits.clientsMax,
      (value) => (limits.clientsMax = value),
      integer(1, 2 ** 32 - 1),
    ),
    timeout: number(
      () => limits.idleSeconds,
      (value) => (limits.idleSeconds = value),
      integer(0, intMax),
    ),
    "tcp-keepalive": number(
      () => limits.keepAliveSeconds,
      (value) => (limits.keepAliveSeconds = value),
      integer(0, intMax),
    ),
    "proto-max-bulk-len": number(
      () => limits.bulkBytesMax,
      (value) => (limits.bulkBytesMax = value),
      memory(mb, parserLimits.bulkBytesMax),
    ),
    "client-query-buffer-limit": number(
      () => limits.commandBytesMax,
      (value) => (limits.commandBytesMax = value),
      memory(mb, parserLimits.commandBytesMax),
    ),
    "client-output-buffer-limit": {
      read: () =>
        Object.entries(limits.output)
          .map(([name, { hardBytes, softBytes, softSeconds }]) => `${name} ${hardBytes} ${softBytes} ${softSeconds}`)
          .join(" "),
      check: (text) => checkOutput(text, limits),
    },
  };
}

function fixed(facts: () => ConfigFacts): Record<string, Parameter> {
  const fact = (read: (facts: ConfigFacts) => string, flag?: string): Parameter =>
    flag === undefined ? { read: () => read(facts()) } : { read: () => read(facts()), flag };
  return {
    bind: fact(({ host }) => host, "--host"),
    port: fact(({ port }) => `${port}`, "--port"),
    "protected-mode": fact(({ isProtected }) => (isProtected ? "yes" : "no")),
    requirepass: fact(({ hasPassword }) => (hasPassword ? hidden : ""), "--password"),
    databases: fact(() => "1"),
    // No snapshots: the write queue is the log, and it is what an answered write survives by.
    save: fact(() => ""),
    appendonly: fact(({ durability }) => (durability === "memory" ? "no" : "yes"), "--durability"),
    appendfsync: fact(
      ({ durability }) => (durability === "disk" || durability === "replicas" ? "always" : "no"),
      "--durability",
    ),
    maxmemory: fact(({ cacheBytesMax }) => `${cacheBytesMax}`, "--cache-bytes"),
    // What leaves the cache is in the database: no key is ever gone for want of memory.
    "maxmemory-policy": fact(() => "noeviction"),
    "tcp-backlog": fact(() => `${waitingConnectionsMax}`),
    "notify-keyspace-events": fact(() => ""),
    "cluster-enabled": fact(() => "no"),
  };
}

function number(
  read: () => number,
  write: (value: number) => void,
  check: (text: Bytes) => number | { readonly problem: string },
): Parameter {
  return {
    read: () => `${read()}`,
    check: (text) => {
      const value = check(text);
      return typeof value === "number" ? { apply: () => write(value) } : value;
    },
  };
}

function within(value: number | bigint, min: number, max: number): number | { readonly problem: string } {
  return value >= min && value <= max
    ? Number(value)
    : { problem: `argument must be between ${min} and ${max} inclusive` };
}

function integer(min: number, max: number) {
  return (text: Bytes) => {
    const value = parseInteger(text);
    return value === null ? { problem: "argument couldn't be parsed into an integer" } : within(value, min, max);
  };
}

/** Bytes with a unit, `1mb`; null where it is none. */
function parseMemory(text: string): number | null {
  const parts = /^(\d*)(b|kb?|mb?|gb?)?$/i.exec(text);
  return parts === null ? null : Number(parts[1]) * (unitBytes[(parts[2] ?? "").toLowerCase()] as number);
}

function memory(min: number, max: number) {
  return (text: Bytes) => {
    const value = parseMemory(text);
    return value === null ? notMemory : within(value, min, max);
  };
}

const classes: Readonly<Record<string, ClientClass>> = {
  normal: "normal",
  slave: "slave",
  replica: "slave",
  pubsub: "pubsub",
};

/** `CLASS HARD SOFT SECONDS`, for one class or several. */
function checkOutput(text: Bytes, limits: Limits): Checked {
  const words = text === "" ? [] : text.split(" ");
  if (words.length % 4 !== 0) return { problem: "Wrong number of arguments in buffer limit configuration." };
  const changes: Partial<Record<ClientClass, OutputLimit>> = {};
  for (let at = 0; at < words.length; at += 4) {
    const name = classes[(words[at] as string).toLowerCase()];
    if (name === undefined) return { problem: "Invalid client class specified in buffer limit configuration." };
    const hardBytes = parseMemory(words[at + 1] as string);
    const softBytes = parseMemory(words[at + 2] as string);
    const softSeconds = parseInteger(words[at + 3] as Bytes);
    if (hardBytes === null || softBytes === null || softSeconds === null || softSeconds < 0)
      return { problem: "Error in hard, soft or soft_seconds setting in buffer limit configuration." };
    changes[name] = { hardBytes, softBytes, softSeconds: Number(softSeconds) };
  }
  return { apply: () => (limits.output = { ...limits.output, ...changes }) };
}
