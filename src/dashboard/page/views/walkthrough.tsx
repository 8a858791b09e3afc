/** Walkthrough: a lesson from one real run, step by step, and an engine of one's own to break. */
import { useSignal } from "@preact/signals";
import { LessonView } from "./lesson.js";
import { OwnView } from "./own.js";

/** The view. */
export function WalkthroughView() {
  const own = useSignal(false);
  return (
    <>
      <div class="row apart">
        <div class="row" role="group" aria-label="Parts of the walkthrough">
          <button
            type="button"
            aria-pressed={!own.value}
            class={own.value ? "" : "main"}
            onClick={() => (own.value = false)}
          >
            The lesson
          </button>
          <button
            type="button"
            aria-pressed={own.value}
            class={own.value ? "main" : ""}
            onClick={() => (own.value = true)}
          >
            Your own
          </button>
        </div>
        <span class="soft">On an engine of its own: your data is not touched.</span>
      </div>
      {own.value ? <OwnView /> : <LessonView onOwn={() => (own.value = true)} />}
    </>
  );
}
