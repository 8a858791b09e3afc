/** A reply as redis-cli shows it: one line for each element. Pure. */
import { replyCell } from "../../lesson/cells.js";
import type { JsonReply } from "../command.js";
import { bytesText } from "./format.js";

/** The text of a reply; `indent`: what stands before each further line. */
export function replyText(reply: JsonReply, indent = ""): string {
  switch (reply.type) {
    case "array":
    case "set":
      return reply.value.length === 0
        ? "(empty)"
        : numbered(
            reply.value.map((each) => (under: string) => replyText(each, under)),
            indent,
          );
    case "map":
      return reply.value.length === 0
        ? "(empty)"
        : numbered(
            reply.value.map(
              ([key, each]) =>
                (under: string) =>
                  `${JSON.stringify(bytesText(key))} => ${replyText(each, under)}`,
            ),
            indent,
          );
    default:
      return replyCell(reply);
  }
}

function numbered(items: readonly ((indent: string) => string)[], indent: string): string {
  const width = String(items.length).length;
  const under = `${indent}${" ".repeat(width + 2)}`;
  return items.map((item, index) => `${String(index + 1).padStart(width)}) ${item(under)}`).join(`\n${indent}`);
}
