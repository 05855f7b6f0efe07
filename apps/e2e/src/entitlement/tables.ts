/** One line of a table in a Markdown document, by the names of its columns. */
export type Row = Record<string, string>;

export interface Table {
  /** Of the section that it stands in. */
  heading: string;
  columns: string[];
  rows: Row[];
}

/** Every table of a Markdown document, in order. A cell holds text; backticks around all of it don't count. */
export function tablesOf(markdown: string): Table[] {
  const tables: Table[] = [];
  let heading = '';
  let open: Table | undefined;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '');
    if (!line.startsWith('|')) {
      open = undefined;
      continue;
    }
    const cells = line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'));
    if (!open) tables.push((open = { heading, columns: cells, rows: [] }));
    else if (!cells.every((cell) => /^:?-+:?$/.test(cell)))
      open.rows.push(Object.fromEntries(open.columns.map((column, i) => [column, cells[i] ?? ''])));
  }
  return tables;
}
