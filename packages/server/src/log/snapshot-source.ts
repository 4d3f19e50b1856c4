// SPDX-License-Identifier: Apache-2.0
// Opens snapshots, packed or not, and tells whether one is whole.
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { FileStore } from "@meerkat/runtime";
import { ADLER_START, adler32 } from "./adler32.ts";
import { type ByteSource, fileSource } from "./byte-source.ts";
import type { SnapshotFile } from "./file-names.ts";
import { snappySource } from "./snappy.ts";
import { END_MARK, SEAL_BYTES, SNAPSHOT_MAGIC } from "./snapshot-format.ts";

/** Bytes checked or unpacked at a time. */
const CHUNK_BYTES = 1024 * 1024;

/** The unpacked bytes of a snapshot. */
export async function openSnapshot(files: FileStore, snapshot: SnapshotFile): Promise<ByteSource> {
  const source = fileSource(await files.open(snapshot.path, "read"));
  if (snapshot.packing === "gzip") return gunzipSource(source);
  if (snapshot.packing === "snappy") return snappySource(source);
  return source;
}

/**
 * Whether the file is a whole snapshot: its last seal is a checksum over everything before, the earlier
 * seals included. A file that cannot be unpacked is not sound; one that cannot be read rejects.
 */
export async function isSnapshotSound(files: FileStore, snapshot: SnapshotFile): Promise<boolean> {
  const source = await openSnapshot(files, snapshot);
  try {
    return await endsInFittingSeal(source);
  } catch (error) {
    // System errors carry a syscall; anything else came out of unpacking.
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    return false;
  } finally {
    await source.close();
  }
}

async function endsInFittingSeal(source: ByteSource): Promise<boolean> {
  // The last bytes stay out of the sum until more come: they may be the seal.
  const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES + SEAL_BYTES);
  let held = 0;
  let sum = ADLER_START;
  let begun = false;
  for (;;) {
    const count = await source.read(chunk.subarray(held, held + CHUNK_BYTES));
    const end = held + count;
    if (!begun) {
      if (end < 4 || chunk.readInt32BE(0) !== SNAPSHOT_MAGIC) return false;
      begun = true;
    }
    const summed = Math.max(end - SEAL_BYTES, 0);
    sum = adler32(chunk, 0, summed, sum);
    chunk.copyWithin(0, summed, end);
    held = end - summed;
    if (count < CHUNK_BYTES) break;
  }
  if (held < SEAL_BYTES) return false;
  return (
    chunk.readInt32BE(0) === 0 &&
    chunk.readUInt32BE(4) === sum &&
    chunk.compare(END_MARK, 0, END_MARK.length, 8, SEAL_BYTES) === 0
  );
}

/** Unpacks through node:zlib's stream. */
function gunzipSource(packed: ByteSource): ByteSource {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const count = await packed.read(chunk);
      if (count > 0) yield chunk.subarray(0, count);
      if (count < CHUNK_BYTES) return;
    }
  }
  const unpacked = createGunzip({ chunkSize: CHUNK_BYTES });
  const input = Readable.from(chunks());
  input.once("error", (error) => unpacked.destroy(error));
  const iterator = input.pipe(unpacked)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  return {
    async read(into) {
      let filled = 0;
      while (filled < into.length) {
        if (rest.length === 0) {
          const next = await iterator.next();
          if (next.done === true) break;
          rest = next.value;
        }
        const count = Math.min(rest.length, into.length - filled);
        into.set(rest.subarray(0, count), filled);
        rest = rest.subarray(count);
        filled += count;
      }
      return filled;
    },
    async close() {
      unpacked.destroy();
      input.destroy();
      await packed.close();
    },
  };
}
