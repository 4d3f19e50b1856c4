// SPDX-License-Identifier: Apache-2.0
// The hash behind consistent hashing: MurmurHash3 (x86, 32 bit, public domain by A. Appleby) over UTF-16
// code units, so that no bytes have to be made of a string. Every Meerkat client agrees on it; other
// implementations do not.

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Murmur's finalizer: every bit of the input moves every bit of the output. */
export function mix32(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** A 32-bit hash of a text, 0 to 2³²−1. */
export function hash32(text: string, seed: number = 0): number {
  let hash = seed | 0;
  const length = text.length;
  for (let index = 0; index < length; index += 2) {
    const high = index + 1 < length ? text.charCodeAt(index + 1) : 0;
    const block = Math.imul(text.charCodeAt(index) | (high << 16), 0xcc9e2d51);
    hash ^= Math.imul(rotate(block, 15), 0x1b873593);
    hash = Math.imul(rotate(hash, 13), 5) + 0xe6546b64;
  }
  return mix32(hash ^ (length * 2));
}
