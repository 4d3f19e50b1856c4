// SPDX-License-Identifier: Apache-2.0
// Unpacks snapshots that ZooKeeper wrote with `snapshot.compression.method=snappy`. The container is that
// of xerial's snappy-java: a 16-byte header, then blocks of {int length, raw snappy block}. Block format:
// "Snappy compressed format description" (Google, 2011).
import type { ByteSource } from "./byte-source.ts";

const CONTAINER_HEADER_BYTES = 16;
const CONTAINER_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** snappy-java packs 32 KiB at a time by default; larger settings stay far below this. */
const BLOCK_BYTES_MAX = 16 * 1024 * 1024;

/** The unpacked bytes of a snappy-java stream. Reading rejects on malformed bytes. */
export function snappySource(packed: ByteSource): ByteSource {
  let started = false;
  let block: Buffer = Buffer.alloc(0);
  let offset = 0;
  async function nextBlock(): Promise<boolean> {
    if (!started) {
      const header = await exactly(packed, CONTAINER_HEADER_BYTES);
      if (header === undefined || !header.subarray(0, 8).equals(CONTAINER_MAGIC)) {
        throw new Error("not a snappy-java stream");
      }
      started = true;
    }
    const prefix = await exactly(packed, 4);
    if (prefix === undefined) return false;
    const length = prefix.readInt32BE(0);
    if (length < 1 || length > BLOCK_BYTES_MAX)
      throw new Error(`impossible length ${length} of a snappy block`);
    const bytes = await exactly(packed, length);
    if (bytes === undefined) throw new Error("a snappy block is cut off");
    block = unpackSnappyBlock(bytes);
    offset = 0;
    return true;
  }
  return {
    async read(into) {
      let filled = 0;
      while (filled < into.length) {
        if (offset === block.length) {
          if (!(await nextBlock())) break;
          continue;
        }
        const count = Math.min(into.length - filled, block.length - offset);
        into.set(block.subarray(offset, offset + count), filled);
        filled += count;
        offset += count;
      }
      return filled;
    },
    close: () => packed.close(),
  };
}

async function exactly(source: ByteSource, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(length);
  return (await source.read(bytes)) === length ? bytes : undefined;
}

/** Unpacks one raw snappy block: a varint of the length, then literals and copies. */
export function unpackSnappyBlock(packed: Buffer): Buffer {
  let at = 0;
  const byte = (): number => {
    const value = packed[at++];
    if (value === undefined) throw new Error("a snappy block is cut off");
    return value;
  };
  const littleEndian = (bytes: number): number => {
    let value = 0;
    for (let index = 0; index < bytes; index++) value += byte() * 2 ** (8 * index);
    return value;
  };
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const part = byte();
    length += (part & 0x7f) * 2 ** shift;
    if (part < 0x80) break;
  }
  if (length > BLOCK_BYTES_MAX) throw new Error(`impossible unpacked length ${length} of a snappy block`);
  const out = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const tag = byte();
    const kind = tag & 3;
    if (kind === 0) {
      const coded = tag >>> 2;
      const count = (coded < 60 ? coded : littleEndian(coded - 59)) + 1;
      if (count > packed.length - at || count > length - filled)
        throw new Error("a snappy literal is too long");
      packed.copy(out, filled, at, at + count);
      at += count;
      filled += count;
      continue;
    }
    const count = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const distance = kind === 1 ? ((tag >>> 5) << 8) | byte() : littleEndian(kind === 2 ? 2 : 4);
    if (distance === 0 || distance > filled || count > length - filled)
      throw new Error("a snappy copy is out of range");
    // Byte by byte, since a copy may overlap what it writes.
    for (let index = 0; index < count; index++, filled++) out[filled] = out[filled - distance] as number;
  }
  return out;
}
