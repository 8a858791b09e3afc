/** Console: commands as a client types them, and their replies. */
import { signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { JsonReply } from "../../command.js";
import { post, said } from "../api.js";
import { replyText } from "../reply.js";

/** What was typed and answered: it stays while the page does. */
const lines = signal<readonly { readonly typed: string; readonly reply: string; readonly failed: boolean }[]>([]);
const linesMax = 200;

/** The view. */
export function ConsoleView() {
  const screen = useRef<HTMLDivElement>(null);
  const shown = lines.value;
  useEffect(() => screen.current?.scrollTo({ top: screen.current.scrollHeight }), [shown]);
  return (
    <section class="sheet stack">
      <p class="soft">
        These commands go to the <strong>real data</strong> of this server, as a client’s would. To play, use the{" "}
        <a href="#/walkthrough">walkthrough</a>.
      </p>
      <div class="screen" ref={screen} role="log" aria-label="Replies" tabIndex={0}>
        {shown.length === 0 && <p class="soft">For example: SET user:1:name Alice, then GET user:1:name</p>}
        {shown.map((line, index) => (
          <pre key={index}>
            <span class="typed">&gt; {line.typed}</span>
            {"\n"}
            <span class={line.failed ? "failed" : ""}>{line.reply}</span>
          </pre>
        ))}
      </div>
      <CommandLine />
    </section>
  );
}

/** Where commands are typed; the arrows bring back what was typed before. */
function CommandLine() {
  const typed = useSignal("");
  const back = useSignal(0);
  const turn = useRef<Promise<void>>(Promise.resolve());
  const field = useRef<HTMLInputElement>(null);
  // Before the next key is pressed, not after the next picture is drawn.
  useLayoutEffect(() => field.current?.focus(), []);
  const send = (event: Event): void => {
    event.preventDefault();
    const line = typed.value.trim();
    if (line === "") return;
    [typed.value, back.value] = ["", 0];
    // What is typed while another command is under way comes after it.
    turn.current = turn.current.then(async () => {
      const answer = await answered(line);
      lines.value = [...lines.value.slice(1 - linesMax), { typed: line, ...answer }];
    });
  };
  const recall = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    back.value = Math.min(lines.value.length, Math.max(0, back.value + step));
    typed.value = back.value === 0 ? "" : (lines.value.at(-back.value)?.typed ?? "");
  };
  return (
    <form class="line" onSubmit={send}>
      <label class="hidden" for="command">
        Command
      </label>
      <input
        id="command"
        ref={field}
        type="text"
        value={typed.value}
        placeholder="GET user:1:name"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onKeyDown={recall}
      />
      <button type="submit" class="main">
        Send
      </button>
    </form>
  );
}

async function answered(line: string): Promise<{ readonly reply: string; readonly failed: boolean }> {
  try {
    const { reply } = await post<{ readonly reply: JsonReply }>("/api/command", { line });
    return { reply: replyText(reply), failed: reply.type === "error" };
  } catch (error) {
    return { reply: said(error), failed: true };
  }
}
