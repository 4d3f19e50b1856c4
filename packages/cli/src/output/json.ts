// SPDX-License-Identifier: Apache-2.0
import { type Output, writeLine } from "../io.ts";

/** JSON has no 64-bit integers: ids are decimal strings. */
function replacer(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** One document: indented for a person, on one line for a program. */
export function writeJson(output: Output, value: unknown): void {
  writeLine(output, JSON.stringify(value, replacer, output.isTerminal ? 2 : undefined));
}

/** One of many documents, always on one line (newline-delimited JSON). */
export function writeJsonLine(output: Output, value: unknown): void {
  writeLine(output, JSON.stringify(value, replacer));
}
