// SPDX-License-Identifier: Apache-2.0
// Snapshots that leave and enter a running server: one is read out for a backup, one from elsewhere is read in.
import { join } from "node:path";
import type { FileStore } from "@meerkat/runtime";
import type { SnapshotNode } from "../seam.ts";
import { listSnapshots, UNFINISHED_PREFIX } from "./file-names.ts";
import { decodingVisitor, readSnapshot } from "./snapshot-reader.ts";
import { isSnapshotSound } from "./snapshot-source.ts";
import { StorageError } from "./storage-error.ts";

const CHUNK_BYTES = 256 * 1024;
/** Never recovered from: files with this prefix are removed at start. */
const INCOMING_NAME = `${UNFINISHED_PREFIX}restore`;

/** A snapshot's bytes as they lie on the disk. */
export interface SnapshotBytes {
  readonly bytes: number;
  /** To be read to its end or left by `return`, which closes the file. A chunk is valid until the next one. */
  readonly chunks: AsyncGenerator<Buffer, void, void>;
}

/** Takes what an incoming snapshot holds. */
export interface SnapshotSink {
  restoreSession(id: bigint, timeoutMs: number): void;
  restoreNode(node: SnapshotNode): void;
}

/** Opens the snapshot of a zxid. Rejects when it is not there (any more). */
export async function readSnapshotBytes(
  files: FileStore,
  directory: string,
  zxid: number,
): Promise<SnapshotBytes> {
  const snapshot = (await listSnapshots(files, directory)).find((found) => found.zxid === zxid);
  if (snapshot === undefined) {
    throw new StorageError(
      "SNAPSHOT_MISSING",
      `the snapshot of zxid 0x${zxid.toString(16)} is not in ${directory} any more; take another one`,
      { path: directory, zxid },
    );
  }
  const file = await files.open(snapshot.path, "read");
  const bytes = await file.size();
  async function* chunks(): AsyncGenerator<Buffer, void, void> {
    try {
      for (let position = 0; position < bytes; ) {
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes - position));
        const count = await file.read(chunk, position);
        if (count === 0) return;
        yield chunk.subarray(0, count);
        position += count;
      }
    } finally {
      await file.close();
    }
  }
  return { bytes, chunks: chunks() };
}

/**
 * Reads a snapshot that comes in pieces into `sink`. It is stored and checked as a whole first, so that `sink`
 * sees nothing of a damaged one. Resolves with the highest zxid that any of its znodes names.
 */
export async function importSnapshot(
  files: FileStore,
  directory: string,
  chunks: AsyncIterable<Uint8Array>,
  sink: SnapshotSink,
): Promise<number> {
  const path = join(directory, INCOMING_NAME);
  const incoming = { path, name: INCOMING_NAME, zxid: 0, packing: "none" } as const;
  let lastZxid = 0;
  try {
    await store(files, path, chunks);
    if (!(await isSnapshotSound(files, incoming))) {
      throw new StorageError(
        "SNAPSHOT_DAMAGED",
        "what was sent is not a whole snapshot: its last seal does not fit; send the file unpacked, in binary",
        { path },
      );
    }
    const { digest } = await readSnapshot(
      files,
      incoming,
      decodingVisitor({
        session: (id, timeoutMs) => sink.restoreSession(id, timeoutMs),
        znode(node) {
          lastZxid = Math.max(lastZxid, node.czxid, node.mzxid, node.pzxid);
          sink.restoreNode(node);
        },
      }),
    );
    return Math.max(lastZxid, digest?.zxid ?? 0);
  } finally {
    await files.remove(path);
  }
}

async function store(files: FileStore, path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await files.open(path, "create");
  try {
    let position = 0;
    for await (const chunk of chunks) {
      await file.write(chunk, position);
      position += chunk.length;
    }
  } finally {
    await file.close();
  }
}
