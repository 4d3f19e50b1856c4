// SPDX-License-Identifier: Apache-2.0
// Bytes of znodes on their way to a terminal or into JSON.

/** Data in JSON: text where the bytes are valid UTF-8, Base64 otherwise. */
export interface JsonData {
  readonly data: string;
  readonly encoding: "utf8" | "base64";
}

/** See `JsonData`. Lossless both ways. */
export function toJsonData(data: Buffer): JsonData {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    return { data: text, encoding: "utf8" };
  } catch {
    return { data: data.toString("base64"), encoding: "base64" };
  }
}

// The control characters (C0 without tab and newline, DEL, C1) that could drive a terminal.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * Text that is safe on a terminal: what a znode holds was written by others and must not move the cursor
 * or set the window's title. Control characters become `\x1b` and the like.
 */
export function printable(text: string): string {
  return text.replace(CONTROL, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
