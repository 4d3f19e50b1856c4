// SPDX-License-Identifier: Apache-2.0
// Replies:
//   Result => 1:u8 value
//   Error  => 2:u8 textLength:u32 text:UTF-8
import type { ByteWriter } from "../../bytes/byte-writer.ts";
import type { ValueType } from "../../value-type.ts";
import { REPLY_ERROR, REPLY_RESULT } from "./format.ts";

/** Appends a result that `type.problem` found nothing wrong with. */
export function writeResult(writer: ByteWriter, type: ValueType<unknown>, value: unknown): void {
  writer.u8(REPLY_RESULT);
  type.write(writer, value);
}

/**
 * Appends an error. The length counts bytes, which Python's `len(str)` in the seed does not. A text longer
 * than `bytesMax` is cut between two characters.
 */
export function writeError(writer: ByteWriter, text: string, bytesMax: number): void {
  const bytes = Buffer.from(text);
  let length = bytes.length;
  if (length > bytesMax) {
    length = bytesMax;
    // 10xxxxxx continues a character: go back to where one starts.
    while (length > 0 && ((bytes[length] as number) & 0xc0) === 0x80) length--;
  }
  writer.u8(REPLY_ERROR);
  writer.u32(length);
  writer.raw(bytes.subarray(0, length));
}
