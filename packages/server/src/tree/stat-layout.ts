// SPDX-License-Identifier: Apache-2.0
// Where the fields of a Stat stand in its 68 bytes of wire form, which is how the table keeps them.

/** Byte offsets from the start of a Stat. */
export const StatOffset = {
  czxid: 0,
  mzxid: 8,
  ctime: 16,
  mtime: 24,
  version: 32,
  cversion: 36,
  aversion: 40,
  ephemeralOwner: 44,
  dataLength: 52,
  numChildren: 56,
  pzxid: 60,
} as const;

/** Length of a Stat. */
export const STAT_BYTES = 68;
