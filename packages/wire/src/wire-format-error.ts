// SPDX-License-Identifier: Apache-2.0

/** Bytes that do not follow the format: truncated, oversized, or with an impossible length. */
export class WireFormatError extends Error {
  /** Offset of the offending field from the start of the frame's payload, in bytes. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`);
    this.name = "WireFormatError";
    this.offset = offset;
  }
}
