/** The verbs, their arguments and flags. Each one's work is in a file of its own, loaded when it is asked for. */
import { Command, CommanderError } from "commander";
import { addCommonFlags, addOptionFlags, addSomeFlags, type Flags, type SomeFlags } from "./config.js";
import { CliError, exitCodes, report, type ExitCode } from "./exit.js";
import { addHelp, typed, verbHelps } from "./help.js";
import { version } from "../host/version.js";
import { workOptions } from "./work-options.js";

const clientFlags = {
  adminToken: "token that the admin API demands (or WRITE_BEHIND_ADMIN_TOKEN)",
  cache: "ask the fleet in this Redis instead of a server, from any place that reaches it (or WRITE_BEHIND_CACHE)",
};
const lookFlags = {
  ...clientFlags,
  store: "with --cache: the database, to look into it, too",
  routes: "with --cache: YAML file with the routes of the fleet, where it has any",
};
const keysFlags = { ...clientFlags, routes: lookFlags.routes };
const sendFlags = {
  host: "address of the server (default 127.0.0.1)",
  port: "its port (default 6380)",
  password: "password that the server demands (or WRITE_BEHIND_PASSWORD)",
  tlsCert: "with --tls: PEM file with the certificate of this client, where the server demands one",
  tlsKey: "with --tls: its private key",
};

/** Runs the command line and says how the process ends. */
export async function runCommandLine(args: readonly string[]): Promise<ExitCode> {
  let exit: ExitCode = exitCodes.done;
  // Until a verb has its flags, its command line is not understood, and whoever wrote --json anywhere meant it.
  let json = args.includes("--json");
  const program = buildProgram((code) => (exit = code));
  program.hook("preAction", (_, verb) => {
    json = verb.opts()["json"] === true;
  });
  // What commander finds wrong is said as every other error is; help that nobody asked for goes to stderr.
  let help = "";
  for (const command of [program, ...program.commands.flatMap((each) => [each, ...each.commands])])
    command.configureOutput({ writeErr: (text) => (help += text), outputError: () => {} });
  try {
    await program.parseAsync(args, { from: "user" });
    return exit;
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, json);
    if (error.exitCode === 0) return exitCodes.done;
    if (error.code !== "commander.help") return report(usageError(error, args), json);
    return json ? report(usageError(error, args), true) : showHelp(help);
  }
}

function showHelp(help: string): ExitCode {
  process.stderr.write(help);
  return exitCodes.usage;
}

/** What commander has found wrong, with the nearest name, an example of the verb, or its help to try. */
function usageError({ code, message }: CommanderError, args: readonly string[]): CliError {
  const text =
    code === "commander.help" ? "which verb is missing" : message.replace(/^error: /, "").replaceAll("\n", " ");
  const words = args.filter((arg) => !arg.startsWith("-"));
  const verb = [words.slice(0, 2).join(" "), words[0] ?? ""].find((name) => Object.hasOwn(verbHelps, name));
  const meant = /\(Did you mean (?:one of )?([^?,)]+)/.exec(text)?.[1];
  const isArgument = code === "commander.missingArgument" || code === "commander.excessArguments";
  const example = verb !== undefined && isArgument ? verbHelps[verb]?.examples[0]?.[0] : undefined;
  const named = verb === undefined ? "" : `${verb} `;
  return new CliError(exitCodes.usage, text, `${typed} ${example ?? `${named}${meant ?? "--help"}`}`);
}

/** Builds the program; verbs that end with a code of their own hand it to `end`. */
export function buildProgram(end: (code: ExitCode) => void): Command {
  const program = new Command("write-behind")
    .description("A write-behind cache with a durable write queue, in front of a database.")
    .version(version())
    .enablePositionalOptions()
    .exitOverride();
  addServe(program, end);
  addWork(program, end);
  addSend(program, end);
  addTrace(program, end);
  addClientVerbs(program);
  addDead(program, end);
  addJournalVerbs(program, end);
  addHelp(program);
  return program;
}

function verb(program: Command, name: string, description: string): Command {
  const command = program.command(name).description(description).exitOverride().allowExcessArguments(false);
  return addCommonFlags(command);
}

function addServe(program: Command, end: (code: ExitCode) => void): void {
  const command = verb(program, "serve", "start the server: the Redis protocol, the queue, the writer, the admin API");
  addOptionFlags(command).action(async (flags: Flags) => {
    const { serve } = await import("./serve.js");
    end(await serve(flags));
  });
}

function addWork(program: Command, end: (code: ExitCode) => void): void {
  const description = "start a worker of a fleet: it writes what is queued in a Redis (--cache) to the database";
  const command = addSomeFlags(verb(program, "work", description), {
    cache: "the Redis or Valkey of the fleet: redis://…",
    store: "the database of the fleet: postgres://…",
  });
  const others = workOptions.filter((name) => name !== "cache" && name !== "store");
  addOptionFlags(command, others).action(async (flags: Flags) => {
    const { work } = await import("./work.js");
    end(await work(flags));
  });
}

