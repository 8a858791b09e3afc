/** A reply as redis-cli shows it: one line for each element. Pure. */
import type { JsonReply } from "../command.js";
import { bytesText } from "./format.js";

/** The text of a reply; `indent`: what stands before each further line. */
export function replyText(reply: JsonReply, indent = ""): string {
  switch (reply.type) {
    case "bulk":
      return typeof reply.value === "string" ? JSON.stringify(reply.value) : bytesText(reply.value);
    case "integer":
      return `(integer) ${reply.value}`;
    case "simple":
      return reply.value;
    case "error":
      return `(error) ${reply.value}`;
    case "null":
      return "(nil)";
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
  }
}

function numbered(items: readonly ((indent: string) => string)[], indent: string): string {
  const width = String(items.length).length;
  const under = `${indent}${" ".repeat(width + 2)}`;
  return items.map((item, index) => `${String(index + 1).padStart(width)}) ${item(under)}`).join(`\n${indent}`);
}
