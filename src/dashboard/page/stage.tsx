/** The picture of a write's road with five actors, what each holds at this moment, and what moves between them. */
import type { LessonCells } from "../../lesson/lesson.js";

/** What happens at this moment: which of the ways between the actors are taken, and in which direction. */
export type Move = "none" | "write" | "queue" | "store" | "read" | "fail" | "kill";

interface StageProps {
  readonly cells: LessonCells;
  readonly move: Move;
  /** Grows with every step, so that the same move is drawn again. */
  readonly moment: number;
  /** What is said below the background process and the database; null: nothing. */
  readonly writer: string | null;
  readonly database: string | null;
  readonly dead: boolean;
}

interface Actor {
  readonly name: string;
  readonly tone: string;
  readonly holds: string;
  readonly note: string | null;
  /** It dies with the process. */
  readonly mortal?: boolean;
}

type Way = "forth" | "both" | "broken" | null;

/** Ways between client and cache, cache and queue, queue and process, process and database. */
const ways: Readonly<Record<Move, readonly [Way, Way, Way, Way]>> = {
  none: [null, null, null, null],
  write: ["both", null, null, null],
  queue: [null, "forth", null, null],
  store: [null, null, "forth", "forth"],
  read: ["both", null, null, null],
  fail: [null, null, "forth", "broken"],
  kill: ["broken", "broken", "broken", "broken"],
};

/** The picture. Everything in it is text, too. */
export function Stage({ cells, move, moment, writer, database, dead }: StageProps) {
  const actors: readonly Actor[] = [
    {
      name: "Client",
      tone: "client",
      holds: cells.output === "" ? "–" : cells.output,
      note: cells.output === "" ? null : "got this answer",
    },
    {
      name: "Cache",
      tone: "cache",
      holds: cells.cache,
      note: dead ? "gone with the process" : "in memory",
      mortal: true,
    },
    { name: "Write queue", tone: "queue", holds: cells.queue, note: "on disk" },
    {
      name: "Background process",
      tone: "writer",
      holds: move === "store" ? "writes a batch" : "–",
      note: writer,
      mortal: true,
    },
    { name: "Database", tone: "store", holds: cells.database, note: database },
  ];
  const taken = ways[move];
  return (
    <div class="stage" role="group" aria-label="Where everything is now">
      {actors.map((actor, index) => (
        <>
          {index > 0 && (
            <WayBetween
              key={`${index}-${moment}`}
              way={taken[index - 1] ?? null}
              tone={(actors[index - 1] as Actor).tone}
            />
          )}
          <div key={actor.name} class={`actor tone-${actor.tone} ${dead && actor.mortal === true ? "dead" : ""}`}>
            <h3>{actor.name}</h3>
            <p class="bytes holds">{actor.holds}</p>
            {actor.note !== null && <p class="small soft">{actor.note}</p>}
          </div>
        </>
      ))}
    </div>
  );
}

function WayBetween({ way, tone }: { readonly way: Way; readonly tone: string }) {
  const speed = way === "broken" ? "stuck" : way === null ? "" : "moves";
  return (
    <div class={`flow tone-${tone} ${speed} ${way === "both" ? "both" : ""}`} aria-hidden="true">
      <svg viewBox="0 0 54 22">
        <line x1="4" y1="11" x2="44" y2="11" />
        <path d="M42 5l9 6-9 6z" />
        <circle cx="6" cy="11" r="5" />
        <circle cx="6" cy="11" r="5" />
      </svg>
    </div>
  );
}