function addClientVerbs(program: Command): void {
  const client = (name: string, description: string, flags: SomeFlags = clientFlags): Command =>
    addSomeFlags(verb(program, name, description), flags);
  client("status", "what the server does, what is pending, how the database is")
    .option("--watch", "again and again until Ctrl-C, with rates; with --json one line each")
    .option("--every <time>", "with --watch: how often (100ms to 1h, default 1s)")
    .action(async (flags: Flags) => {
      if (flags["watch"] === true) await (await import("./watch.js")).watch(flags);
      else await (await import("./status.js")).status(flags);
    });
  client("inspect <key>", "one record everywhere: cache, queue, database", lookFlags)
    .option("--base64", "the key is given in base64")
    .action(async (key: string, flags: Flags) => {
      await (await import("./inspect.js")).inspect(key, flags);
    });
  client("flush [keys...]", "wait until what is pending now (of these keys) is in the database", keysFlags).action(
    async (keys: string[], flags: Flags) => {
      await (await import("./flush.js")).flush(keys, flags);
    },
  );
  client("pause", "the writer stands still; clients are served as before").action(async (flags: Flags) => {
    await (await import("./pause.js")).pause(flags);
  });
  client("resume", "the writer goes on").action(async (flags: Flags) => {
    await (await import("./resume.js")).resume(flags);
  });
  client("step", "one run of the writer now, paused or not").action(async (flags: Flags) => {
    await (await import("./step.js")).step(flags);
  });
}

function addDead(program: Command, end: (code: ExitCode) => void): void {
  const dead = program
    .command("dead")
    .description("what the database has refused: list it, look at it, try it again, give it up")
    .exitOverride();
  const client = (name: string, description: string): Command =>
    addSomeFlags(verb(dead, name, description), clientFlags);
  client("list", "what the database has refused, oldest first, and what waits behind it")
    .option("--limit <count>", "how many (1 to 1000, default 20)")
    .option("--after <id>", "only later ones than this")
    .action(async (flags: Flags) => {
      await (await import("./dead.js")).listDead(flags);
    });
  client("show <id>", "one dead letter with all that is known of it").action(async (id: string, flags: Flags) => {
    await (await import("./dead.js")).showDead(id, flags);
  });
  client("retry [ids...]", "try dead letters again now, paused or not; fails where one is refused again")
    .option("--all", "all there are")
    .action(async (ids: string[], flags: Flags) => {
      end(await (await import("./dead.js")).retryDead(ids, flags));
    });
  client("discard [ids...]", "give dead letters up and write what waits behind them")
    .option("--all", "all there are")
    .option("--behind", "give up what waits behind them, too")
    .action(async (ids: string[], flags: Flags) => {
      end(await (await import("./dead.js")).discardDead(ids, flags));
    });
}

function addSend(program: Command, end: (code: ExitCode) => void): void {
  const command = verb(
    program,
    "send [command...]",
    "send a command to the server and print the reply as redis-cli does; without one, a prompt",
  );
  // What follows the command's name is the command's, also where it begins with a dash: SET key -1.
  addSomeFlags(command, sendFlags)
    .option("--tls", "the server speaks TLS")
    .option(
      "--tls-ca <file>",
      "with --tls: PEM file with the authority of the server's certificate (default: those of Node)",
    )
    .passThroughOptions()
    .action(async (args: string[], flags: Flags) => {
      const { send } = await import("./send.js");
      end(await send(args, flags));
    });
}

function addJournalVerbs(program: Command, end: (code: ExitCode) => void): void {
  const dataFlag = { data: "the folder (default ./write-behind-data)" };
  const storeFlag = { store: "the database: sqlite:FILE or postgres://… (default write-behind.db in the folder)" };
  const routesFlag = { routes: "YAML file with routes, to be held against the tables of the database" };
  const cacheFlag = { cache: "the Redis of a fleet: redis://…" };
  const checked =
    "--data DIR: read a journal from end to end, beside its database, and say what is in it; " +
    "--cache URL --store URL: hold a fleet's logs against the database, and say what is pending or lost; " +
    "--store URL --routes FILE without --data: hold the routes against the tables; changes nothing";
  const checking = verb(program, "check", checked).summary("whether a journal, a fleet, routes fit; changes nothing");
  addSomeFlags(checking, { ...dataFlag, ...cacheFlag, ...storeFlag, ...routesFlag }).action(async (flags: Flags) => {
    const { isAboutFleet } = await import("./cache-url.js");
    if (isAboutFleet(flags)) return end(await (await import("./check-fleet.js")).checkFleet(flags));
    const isOfTables = flags["data"] === undefined && (flags["store"] ?? flags["routes"]) !== undefined;
    if (isOfTables) end(await (await import("./check-tables.js")).checkTables(flags));
    else end(await (await import("./check.js")).check(flags));
    return undefined;
  });
  addSomeFlags(verb(program, "sql", "print the statements that make the own tables; runs none of them"), {
    ...storeFlag,
  }).action(async (flags: Flags) => {
    await (await import("./sql.js")).sql(flags);
  });
  const description =
    "--data DIR: start a folder anew at the database's position; --cache URL --store URL: let partitions of a fleet go " +
    "on that do not fit the database; says what is given up";
  const partitionsFlag = {
    partitions: "logs of a queue that is begun anew, where the database does not say (default 8)",
  };
  const adopting = verb(program, "adopt", description).summary(
    "go on at the database's position; says what is given up",
  );
  addSomeFlags(adopting, { ...dataFlag, ...cacheFlag, ...storeFlag, ...partitionsFlag })
    .option("--accept-gap", "go on over a damaged or missing stretch, and without its dead letters")
    .action(async (flags: Flags) => {
      const { isAboutFleet } = await import("./cache-url.js");
      if (isAboutFleet(flags)) return (await import("./adopt-fleet.js")).adoptFleet(flags);
      const { adopt } = await import("./adopt.js");
      return adopt(flags);
    });
}

function addTrace(program: Command, end: (code: ExitCode) => void): void {
  const description =
    "show one write's journey step by step, from a real run; or that of your own commands and `step`s";
  verb(program, "trace [commands...]", description)
    .option("--quiz", "ask the questions of the lesson one by one")
    .option("--markdown", "print the page docs/lesson.md, which is made this way")
    .action(async (commands: string[], flags: Flags) => {
      const { trace } = await import("./trace.js");
      end(await trace(commands, flags));
    });
}
