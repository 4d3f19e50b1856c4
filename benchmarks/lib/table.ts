// SPDX-License-Identifier: Apache-2.0

/** A column: its title, and what stands in it for a row. Numbers are right-aligned. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string | number | undefined;
}

function formatted(value: string | number | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** Lines of a table in plain text. Columns that are empty in every row are left out. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const used = columns.filter((column) => rows.some((row) => column.cell(row) !== undefined));
  const cells = rows.map((row) => used.map((column) => formatted(column.cell(row))));
  const numeric = used.map((column) => rows.every((row) => typeof column.cell(row) !== "string"));
  const titles = used.map((column) => column.title);
  const widths = titles.map((title, index) =>
    Math.max(title.length, ...cells.map((row) => (row[index] as string).length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((text, index) => {
        const width = widths[index] as number;
        return numeric[index] ? text.padStart(width) : text.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [line(titles), rule, ...cells.map(line)].join("\n");
}
