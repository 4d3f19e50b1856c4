// SPDX-License-Identifier: Apache-2.0
// Telling a torn end from damage. A crash while a batch is written leaves the start of it, then zeros or
// the end of the file: nothing of that was acknowledged, and it is dropped. Bytes that changed later hit
// acknowledged records: dropping those silently would lose writes, so recovery refuses.
import type { OpenFile } from "@meerkat/runtime";
import { adler32 } from "./adler32.ts";
import { PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MIN, RECORD_END, RECORD_PREFIX_BYTES } from "./txn-record.ts";

/** Why reading stopped at a record. */
export type BadRecord =
  /** Zeros to the end: the log was closed or its server killed between two batches. */
  | { readonly kind: "clean" }
  /** The start of a record that never became durable. */
  | { readonly kind: "torn" }
  | { readonly kind: "damaged"; readonly reason: string };

/** Bytes compared at a time when looking for the end of the zeros. */
const BLOCK_BYTES = 1024 * 1024;

/** What stands at `offset`, where no whole and correct record does. `fileBytes` is the file's length. */
export async function classifyBadRecord(
  file: OpenFile,
  offset: number,
  fileBytes: number,
): Promise<BadRecord> {
  const end = await endOfContent(file, offset, fileBytes);
  if (end === offset) return { kind: "clean" };
  const rest = Buffer.alloc(end - offset);
  await file.read(rest, offset);
  const claim = ownReason(rest);
  const next = findRecord(rest, 1);
  if (next !== undefined) {
    const why = claim ?? "the record is not whole";
    return { kind: "damaged", reason: `${why}, yet a whole record follows at byte ${offset + next}` };
  }
  return claim === undefined ? { kind: "torn" } : { kind: "damaged", reason: claim };
}

/** What a crash cannot have done to the record at the start of `rest`. */
function ownReason(rest: Buffer): string | undefined {
  if (rest.length < RECORD_PREFIX_BYTES) return undefined;
  const length = rest.readInt32BE(8);
  if (length < 0 || length > PAYLOAD_BYTES_MAX) return `impossible length ${length}`;
  if (rest.readInt32BE(0) !== 0) return "the checksum has more than 32 bits";
  const endAt = RECORD_PREFIX_BYTES + length;
  const mark = rest[endAt];
  // Past the content are zeros or nothing: the end of the record was never written.
  if (length === 0 || mark === undefined || mark === 0) return undefined;
  if (mark !== RECORD_END) return `the record ends in 0x${mark.toString(16)} instead of 0x42`;
  return "the checksum does not match";
}

/** Index of the first whole and correct record at or after `from`. */
function findRecord(bytes: Buffer, from: number): number | undefined {
  const last = bytes.length - RECORD_PREFIX_BYTES - PAYLOAD_BYTES_MIN - 1;
  for (let index = from; index <= last; index++) {
    if (bytes[index] !== 0 || bytes.readInt32BE(index) !== 0) continue;
    const length = bytes.readInt32BE(index + 8);
    if (length < PAYLOAD_BYTES_MIN || length > PAYLOAD_BYTES_MAX) continue;
    const payload = index + RECORD_PREFIX_BYTES;
    if (bytes[payload + length] !== RECORD_END) continue;
    if (adler32(bytes, payload, payload + length) === bytes.readUInt32BE(index + 4)) return index;
  }
  return undefined;
}

/** Offset behind the last byte that is not zero, at least `offset`. */
export async function endOfContent(file: OpenFile, offset: number, fileBytes: number): Promise<number> {
  const blockBytes = Math.max(Math.min(BLOCK_BYTES, fileBytes - offset), 0);
  const zeros = Buffer.alloc(blockBytes);
  const block = Buffer.allocUnsafe(blockBytes);
  let end = offset;
  for (let at = offset; at < fileBytes; at += blockBytes) {
    const count = await file.read(block.subarray(0, Math.min(blockBytes, fileBytes - at)), at);
    if (count === 0) break;
    if (block.compare(zeros, 0, count, 0, count) === 0) continue;
    let last = count - 1;
    while (block[last] === 0) last--;
    end = at + last + 1;
  }
  return end;
}
