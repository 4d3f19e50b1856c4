// SPDX-License-Identifier: Apache-2.0
// As much of DER (X.690) as key stores need: definite lengths, tags below 31.

/** Tags of the values that key stores are made of. */
export const DerTag = {
  integer: 0x02,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  /** `[0]`, constructed and primitive. */
  context0: 0xa0,
  context0Primitive: 0x80,
} as const;

/** A value: its tag and what is in it. */
export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
}

/** The values that stand one behind the other in `bytes`. Throws `RangeError` when they are cut short. */
export function derValues(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const tag = bytes.readUInt8(offset);
    let length = bytes.readUInt8(offset + 1);
    offset += 2;
    if (length > 0x7f) {
      const lengthBytes = length & 0x7f;
      if (lengthBytes === 0 || lengthBytes > 4) throw new RangeError("a length that DER does not allow");
      length = bytes.readUIntBE(offset, lengthBytes);
      offset += lengthBytes;
    }
    if (offset + length > bytes.length) throw new RangeError("a value that is cut short");
    values.push({ tag, content: bytes.subarray(offset, offset + length) });
    offset += length;
  }
  return values;
}

/** The values inside a value that must be there and have the tag. Throws `RangeError` otherwise. */
export function derInside(value: DerValue | undefined, tag: number): DerValue[] {
  return derValues(derContent(value, tag));
}

/** The content of a value that must be there and have the tag. Throws `RangeError` otherwise. */
export function derContent(value: DerValue | undefined, tag: number): Buffer {
  if (value?.tag !== tag) throw new RangeError(`tag ${value?.tag} where ${tag} was expected`);
  return value.content;
}

/** An object identifier in dots. Throws `RangeError` when the value is none. */
export function derOid(value: DerValue | undefined): string {
  const content = derContent(value, DerTag.oid);
  const parts: number[] = [];
  let part = 0;
  for (const byte of content) {
    part = part * 128 + (byte & 0x7f);
    if (byte > 0x7f) continue;
    if (parts.length === 0)
      parts.push(Math.min(Math.floor(part / 40), 2), part - 40 * Math.min(Math.floor(part / 40), 2));
    else parts.push(part);
    part = 0;
  }
  return parts.join(".");
}

/** A small number. Throws `RangeError` when the value is none. */
export function derNumber(value: DerValue | undefined): number {
  const content = derContent(value, DerTag.integer);
  if (content.length === 0 || content.length > 6) throw new RangeError("a number that is too large");
  return content.readUIntBE(0, content.length);
}
