/** Names and texts in a statement: whatever they contain, they end where they should. */

/** An identifier in quotes. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** A text in a statement, the same whatever the session's settings are. Without zero bytes: none can have one. */
export function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
