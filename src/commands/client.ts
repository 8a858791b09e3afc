/** CLIENT: what connections there are, what they are called, and how to end one. */
import type { Bytes } from "../bytes.js";
import { runSubcommand, syntaxOf, withHelp } from "./arguments.js";
import { noKeys, type ClientFacts, type Session, type SessionCommand, type Subcommand } from "./command.js";
import { parseInteger } from "./integer.js";
import { failure, isError, ok, shown, syntaxError, type ErrorReply, type Reply } from "./reply.js";

type Args = readonly Bytes[];

/** The argument at a place that the arity check has made sure of. */
function at(args: Args, index: number): Bytes {
  return args[index] as Bytes;
}

/** Whether a name may be shown in a list separated by spaces: printable ASCII without the space, as in Redis. */
export function isPlainName(name: Bytes): boolean {
  return /^[!-~]*$/.test(name);
}

/** Redis' error for a client's name that is not. */
export const badName = failure("ERR Client names cannot contain spaces, newlines or special characters.");

function setName(session: Session, args: Args): Reply {
  if (!isPlainName(at(args, 2))) return badName;
  session.name = at(args, 2);
  return ok;
}

function setInfo({ library }: Session, args: Args): Reply {
  const name = at(args, 2).toLowerCase();
  if (name !== "lib-name" && name !== "lib-ver")
    return failure(`ERR Unrecognized option '${shown(at(args, 2), Infinity)}'`);
  if (!isPlainName(at(args, 3))) return failure(`ERR ${name} cannot contain spaces, newlines or special characters.`);
  library[name === "lib-name" ? "name" : "version"] = at(args, 3);
  return ok;
}

/** One connection as Redis describes it: the fields that there is something to say about. */
function lineOf(client: ClientFacts): string {
  const { transaction, library } = client;
  const flags = [transaction && "x", client.isBlocked && "b", client.noEvict && "e", client.noTouch && "T"];
  const facts: Record<string, string | number> = {
    id: client.id,
    addr: client.peer,
    laddr: client.local,
    name: client.name,
    age: Math.floor(client.ageMs / 1000),
    idle: Math.floor(client.idleMs / 1000),
    flags: flags.filter(Boolean).join("") || "N",
    db: 0,
    sub: 0,
    psub: 0,
    ssub: 0,
    multi: transaction?.count ?? -1,
    qbuf: client.unread,
    "multi-mem": transaction?.bytes ?? 0,
    omem: client.unsent,
    "tot-mem": client.unread + client.unsent + (transaction?.bytes ?? 0),
    events: "r",
    cmd: client.lastCommand,
    user: "default",
    redir: -1,
    resp: client.protocol,
    "lib-name": library.name,
    "lib-ver": library.version,
  };
  const words = Object.entries(facts).map(([name, value]) => `${name}=${value}`);
  return `${words.join(" ")}\n`;
}

function linesOf(clients: readonly ClientFacts[]): Reply {
  return { kind: "text", text: clients.map(lineOf).join("") as Bytes };
}

/** Redis' kinds of clients. Here all are "normal". */
const types = new Set(["normal", "slave", "replica", "pubsub", "master"]);

function parseType(text: Bytes): string | ErrorReply {
  const type = text.toLowerCase();
  return types.has(type) ? type : failure(`ERR Unknown client type '${shown(text, Infinity)}'`);
}

function list({ server }: Session, args: Args): Reply {
  const clients = [...server.clients];
  if (args.length === 2) return linesOf(clients);
  const option = at(args, 2).toLowerCase();
  if (option === "type" && args.length === 4) {
    const type = parseType(at(args, 3));
    return isError(type) ? type : linesOf(type === "normal" ? clients : []);
  }
  if (option !== "id" || args.length < 4) return syntaxError;
  const ids = args.slice(3).map(parseInteger);
  if (ids.includes(null)) return failure("ERR Invalid client ID");
  return linesOf(ids.flatMap((id) => clients.filter((client) => client.id === id)));
}

type Filter = (client: ClientFacts) => boolean;

