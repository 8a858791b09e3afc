/** Commands on the connection: PING ECHO HELLO AUTH SELECT QUIT RESET. CLIENT is in client.ts. */
import { bytesOfText, type Bytes } from "../bytes.js";
import { badName, isPlainName } from "./client.js";
import { noKeys, type Login, type Session, type SessionCommand } from "./command.js";
import { redisVersion } from "./info.js";
import { parseInteger } from "./integer.js";
import { parseInt32 } from "./range.js";
import { failure, ok, shown, simple, wrongArity, type ErrorReply, type Reply } from "./reply.js";

type Args = readonly Bytes[];

const pong = simple("PONG");
const wrongPassword = failure("WRONGPASS invalid username-password pair or user is disabled.");
const noPasswordSet = failure(
  "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);
const tooManyLogins = failure(
  "ERR too many passwords from this address were wrong; wait for a few seconds and try again",
);
const helloNeedsLogin = failure(
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);

/** A command of the group "connection". */
function command(entry: Omit<SessionCommand, "kind" | "group" | "keys">): SessionCommand {
  return { kind: "session", group: "connection", keys: noKeys, ...entry };
}

/** The argument at a place that the arity check has made sure of. */
function at(args: Args, index: number): Bytes {
  return args[index] as Bytes;
}

function ping(_session: Session, args: Args): Reply {
  if (args.length > 2) return wrongArity("ping");
  return args.length === 2 ? at(args, 1) : pong;
}

/** The error of a login that did not succeed, else null. */
function loginError(login: Login): ErrorReply | null {
  if (login === "too many") return tooManyLogins;
  return login === "wrong" ? wrongPassword : null;
}

function auth(session: Session, args: Args): Reply | Promise<Reply> {
  if (args.length > 3) return failure("ERR syntax error");
  const user = args.length === 3 ? at(args, 1) : bytesOfText("default");
  if (args.length === 2 && !session.server.hasPassword) return noPasswordSet;
  const login = session.login(user, at(args, args.length - 1));
  return login instanceof Promise ? login.then((result) => loginError(result) ?? ok) : (loginError(login) ?? ok);
}

interface HelloOptions {
  login: { user: Bytes; password: Bytes } | null;
  name: Bytes | null;
}

function parseHello(args: Args): HelloOptions | ErrorReply {
  const options: HelloOptions = { login: null, name: null };
  for (let i = 2; i < args.length; i++) {
    const option = at(args, i).toUpperCase();
    if (option === "AUTH" && i + 2 < args.length) {
      options.login = { user: at(args, i + 1), password: at(args, i + 2) };
      i += 2;
    } else if (option === "SETNAME" && i + 1 < args.length) {
      options.name = at(args, ++i);
      if (!isPlainName(options.name)) return badName;
    } else return failure(`ERR Syntax error in HELLO option '${shown(at(args, i), Infinity)}'`);
  }
  return options;
}

function hello(session: Session, args: Args): Reply | Promise<Reply> {
  let protocol: number | bigint = session.protocol;
  if (args.length > 1) {
    const asked = parseInteger(at(args, 1));
    if (asked === null) return failure("ERR Protocol version is not an integer or out of range");
    if (asked !== 2 && asked !== 3) return failure("NOPROTO unsupported protocol version");
    protocol = asked;
  }
  const options = parseHello(args);
  if ("kind" in options) return options;
  const greet = (error: ErrorReply | null): Reply => {
    if (error !== null) return error;
    if (!session.authenticated) return helloNeedsLogin;
    if (options.name !== null) session.name = options.name;
    session.protocol = protocol as 2 | 3;
    return greeting(session);
  };
  if (options.login === null) return greet(null);
  const login = session.login(options.login.user, options.login.password);
  return login instanceof Promise ? login.then((result) => greet(loginError(result))) : greet(loginError(login));
}

function greeting(session: Session): Reply {
  const facts: [string, Reply][] = [
    ["server", bytesOfText("redis")],
    ["version", bytesOfText(redisVersion)],
    ["proto", session.protocol],
    ["id", session.id],
    ["mode", bytesOfText("standalone")],
    ["role", bytesOfText("master")],
    ["modules", []],
  ];
  return new Map(facts.map(([name, value]) => [bytesOfText(name), value]));
}

function select(_session: Session, args: Args): Reply {
  const index = parseInt32(at(args, 1));
  if (typeof index !== "number") return index;
  return index === 0 ? ok : failure("ERR DB index is out of range");
}

function quit(session: Session): Reply {
  session.quit();
  return ok;
}

/** The commands. */
export const connectionCommands: readonly SessionCommand[] = [
  command({
    name: "ping",
    arity: -1,
    flags: ["fast"],
    syntax: "[message]",
    summary: "Answers PONG, or the message.",
    run: ping,
  }),
  command({
    name: "echo",
    arity: 2,
    flags: ["fast"],
    syntax: "message",
    summary: "Answers the message.",
    run: (_session, args) => at(args, 1),
  }),
  command({
    name: "hello",
    arity: -1,
    flags: ["fast", "no_auth", "loading", "stale"],
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    summary: "Chooses the protocol (2 or 3), logs in, names the connection.",
    run: hello,
  }),
  command({
    name: "auth",
    arity: -2,
    flags: ["fast", "no_auth", "loading", "stale"],
    syntax: "[username] password",
    summary: "Logs the connection in.",
    run: auth,
  }),
  command({
    name: "select",
    arity: 2,
    flags: ["fast", "loading", "stale"],
    syntax: "index",
    summary: "Chooses the database: there is only 0.",
    run: select,
  }),
  command({
    name: "quit",
    arity: -1,
    flags: ["fast", "no_auth", "loading", "stale"],
    syntax: "",
    summary: "Answers what was asked so far and closes the connection.",
    run: quit,
  }),
  command({
    name: "reset",
    arity: 1,
    flags: ["fast", "no_auth", "loading", "stale"],
    syntax: "",
    summary: "Makes the connection as it was when it began: no transaction, no watches, RESP2, no name, logged out.",
    run: (session) => {
      session.reset();
      return simple("RESET");
    },
  }),
];
