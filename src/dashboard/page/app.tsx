/** The frame of the page: name, state, the way to the views; a token that is wanted, a server that is lost. */
import { count } from "../../amounts.js";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Status } from "../../heart.js";
import { token, tokenWanted, useToken } from "./api.js";
import { clockTime } from "./format.js";
import { link, status } from "./live.js";
import { go, place, views, type View } from "./router.js";
import { switchTheme, theme } from "./theme.js";
import { ConsoleView } from "./views/console.js";
import { DeadLettersView } from "./views/dead-letters.js";
import { FleetView } from "./views/fleet.js";
import { NowView } from "./views/now.js";
import { QueueView } from "./views/queue.js";
import { RecordView } from "./views/record.js";
import { WalkthroughView } from "./views/walkthrough.js";

const titles: Readonly<Record<View, string>> = {
  now: "Now",
  queue: "Queue",
  record: "Record",
  letters: "Dead letters",
  console: "Console",
  fleet: "Fleet",
  walkthrough: "Walkthrough",
};

/** The whole page. */
export function App() {
  const { view } = place.value;
  useEffect(() => {
    document.title = `${titles[view]} · write-behind`;
  }, [view]);
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <>
      <a class="skip" href="#main" onClick={toContent}>
        To the content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        <h1 class="hidden">{titles[view]}</h1>
        {tokenWanted.value ? <TokenForm /> : <Shown view={view} />}
      </main>
      <footer>
        Keys <kbd>1</kbd> to <kbd>7</kbd> lead to the views, <kbd>/</kbd> to a record.
      </footer>
    </>
  );
}

function Shown({ view }: { readonly view: View }) {
  const seen = status.value;
  if (view === "walkthrough") return <WalkthroughView />;
  if (seen === null) {
    const lost = link.value.lostAt !== null;
    return (
      <p class="sheet empty">
        {lost ? "The server does not answer. This page goes on by itself when it does." : "Connecting …"}
      </p>
    );
  }
  return (
    <>
      <Lost />
      <ViewOf view={view} seen={seen} />
    </>
  );
}

function ViewOf({ view, seen }: { readonly view: View; readonly seen: Status }) {
  switch (view) {
    case "now":
      return <NowView status={seen} />;
    case "queue":
      return <QueueView status={seen} />;
    case "record":
      return <RecordView />;
    case "letters":
      return <DeadLettersView />;
    case "console":
      return <ConsoleView />;
    case "fleet":
      return <FleetView status={seen} />;
    case "walkthrough":
      return <WalkthroughView />;
  }
}

function Header() {
  const seen = status.value;
  const { view } = place.value;
  return (
    <header>
      <div class="bar">
        <span class="brand">
          <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" fill="#0f766e" />
            <path d="M7 10h11M7 16h7M7 22h3" stroke="#fff" stroke-width="3" stroke-linecap="round" />
            <path
              d="M17 22h8m-4-4 4 4-4 4"
              fill="none"
              stroke="#fcd34d"
              stroke-width="3"
              stroke-linecap="round"
              stroke-linejoin="round"
            />
          </svg>
          write-behind
        </span>
        <nav aria-label="Views">
          <ul>
            {views.map((name) => (
              <li key={name}>
                <a href={`#/${name}`} aria-current={name === view ? "page" : undefined}>
                  {titles[name]}
                  {name === "letters" && (seen?.deadLetters.count ?? 0) > 0 && (
                    <span class="badge">{count(seen?.deadLetters.count ?? 0)}</span>
                  )}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <span class="push row">
          <StatePill seen={seen} />
          <button
            type="button"
            onClick={switchTheme}
            aria-label={theme.value === "dark" ? "Light theme" : "Dark theme"}
          >
            {theme.value === "dark" ? "☀" : "☾"}
          </button>
        </span>
      </div>
    </header>
  );
}

function StatePill({ seen }: { readonly seen: Status | null }) {
  if (!link.value.live || seen === null) return <span class="pill care">not connected</span>;
  const { state, store } = seen;
  const mood =
    state === "stalled" || state === "broken" || store.state !== "up" ? "bad" : state === "running" ? "well" : "care";
  return <span class={`pill ${mood}`}>{store.state === "down" && state !== "stalled" ? "database down" : state}</span>;
}

/** The server is gone: what is on the screen is of before. */
function Lost() {
  const { live, lostAt } = link.value;
  return (
    <div role="status">
      {!live && lostAt !== null && (
        <p class="error">
          The server does not answer since {clockTime(lostAt).slice(0, 8)}: what you see is of then. Answered writes are
          safe as its durability says. This page connects again by itself.
        </p>
      )}
    </div>
  );
}

function TokenForm() {
  const typed = useSignal("");
  const refused = token.value !== null;
  const send = (event: Event): void => {
    event.preventDefault();
    if (typed.value !== "") useToken(typed.value);
  };
  return (
    <form class="sheet stack" onSubmit={send}>
      <h2>This server wants its admin token</h2>
      {refused && <p class="error">The token that was given is not the server’s.</p>}
      <label class="stack">
        It is what the server was started with: --admin-token or WRITE_BEHIND_ADMIN_TOKEN. It is kept for this tab only.
        <input
          type="password"
          autocomplete="off"
          value={typed.value}
          onInput={(event) => (typed.value = event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button type="submit" class="main">
          Use it
        </button>
      </div>
    </form>
  );
}

/** What stands behind the # is a view: the browser's own way would leave it. */
function toContent(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#main")?.focus();
}

function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.altKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
  const view = views[Number(event.key) - 1];
  if (view !== undefined) go(view);
  else if (event.key === "/") {
    event.preventDefault();
    go("record");
  }
}