/** What one option of CLIENT KILL lets through. */
function filterOf(option: string, value: Bytes): Filter | ErrorReply {
  switch (option) {
    case "id": {
      const id = parseInteger(value);
      if (id === null || id < 1) return failure("ERR client-id should be greater than 0");
      return (client) => client.id === id;
    }
    case "type": {
      const type = parseType(value);
      return isError(type) ? type : () => type === "normal";
    }
    case "addr":
      return ({ peer }) => peer === value;
    case "laddr":
      return ({ local }) => local === value;
    case "user":
      return value === "default" ? () => true : failure(`ERR No such user '${shown(value, Infinity)}'`);
    default:
      return syntaxError;
  }
}

function kill(session: Session, args: Args): Reply {
  if (args.length === 3) {
    const found = [...session.server.clients].find(({ peer }) => peer === at(args, 2));
    found?.kill(found.id === session.id);
    return found === undefined ? failure("ERR No such client") : ok;
  }
  const filters: Filter[] = [];
  let skipsMe = true;
  for (let i = 2; i < args.length; i += 2) {
    const option = at(args, i).toLowerCase();
    const value = args[i + 1];
    if (value === undefined) return syntaxError;
    if (option === "skipme") {
      if (!/^(?:yes|no)$/i.test(value)) return syntaxError;
      skipsMe = value.toLowerCase() === "yes";
      continue;
    }
    const filter = filterOf(option, value);
    if (isError(filter)) return filter;
    filters.push(filter);
  }
  const killed = [...session.server.clients].filter(
    (client) => !(skipsMe && client.id === session.id) && filters.every((fits) => fits(client)),
  );
  for (const client of killed) client.kill(client.id === session.id);
  return killed.length;
}

/** ON or OFF. */
function parseSwitch(text: Bytes): boolean | null {
  const word = text.toLowerCase();
  return word === "on" ? true : word === "off" ? false : null;
}

function setSwitch(name: "noEvict" | "noTouch"): Subcommand["run"] {
  return (session, args) => {
    const on = parseSwitch(at(args, 2));
    if (on === null) return syntaxError;
    session[name] = on;
    return ok;
  };
}

function reply(_session: Session, args: Args): Reply {
  const word = at(args, 2).toLowerCase();
  if (word === "on") return ok;
  if (word !== "off" && word !== "skip") return syntaxError;
  return failure("ERR CLIENT REPLY OFF and SKIP are not supported: every command is answered");
}

const subcommands = withHelp("client", [
  { name: "id", arity: 2, syntax: "", summary: "The id of this connection.", run: (session) => session.id },
  {
    name: "info",
    arity: 2,
    syntax: "",
    summary: "Facts about this connection.",
    run: (session) => linesOf([session]),
  },
  {
    name: "getname",
    arity: 2,
    syntax: "",
    summary: "The name of this connection.",
    run: (session) => (session.name === "" ? null : session.name),
  },
  { name: "setname", arity: 3, syntax: "name", summary: "Names this connection.", run: setName },
  {
    name: "setinfo",
    arity: 4,
    syntax: "LIB-NAME name | LIB-VER version",
    summary: "Says which library the client is.",
    run: setInfo,
  },
  {
    name: "list",
    arity: -2,
    syntax: "[TYPE NORMAL | MASTER | REPLICA | PUBSUB] [ID id [id ...]]",
    summary: "Facts about connections, one a line.",
    run: list,
  },
  {
    name: "kill",
    arity: -3,
    syntax: "address | ID id | ADDR address | LADDR address | TYPE type | USER name | SKIPME YES | SKIPME NO ...",
    summary: "Ends the connections that all the filters fit; says how many.",
    run: kill,
  },
  {
    name: "no-evict",
    arity: 3,
    syntax: "ON | OFF",
    summary: "Accepted: no connection is evicted here.",
    run: setSwitch("noEvict"),
  },
  {
    name: "no-touch",
    arity: 3,
    syntax: "ON | OFF",
    summary: "Accepted, and does nothing.",
    run: setSwitch("noTouch"),
  },
  { name: "reply", arity: 3, syntax: "ON", summary: "Accepted: every command is answered.", run: reply },
]);

/** The command. */
export const clientCommand: SessionCommand = {
  kind: "session",
  name: "client",
  arity: -2,
  flags: ["loading", "stale"],
  keys: noKeys,
  group: "connection",
  syntax: syntaxOf(subcommands),
  summary: "Facts about connections, their names, and their end.",
  subcommands,
  run: (session, args) => runSubcommand(subcommands, session, args),
};
