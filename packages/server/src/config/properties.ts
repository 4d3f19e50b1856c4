// SPDX-License-Identifier: Apache-2.0
// Java's properties format (java.util.Properties.load), which zoo.cfg is written in.

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function decodeEscapes(text: string): string {
  return text.replaceAll(/\\(u[0-9a-fA-F]{4}|.)/gs, (_match, escaped: string) =>
    escaped.length === 5
      ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      : (ESCAPES[escaped] ?? escaped),
  );
}

/** Joins lines that end in an odd number of backslashes with the next one, less its indentation. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open = "";
  for (const natural of text.split(/\r\n|\r|\n/)) {
    const line = natural.replace(/^[ \t\f]+/, "");
    if (open === "" && (line === "" || line.startsWith("#") || line.startsWith("!"))) continue;
    const backslashes = /\\*$/.exec(line)?.[0].length ?? 0;
    if (backslashes % 2 === 1) {
      open += line.slice(0, -1);
      continue;
    }
    lines.push(open + line);
    open = "";
  }
  if (open !== "") lines.push(open);
  return lines;
}

/** Keys and values in order; a repeated key keeps its last value. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const match = /^((?:[^\\=: \t\f]|\\.)*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s.exec(line);
    properties.set(decodeEscapes(match?.[1] ?? ""), decodeEscapes(match?.[2] ?? "").trim());
  }
  return properties;
}
