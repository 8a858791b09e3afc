/** Names and texts in a statement: whatever they contain, they end where they should. */

/** The name of a table or column in a statement. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in a statement. Without zero bytes: no statement can have one. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
