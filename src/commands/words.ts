/** A command as a person types it, inline or in a console: a line of words, with the quoting of Redis. Pure. */
import type { Bytes } from "../bytes.js";

const space = /[ \t\n\v\f\r\0]/;
/** What ends a word outside quotes: in Redis those two spaces do not, though no word begins with them. */
const wordEnd = /[ \t\n\r\0]/;
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };

/**
 * The words of a line: separated by spaces, "…" with \n \r \t \b \a \xHH \" \\ inside, '…' with \' inside. Null where
 * a quote is not closed or is followed by something else than a space (sdssplitargs in Redis).
 */
export function splitWords(line: string): Bytes[] | null {
  const words: Bytes[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && space.test(line[at] as string)) at++;
    if (at >= line.length) return words;
    const word = readWord(line, at);
    if (word === null) return null;
    words.push(word.text as Bytes);
    at = word.end;
  }
}

function readWord(line: string, start: number): { readonly text: string; readonly end: number } | null {
  let text = "";
  let at = start;
  while (at < line.length && !wordEnd.test(line[at] as string)) {
    const quote = line[at] as string;
    if (quote !== '"' && quote !== "'") {
      text += quote;
      at++;
      continue;
    }
    const quoted = readQuoted(line, at + 1, quote);
    if (quoted === null) return null;
    text += quoted.text;
    const next = line[quoted.end];
    return next === undefined || space.test(next) ? { text, end: quoted.end } : null;
  }
  return { text, end: at };
}

function readQuoted(
  line: string,
  start: number,
  quote: string,
): { readonly text: string; readonly end: number } | null {
  let text = "";
  for (let at = start; at < line.length; at++) {
    const char = line[at] as string;
    if (char === quote) return { text, end: at + 1 };
    const next = line[at + 1];
    if (char !== "\\" || next === undefined || (quote === "'" && next !== "'")) {
      text += char;
      continue;
    }
    const hex = quote === '"' && next === "x" ? /^[0-9a-fA-F]{2}/.exec(line.slice(at + 2, at + 4)) : null;
    if (hex === null) {
      text += quote === '"' ? (escapes[next] ?? next) : next;
      at++;
    } else {
      text += String.fromCharCode(Number.parseInt(hex[0], 16));
      at += 3;
    }
  }
  return null;
}
