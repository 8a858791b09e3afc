/** Light or dark: as the system says, until the person says otherwise. */
import { effect, signal } from "@preact/signals";

const themeName = "write-behind-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** What the person has chosen; null: as the system. */
const chosen = signal<"light" | "dark" | null>(chosenBefore());
const systemDark = signal(system.matches);

/** The theme that is shown; charts draw with its colours. */
export const theme = signal<"light" | "dark">("light");

/** Shows the theme, and the system's when that changes. */
export function followTheme(): void {
  system.addEventListener("change", () => (systemDark.value = system.matches));
  effect(() => {
    const shown = chosen.value ?? (systemDark.value ? "dark" : "light");
    document.documentElement.dataset["theme"] = shown;
    theme.value = shown;
  });
}

/** The other theme, from now on. */
export function switchTheme(): void {
  chosen.value = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem(themeName, chosen.value);
}

function chosenBefore(): "light" | "dark" | null {
  const stored = localStorage.getItem(themeName);
  return stored === "light" || stored === "dark" ? stored : null;
}
