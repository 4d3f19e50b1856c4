// SPDX-License-Identifier: Apache-2.0
import Table from "cli-table3";
import type { Colors } from "../io.ts";

/** One column: its title and whether its values are numbers. */
export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
} as const;

/** Columns aligned with two spaces between them and no lines, so that `awk` can cut the output. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  colors: Colors,
): string {
  const table = new Table({
    chars: { ...NO_BORDERS },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    colAligns: columns.map((column) => (column.isNumber === true ? "right" : "left")),
    head: columns.map((column) => colors.bold(column.title)),
  });
  for (const row of rows) table.push([...row]);
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
