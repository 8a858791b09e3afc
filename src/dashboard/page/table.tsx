/** A table of text cells, as the lesson has them. */
import { useEffect, useRef } from "preact/hooks";
import type { Table } from "../../lesson/tables.js";

interface TextTableProps {
  /** `wordColumns`: so many of its first columns are words; the others show what was read. */
  readonly table: Table & { readonly wordColumns: number };
  readonly caption: string;
  /** The last row is new. */
  readonly lastIsNew?: boolean;
}

/** The table; a wide one scrolls by itself, and to a column that comes. */
export function TextTable({ table, caption, lastIsNew = false }: TextTableProps) {
  const region = useRef<HTMLDivElement>(null);
  const columns = table.heads.length;
  useEffect(() => {
    if (region.current !== null) region.current.scrollLeft = region.current.scrollWidth;
  }, [columns]);
  return (
    <div ref={region} class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table class="lesson">
        <caption>{caption}</caption>
        <thead>
          <tr>
            {table.heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, index) => (
            <tr key={index} class={lastIsNew && index === table.rows.length - 1 ? "new" : ""}>
              {row.map((cell, column) => (
                <td key={column} class={column < table.wordColumns ? "" : "bytes"}>
                  <div class="cell">{cell}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
