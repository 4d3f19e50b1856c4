// SPDX-License-Identifier: Apache-2.0
// Reading and writing big-endian numbers inside slabs. Plain byte arithmetic, which V8 compiles to a few
// instructions; `Buffer`'s own methods check their arguments on every call.

/** int at `offset`, signed. */
export function getInt(bytes: Buffer, offset: number): number {
  return (
    ((bytes[offset] as number) << 24) |
    ((bytes[offset + 1] as number) << 16) |
    ((bytes[offset + 2] as number) << 8) |
    (bytes[offset + 3] as number)
  );
}

export function putInt(bytes: Buffer, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/** A long that is a safe integer (a zxid, a time). */
export function getLongNumber(bytes: Buffer, offset: number): number {
  return getInt(bytes, offset) * 0x1_0000_0000 + (getInt(bytes, offset + 4) >>> 0);
}

/** See `getLongNumber`. */
export function putLongNumber(bytes: Buffer, offset: number, value: number): void {
  putInt(bytes, offset, Math.floor(value / 0x1_0000_0000));
  putInt(bytes, offset + 4, value | 0);
}
