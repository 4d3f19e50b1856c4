// SPDX-License-Identifier: Apache-2.0
// ZooKeeper's digest of a tree (version 2): the sum modulo 2^64 of a CRC-32 per znode. A server that loads
// a snapshot compares it with what it computes itself, so a directory that moves house is checked for free.
import { crc32 } from "node:zlib";
import { JuteWriter } from "@meerkat/wire";
import type { SnapshotNode } from "../seam.ts";
import { ACL_ID_AND_STAT_BYTES, STAT_BYTES, writeSnapshotNode } from "./snapshot-format.ts";

/** Sums of this many 32-bit values are exact in a double. */
const EXACT_SUMS_MAX = 0x10_0000;
/** See `copyBytes`. */
const LOOP_BYTES_MAX = 192;
/** Znodes below this path do not count; it does itself. */
const RESERVED_PREFIX = Buffer.from("/zookeeper/");

/** Adds znodes up. */
export class TreeDigest {
  #total = 0n;
  #recent = 0;
  #recentCount = 0;
  #scratch = Buffer.alloc(4096);

  /** Adds the znode that lies in `bytes[start, end)` as a snapshot holds it; see `SnapshotVisitor.znode`. */
  add(bytes: Buffer, start: number, pathEnd: number, end: number): void {
    if (isReserved(bytes, start + 4, pathEnd)) return;
    this.#recent += this.#crcOf(bytes, start, pathEnd, end);
    this.#recentCount++;
    if (this.#recentCount === EXACT_SUMS_MAX) this.#fold();
  }

  /** The digest so far, as a signed long. */
  value(): bigint {
    this.#fold();
    return BigInt.asIntN(64, this.#total);
  }

  #fold(): void {
    this.#total += BigInt(this.#recent);
    this.#recent = 0;
    this.#recentCount = 0;
  }

  /** CRC-32 of path, data and stat; the digest has the stat's fields in another order than a snapshot. */
  #crcOf(bytes: Buffer, start: number, pathEnd: number, end: number): number {
    const stat = end - STAT_BYTES;
    const dataStart = pathEnd + 4;
    const dataEnd = end - ACL_ID_AND_STAT_BYTES;
    const length = pathEnd - start - 4 + (dataEnd - dataStart) + STAT_BYTES;
    if (length > this.#scratch.length) this.#scratch = Buffer.alloc(length * 2);
    const scratch = this.#scratch;
    let at = copyBytes(bytes, start + 4, pathEnd, scratch, 0);
    at = copyBytes(bytes, dataStart, dataEnd, scratch, at);
    // Snapshot: czxid mzxid ctime mtime | version cversion aversion | owner pzxid.
    at = copyBytes(bytes, stat, stat + 16, scratch, at);
    at = copyBytes(bytes, stat + 52, stat + 60, scratch, at);
    at = copyBytes(bytes, stat + 16, stat + 52, scratch, at);
    return crc32(scratch.subarray(0, at));
  }
}

function isReserved(bytes: Buffer, start: number, end: number): boolean {
  const { length } = RESERVED_PREFIX;
  // Nearly all paths differ in the first letter.
  if (end - start < length || bytes[start + 1] !== RESERVED_PREFIX[1]) return false;
  return bytes.compare(RESERVED_PREFIX, 0, length, start, start + length) === 0;
}

/** Copies a few bytes in a plain loop, which costs less than a native call; many natively. */
function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  if (end - start > LOOP_BYTES_MAX) return at + from.copy(to, at, start, end);
  let target = at;
  for (let index = start; index < end; index++) to[target++] = from[index] as number;
  return target;
}

/** Digest of a whole tree, for tests and tools. */
export function digestOf(znodes: Iterable<SnapshotNode>): bigint {
  const digest = new TreeDigest();
  const writer = new JuteWriter(4096);
  for (const znode of znodes) {
    writeSnapshotNode(writer, znode, 0);
    const bytes = writer.take();
    digest.add(bytes, 0, 4 + bytes.readInt32BE(0), bytes.length);
    writer.recycle();
  }
  return digest.value();
}
