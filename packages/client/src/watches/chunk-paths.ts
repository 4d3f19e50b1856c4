// SPDX-License-Identifier: Apache-2.0
import type { WatchChunk } from "../session/session-watches.ts";

/**
 * Most bytes of paths in one SetWatches frame. Far below the servers' default frame limit of 1 MiB: a
 * frame above the limit would be refused by closing the connection, again and again (ZOOKEEPER-706).
 */
const CHUNK_BYTES_MAX = 120 * 1024;

type Kind = keyof WatchChunk;
const kinds: readonly Kind[] = ["data", "exist", "child", "persistent", "recursive"];

function emptyChunk(): Record<Kind, string[]> {
  return { data: [], exist: [], child: [], persistent: [], recursive: [] };
}

/** Splits the paths of all kinds into chunks, measured in UTF-8 bytes. No paths, no chunks. */
export function chunkPaths(paths: Readonly<Record<Kind, Iterable<string>>>): WatchChunk[] {
  const chunks: WatchChunk[] = [];
  let chunk = emptyChunk();
  let chunkBytes = 0;
  for (const kind of kinds) {
    for (const path of paths[kind]) {
      const pathBytes = 4 + Buffer.byteLength(path);
      if (chunkBytes > 0 && chunkBytes + pathBytes > CHUNK_BYTES_MAX) {
        chunks.push(chunk);
        chunk = emptyChunk();
        chunkBytes = 0;
      }
      chunk[kind].push(path);
      chunkBytes += pathBytes;
    }
  }
  if (chunkBytes > 0) chunks.push(chunk);
  return chunks;
}
