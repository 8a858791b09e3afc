/** What `--help` teaches beyond flags: when one needs a verb, and examples that work as they are typed. */
import type { Command } from "commander";

/** An example: what is typed after `npx write-behind`, and what it is for. */
export type Example = readonly [command: string, what: string];

/** The help of one verb. */
export interface VerbHelp {
  /** When one needs it: a sentence. */
  readonly when: string;
  /** One to four. */
  readonly examples: readonly Example[];
}

/** What is typed in front of a verb. */
export const typed = "npx write-behind";

/** The verbs, by what one wants to do. */
export const verbGroups: Readonly<Record<string, readonly string[]>> = {
  "Run it:": ["serve", "work"],
  "Use it and learn it:": ["send", "trace"],
  "See what it does:": ["status", "inspect"],
  "Direct the writer:": ["flush", "pause", "resume", "step"],
  "Look after what the database refuses:": ["dead"],
  "Check, and go on after trouble:": ["check", "adopt", "sql"],
};

/** The table; `dead list` is the name of a verb behind a verb. */
export const verbHelps: Readonly<Record<string, VerbHelp>> = {
  serve: {
    when: "The server itself: start it once and leave it running; any Redis client talks to it.",
    examples: [
      ["serve", "queue and SQLite database in ./write-behind-data"],
      ["serve --data ./wb --store sqlite:./app.db --delay 1s", "another folder and database, up to a second behind"],
      ["serve --store postgres://user:password@localhost/shop", "write to a PostgreSQL"],
      ["serve --cache redis://localhost:6379 --store postgres://user:password@localhost/shop", "one of many processes"],
    ],
  },
  work: {
    when: "With cache and queue in a Redis: to write with more processes than those that serve clients.",
    examples: [
      ["work --cache redis://localhost:6379 --store postgres://user:password@localhost/shop", "one more worker"],
    ],
  },
  send: {
    when: "To try a command where there is no redis-cli.",
    examples: [
      ["send SET user:1:name Alice", "one command, one reply"],
      ["send --json GET user:1:name", "the reply as JSON"],
      ["send --port 6381 --password secret PING", "another server, with a password"],
      ["send", "a prompt; commands one a line"],
    ],
  },
  trace: {
    when: "To see how a write travels, or what your own commands do, without any server.",
    examples: [
      ["trace", "the worked example, step by step"],
      ['trace "SET a 1" "SET a 2" step "GET a"', "two writes of one record become one row"],
      ["trace --quiz", "questions, one by one"],
    ],
  },
  status: {
    when: "The first thing to look at: whether the database keeps up, and if not, why.",
    examples: [
      ["status", "once"],
      ["status --watch", "live, with rates; Ctrl-C ends it"],
      ["status --watch --every 10s --json", "one line of JSON every ten seconds, for a script"],
      ["status --cache redis://localhost:6379", "a fleet, without any server"],
    ],
  },
  inspect: {
    when: "When a value is not what you expect: see where the newest one is, and what the database has.",
    examples: [
      ["inspect user:1:name", "one record in cache, queue and database"],
      ["inspect --base64 AP8=", "a key that is no text"],
    ],
  },
  flush: {
    when: "Before something reads the database by itself and must see every write until now.",
    examples: [
      ["flush", "everything that is pending now"],
      ["flush user:1 user:2", "these records only"],
    ],
  },
  pause: {
    when: "Before a migration or a maintenance of the database: clients go on, the queue keeps what they write.",
    examples: [["pause", "outlives a restart; `resume` ends it"]],
  },
  resume: {
    when: "After a pause, or to make the next try at once after you have mended the database.",
    examples: [["resume", "the writer goes on, with a fresh look at the tables"]],
  },
  step: {
    when: "While paused: to watch one run at a time.",
    examples: [["step", "one run; says what was written, and how long it took"]],
  },
  "dead list": {
    when: "When `status` shows dead letters: what the database has refused, and what waits behind it.",
    examples: [
      ["dead list", "the oldest ones"],
      ["dead list --limit 100 --after 17", "the next page, after the letter 17"],
    ],
  },
  "dead show": {
    when: "To see what a refused change would write, and what the database said.",
    examples: [["dead show 17", "the letter 17, with all that waits behind it"]],
  },
  "dead retry": {
    when: "After you have mended what the database objected to.",
    examples: [
      ["dead retry 17", "one, with its group"],
      ["dead retry --all", "all there are"],
    ],
  },
  "dead discard": {
    when: "When a refused change is not wanted any more; the later ones of its record are written then.",
    examples: [
      ["dead discard 17", "give one up, with its group"],
      ["dead discard 17 --behind", "and what waits behind it"],
    ],
  },
  check: {
    when: "Before a start after trouble with a disk or a database, and after a change of tables or routes.",
    examples: [
      ["check --data ./write-behind-data", "a journal from end to end, beside its database"],
      ["check --store postgres://user:password@localhost/shop --routes routes.yaml", "routes against tables"],
      ["check --cache redis://localhost:6379 --store postgres://user:password@localhost/shop", "a fleet"],
    ],
  },
  adopt: {
    when: "When a start is refused because queue and database do not fit, and you have seen what that gives up.",
    examples: [
      ["adopt --data ./write-behind-data", "start the folder anew at the database's position"],
      ["adopt --data ./write-behind-data --accept-gap", "also over a damaged or missing stretch"],
      ["adopt --cache redis://localhost:6379 --store postgres://user:password@localhost/shop", "a fleet"],
    ],
  },
  sql: {
    when: "Where the server may not make its tables itself: hand the statements to whoever may.",
    examples: [
      ["sql --store postgres://user:password@localhost/shop", "for PostgreSQL"],
      ["sql", "for SQLite"],
    ],
  },
};

/** Adds to each verb's help when it is needed and how it is typed, and puts the verbs in their groups. */
export function addHelp(program: Command): void {
  for (const [group, names] of Object.entries(verbGroups))
    for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(group);
  for (const [name, help] of Object.entries(verbHelps)) commandOf(program, name)?.addHelpText("after", helpText(help));
  program.addHelpText("after", programText);
}

/** `dead list` is a verb behind a verb. */
function commandOf(program: Command, name: string): Command | undefined {
  let command: Command | undefined = program;
  for (const part of name.split(" ")) command = command?.commands.find((each) => each.name() === part);
  return command;
}

/** Examples as lines, what they are for below one another. */
export function exampleLines(examples: readonly Example[]): string[] {
  const width = Math.max(...examples.map(([command]) => command.length));
  return examples.map(([command, what]) => `${typed} ${command.padEnd(width)}  # ${what}`);
}

function helpText({ when, examples }: VerbHelp): string {
  return ["", when, "", "Examples:", ...exampleLines(examples).map((line) => `  ${line}`)].join("\n");
}

const programText = [
  "",
  "Begin with:",
  ...exampleLines([
    ["serve", "in one terminal"],
    ["send SET user:1:name Alice", "in another"],
    ["status --watch", "see it reach the database"],
  ]).map((line) => `  ${line}`),
  "",
  `${typed} VERB --help shows a verb's flags, when one needs it, and examples.`,
].join("\n");
