// SPDX-License-Identifier: Apache-2.0
// A JSON object as the text of its members. Changing one member leaves the others exactly as they were
// written: a 64-bit number or a `2.0` would not survive being parsed and written by JavaScript.

/** Deepest nesting that is accepted. Beyond some thousands, comparing two values overflows the stack. */
const DEPTH_MAX = 32;

/** Whether brackets are nested deeper than is accepted. The text need not be valid JSON. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at) - 1;
    else if (character === "{" || character === "[") {
      if (++depth > DEPTH_MAX) return true;
    } else if (character === "}" || character === "]") depth--;
  }
  return false;
}

/** See the head of the file. */
export class JsonObjectText {
  readonly #members: Map<string, string>;

  private constructor(members: Map<string, string>) {
    this.#members = members;
  }

  /** Undefined when the text is no JSON object, or nested too deep. */
  static parse(text: string): JsonObjectText | undefined {
    if (isTooDeep(text)) return undefined;
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    } catch {
      return undefined;
    }
    return new JsonObjectText(membersOf(text));
  }

  /** The text of a member's value. */
  get(key: string): string | undefined {
    return this.#members.get(key);
  }

  /** Replaces a member in its place, or appends it; undefined removes it. */
  set(key: string, valueText: string | undefined): void {
    if (valueText === undefined) this.#members.delete(key);
    else this.#members.set(key, valueText);
  }

  /** `space` is written after each colon and comma of this object. */
  toString(space: "" | " " = ""): string {
    const parts = [...this.#members].map(([key, text]) => `${JSON.stringify(key)}:${space}${text}`);
    return `{${parts.join(`,${space}`)}}`;
  }
}

/** The members of a valid JSON object; of equal keys the last one counts, as everywhere. */
function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = skipSpace(text, text.indexOf("{") + 1);
  while (text[at] !== "}") {
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    // Behind the key: a colon between optional blanks.
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    members.set(key, text.slice(start, end));
    at = skipSpace(text, end);
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return members;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  return at;
}

/** Where the string that starts at `start` ends; the end of the text if it does not. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start);
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') at = endOfString(text, at) - 1;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (character === "," || " \t\n\r".includes(character))) return at;
  }
  return text.length;
}
